-- Counts what the job's shadow made of a chunk. ARGV: id, chunk, attempt, rows that both versions predicted, rows among them
-- that differ, rows that only the job's model predicted, chunks that failed.
-- Returns 1, or 0 if the job is gone or this comparison is counted already.
local id, chunk, attempt, rows, differing, failed, errors = unpack(ARGV)
local shadow, model = shadow_of(id)
if not shadow or redis.call('HDEL', K.shadow(id), comparison_of(chunk, attempt)) == 0 then return 0 end
count_shadow(id, model, shadow, {rows = rows, differing = differing, failed = failed, errors = errors})
return 1
