-- Lets a failed or cancelled batch continue with the chunks that are not done.
-- ARGV: id, limit of live jobs, limit of the owner's.
-- Returns {'retried'} | {'over'} (it is not a failed or cancelled batch) | {'done'} (no chunk is left) |
-- {'full', 'all' or 'owner'}.
local id, most, most_owned = unpack(ARGV)
local status, owner, rows, chunks, done, chunks_at_end = unpack(redis.call(
  'HMGET', K.job(id), F.status, F.owner, F.rows, F.chunks, F.chunks_done, F.chunks_at_end))
if status ~= STATUS.failed and status ~= STATUS.cancelled or is_single(id) then return {'over'} end
local is_left = is_converting(id) or redis.call('HGET', K.job(id), F.output) == OUTPUT_LEFT
if tonumber(done or 0) >= tonumber(chunks) and not is_left then return {'done'} end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end

reopen(id, status, owner, rows)
add_metric(M.retries, redis.call('HGET', K.job(id), F.model), 1)
note(id, 'retried', {chunks = chunks - (done or 0)})
-- Attempts continue from their last number, so that the commit of a holder from before the end is refused.
for chunk, attempts in string.gmatch(chunks_at_end or '', '(%d+) (%d+)') do
  put_in_flight(id, chunk, attempts)
end
top_up(id)
return {'retried'}
