-- Counts a stored part, once, and sends the next chunks.
-- ARGV: id, chunk, attempt, part's 32 bytes, rows, rows failed, part's bytes, errors' bytes, summary as JSON.
-- Answers 'counted' | 'ended' (it was the last, or one bad row too many) | 'stale' (not the lease's attempt any more) |
-- 'rescored' (the part of a job that had succeeded, made again) | 'lost' (likewise, and it is not what it was).
local id, chunk, attempt, part, rows, failed, bytes, error_bytes, summary = unpack(ARGV)
local held = unpack_lease(redis.call('HGET', K.leases(), member(id, chunk)))
if held ~= tonumber(attempt) then return 'stale' end
if redis.call('HGET', K.job(id), 'status') == 'succeeded' then
  local is_same = redis.call('GETRANGE', K.parts(id), chunk * 32, chunk * 32 + 31) == part
  if is_same then take_out_of_flight(id, chunk) else give_up_rescoring(id, chunk) end
  return is_same and 'rescored' or 'lost'
end
redis.call('SETRANGE', K.parts(id), chunk * 32, part)
take_out_of_flight(id, chunk)
redis.call('HINCRBY', K.job(id), 'rows_done', rows)
redis.call('HINCRBY', K.job(id), 'part_bytes', bytes)
redis.call('HINCRBY', K.job(id), 'error_bytes', error_bytes)
local all_failed = redis.call('HINCRBY', K.job(id), 'rows_failed', failed)
local chunks_done = redis.call('HINCRBY', K.job(id), 'chunks_done', 1)
summary = cjson.decode(summary)
add_summary(id, summary)
note_reason(id, summary.bad)

local job = redis.call('HMGET', K.job(id), 'chunks', 'max_errors')
local ended = false
if job[2] and all_failed > tonumber(job[2]) then
  ended = finish(id, 'failed', problem('too-many-bad-rows', string.format(
    '%d rows could not be predicted, and the job allows %s.', all_failed, job[2])))
elseif chunks_done == tonumber(job[1]) and not is_arriving(id) then
  ended = finish(id, ending(id))
else
  top_up(id)
end
publish({ended and id or id .. '/part'})
return ended and 'ended' or 'counted'
