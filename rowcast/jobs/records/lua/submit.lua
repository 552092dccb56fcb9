-- Makes a job: record, indexes, counts, first hints, all or nothing.
-- ARGV: id, owner, limit of live jobs, limit of the owner's, idempotency digest or '', fingerprint, its life (s),
--       plan ('' for a single), NAME@VERSION, then the record's fields and values.
-- Answers {'made'} | {'replayed', id} | {'conflict', id} | {'full', 'all' or 'owner'} | {'swept'} (the upload was silent for
-- too long, and its chunks are gone).
local id, owner, most, most_owned, digest, fingerprint, life, plan, model = unpack(ARGV, 1, 9)
local was_arriving, status = is_arriving(id), redis.call('HGET', K.job(id), 'status')
if status == 'deleted' then return {'swept'} end
if status and not was_arriving then return {'made'} end -- the client's own retry of a lost answer
if digest ~= '' then
  local earlier = redis.call('GET', K.idempotency(digest))
  local earlier_id, earlier_fingerprint = string.match(earlier or '', '^(%S+) (%S+)$')
  local status = earlier_id and redis.call('HGET', K.job(earlier_id), 'status')
  if status and status ~= 'deleted' then -- else: forgotten, so the request makes a job again
    return {earlier_fingerprint == fingerprint and 'replayed' or 'conflict', earlier_id}
  end
end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end

-- What was scored while the input arrived counts as it stands.
redis.call('HSET', K.job(id), 'owner', owner, unpack(ARGV, 10))
redis.call('HDEL', K.job(id), 'arriving')
if not was_arriving then redis.call('HSET', K.job(id), 'status', 'queued', 'next_chunk', 0) end
count_live(owner, 1)
redis.call('ZADD', K.jobs(), 0, id)
if owner ~= '' then redis.call('ZADD', K.owned(owner), 0, id) end
if digest ~= '' then redis.call('SET', K.idempotency(digest), id .. ' ' .. fingerprint, 'EX', life) end
redis.call('ZREM', K.removing(), id)
add_total('jobs_taken', 1)
add_total('rows_taken', tonumber(redis.call('HGET', K.job(id), 'rows')))
if plan ~= '' then
  redis.call('SET', K.plan(id), plan)
  local verdict, err, done, chunks = unpack(redis.call('HMGET', K.job(id), 'verdict', 'error', 'chunks_done', 'chunks'))
  redis.call('HDEL', K.job(id), 'verdict', 'error')
  local to = verdict
  if not to and done == chunks then to, err = ending(id) end
  if to and finish(id, to, err ~= '' and err or nil) then publish({id})
  else top_up(id) end
else
  local holder = take_lingering()
  if holder then wake(holder, cjson.encode({model, lease_row(id, holder)})) -- past Celery, whose way takes longer
  else
    redis.call('RPUSH', K.waiting(model), id)
    redis.call('ZADD', K.due(), format_integer(now_ms() + RESEND_MS), member(id, '0'))
    offer_rows(model)
  end
end
return {'made'}
