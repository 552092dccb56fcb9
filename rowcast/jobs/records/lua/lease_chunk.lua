-- Gives a chunk in flight to one worker process for a while.
-- ARGV: id, chunk, holder, lease (ms).
-- Answers {'leased', attempt, plan entry, spec, strikes} | {'busy'} | {'idle'}; 'idle' is a chunk that is not in flight:
-- done, of a job that has ended, or never sent.
local id, chunk, holder, lease_ms = unpack(ARGV)
local status = redis.call('HGET', K.job(id), 'status')
local flight = redis.call('HGET', K.in_flight(id), chunk)
if not status or not flight then return {'idle'} end
local attempt, strikes = unpack_flight(flight)
local now, this = now_ms(), member(id, chunk)
local _, held_by = unpack_lease(redis.call('HGET', K.leases(), this))
if held_by and held_by ~= holder then
  if tonumber(redis.call('ZSCORE', K.due(), this) or 0) > now then return {'busy'} end
  if strike(id, chunk, STRIKES_OF_DEATH) then return {'idle'} end -- it ran out, and upkeep had not looked
  strikes = strikes + STRIKES_OF_DEATH
end
if held_by ~= holder then -- else: the same process asks again, as its first answer was lost
  attempt = attempt + 1
  redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempt, strikes))
  redis.call('HSET', K.leases(), this, attempt .. ' ' .. holder)
end
redis.call('ZREM', K.ready_chunks(), this)
redis.call('ZADD', K.due(), format_integer(now + tonumber(lease_ms)), this)
if status == 'queued' then set_status(id, 'running') end
local entry = redis.call('GETRANGE', K.plan(id), chunk * 16, chunk * 16 + 15)
return {'leased', attempt, entry, redis.call('HGET', K.job(id), 'spec'), strikes}
