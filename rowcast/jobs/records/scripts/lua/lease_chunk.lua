-- Leases a chunk in flight to a worker process for LEASE_MS. ARGV: id, chunk, holder, its pool.
-- Returns {'leased', attempt, entry of the plan, spec, strikes, revision or '', whether it is repaired (1 or 0), revision
-- before the repair or ''} | {'busy'} (another process holds it) | {'idle'} (it is not in flight: done, of a job that has
-- ended, not yet put in flight, or of another pool) | {'paused'}.
local id, chunk, holder, pool = unpack(ARGV)
local status = status_of(id)
local flight = redis.call('HGET', K.in_flight(id), chunk)
if not status or not flight then return {'idle'} end
local attempt, strikes = unpack_flight(flight)
local member = member_of(id, chunk)
local _, held_by = lease_of(member)
local is_anothers = held_by and held_by ~= holder
if is_anothers and tonumber(redis.call('ZSCORE', K.due(), member) or 0) > now_ms() then return {'busy'} end
if pool_of(id) ~= pool then -- an upkeep of an older release, which knows no pools, has put it in the wrong line
  if not held_by then offer_chunk(member) end
  return {'idle'}
end
if held_by ~= holder and is_job_paused(id) then -- since the process took the chunk from its line
  if not held_by then line_up('chunks', member) end
  return {'paused'}
end
if is_anothers then
  if strike(id, chunk, STRIKES_OF_DEATH) then return {'idle'} end -- the lease ran out, and upkeep has not yet seen it
  strikes = strikes + STRIKES_OF_DEATH
end
if held_by == holder then prolong(member) -- the same process asks again, because the first answer was lost
else
  attempt = attempt + 1
  redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempt, strikes) .. ' ' .. format_integer(now_ms()))
  write_lease(member, attempt, holder)
  local is_counted = not ENDED[status] and tonumber(chunk) < FIRST_RANGE -- a part that is made again changes nothing
  if is_counted then redis.call('HINCRBY', K.job(id), F.leases, 1) end
end
leave_line(id, member)
local is_first = status == STATUS.queued and set_status(id, STATUS.running)
if status == STATUS.arriving then
  is_first = redis.call('HSETNX', K.job(id), F.started_ms, format_integer(now_ms())) == 1
end
local about = {chunk = tonumber(chunk), worker = holder, attempt = attempt}
if is_first then
  note(id, 'started', about)
  local leases, model = unpack(redis.call('HMGET', K.job(id), F.leases, F.model))
  if tonumber(leases or 0) <= 1 then observe_wait(id, KIND.batch, model) end -- more after a retry or a repair
elseif strikes > 0 and held_by ~= holder then note(id, 'tried_again', about) end
local before = revisions_in(id, F.repairing)[chunk]
return {'leased', attempt, plan_entry(id, chunk), redis.call('HGET', K.job(id), F.spec), strikes,
  revisions_in(id, F.revisions)[chunk] or '', before and 1 or 0, before or ''}
