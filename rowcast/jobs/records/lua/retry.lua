-- Lets a failed or cancelled batch go on with the chunks that are not done. ARGV: id, limit of live jobs, of the owner's.
-- Answers {'retried'} | {'over'} (the table of states says no) | {'done'} (no chunk is left) | {'full', 'all' or 'owner'}.
local id, most, most_owned = unpack(ARGV)
local job = redis.call('HMGET', K.job(id), 'status', 'owner', 'rows', 'chunks', 'chunks_done', 'unfinished', 'waits_for')
local status, owner, rows, chunks, done, unfinished, is_single = unpack(job, 1, 7)
if not status or not MAY[status] or not MAY[status].queued or is_single then return {'over'} end
if tonumber(done or 0) >= tonumber(chunks) then return {'done'} end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end

set_status(id, 'queued')
redis.call('HDEL', K.job(id), 'finished_ms', 'error', 'unfinished')
redis.call('ZREM', K.expiring(), id)
count_live(owner, 1)
add_total('jobs_' .. status, -1)
add_total('rows_' .. status, -tonumber(rows))
-- Attempts go on from where they were, so that a holder from before the end is told apart from the next.
for chunk, attempt in string.gmatch(unfinished or '', '(%d+) (%d+)') do
  put_in_flight(id, chunk, attempt)
end
top_up(id)
return {'retried'}
