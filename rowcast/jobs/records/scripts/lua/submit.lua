-- Makes a job of a file: record, indexes, counts and first messages, or nothing at all.
-- ARGV: id, owner, limit of live jobs, limit of the owner's, idempotency digest or '', fingerprint, plan, rows, digest of
--       what makes two results the same or '', whether to reuse a job with it ('1' or ''), then fields and values of the
--       record.
-- Returns {'made'} | {'replayed', id} | {'reused', id} | {'conflict', id} | {'full', 'all' or 'owner'} | {'removed'} (the
-- upload was silent for too long or deleted, and its chunks are gone).
local id, owner, most, most_owned, digest, fingerprint, plan, rows, sameness, reuses = unpack(ARGV, 1, 10)
local status = status_of(id)
local was_arriving = status == STATUS.arriving
if status == STATUS.deleted then return {'removed'} end
if status and not was_arriving then return {'made'} end -- the gateway repeats a call whose answer was lost
if not may_arrive(id) then return {'removed'} end
local earlier = earlier_job(digest, fingerprint)
if earlier then return earlier end
if reuses ~= '' then
  local same = redis.call('GET', K.reusable(sameness))
  local same_status = same and status_of(same)
  local is_good = same_status == STATUS.succeeded or same_status == STATUS.running or same_status == STATUS.queued
  if is_good and redis.call('HEXISTS', K.job(same), F.repairs) == 0 then
    remember_request(digest, fingerprint, same)
    return {'reused', same}
  end
end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end

-- What was scored while the input arrived stays as it is.
redis.call('HSET', K.job(id), F.owner, owner, unpack(ARGV, 11))
if was_arriving then
  local started_ms = redis.call('HGET', K.job(id), F.started_ms)
  set_status(id, started_ms and STATUS.running or STATUS.queued)
  if started_ms then redis.call('HSET', K.job(id), F.started_ms, started_ms) end
else redis.call('HSET', K.job(id), F.status, STATUS.queued, F.next_chunk, 0) end
start_deadline(id)
count_accepted(id, owner, tonumber(rows))
remember_request(digest, fingerprint, id)
if sameness ~= '' then redis.call('SET', K.reusable(sameness), id, 'EX', TOMBSTONE_SECONDS) end
redis.call('ZREM', K.removing(), id)
end_upload(id, UPLOAD.complete, id, '')

-- Ends a batch of which everything was scored while it arrived, or lets the next chunks be scored.
redis.call('SET', K.plan(id), plan)
local to, err, done, chunks = unpack(redis.call('HMGET', K.job(id), F.verdict, F.error, F.chunks_done, F.chunks))
redis.call('HDEL', K.job(id), F.verdict, F.error)
if is_converting(id) then
  note(id, 'created', {converting = true})
  put_in_flight(id, CONVERSION, 0)
  return {'made'}
end
note(id, 'created', {rows = tonumber(rows), chunks = tonumber(chunks)})
if not to and done == chunks then to, err = ending(id) end
if to and finish(id, to, err ~= '' and err or nil) then publish({id})
else top_up(id) end
return {'made'}
