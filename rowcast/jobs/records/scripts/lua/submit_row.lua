-- Makes a job of one row: record, indexes and counts, and hands the row to a process; or nothing at all.
-- ARGV: id, owner, limit of live jobs, limit of the owner's, idempotency digest or '', fingerprint, NAME@VERSION, its pool,
--       then fields and values of the record.
-- Returns {'made'} | {'replayed', id} | {'conflict', id} | {'full', 'all' or 'owner'}.
local id, owner, most, most_owned, digest, fingerprint, model, pool = unpack(ARGV, 1, 8)
if status_of(id) then return {'made'} end -- the gateway repeats a call whose answer was lost
local earlier = earlier_job(digest, fingerprint)
if earlier then return earlier end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end
redis.call('HSET', K.job(id), F.owner, owner, F.status, STATUS.queued, unpack(ARGV, 9))
start_deadline(id)
count_accepted(id, owner, 1)
remember_request(digest, fingerprint, id)

-- A process that lingers gets the row at once, which is quicker than a message.
local holder = not is_paused(KIND.single, model) and take_lingering(pool)
if holder then
  wake(holder, cjson.encode({model, lease_row(row_to_lease(id), holder)}))
  return {'made'}
end
local entry = prefix_of_pool(pool) .. model
redis.call('RPUSH', K.waiting(entry), id)
redis.call('ZADD', K.due(), format_integer(now_ms() + RESEND_MS), member_of(id, ROW))
if line_up('models', entry) then send_message('models', pool) end
return {'made'}
