-- What there is of one job, all at one moment. ARGV: id.
-- Answers {record, plan, parts, open chunks, those of them (or the single row, '0') that upkeep will look at, whether the
-- row is leased, parked or waits, whether the job's expiry is set}.
local id = ARGV[1]
local record = redis.call('HGETALL', K.job(id))
local model = redis.call('HGET', K.job(id), 'waits_for')
local open = redis.call('HKEYS', K.in_flight(id))
local watched = {}
for _, chunk in ipairs(model and {'0'} or open) do
  if redis.call('ZSCORE', K.due(), member(id, chunk)) then watched[#watched + 1] = chunk end
end
local taken = model and (redis.call('HEXISTS', K.leases(), member(id, '0')) == 1
  or redis.call('HEXISTS', K.job(id), 'parked') == 1 or redis.call('LPOS', K.waiting(model), id))
return {
  record, redis.call('GET', K.plan(id)) or '', redis.call('GET', K.parts(id)) or '', open, watched, taken and 1 or 0,
  redis.call('ZSCORE', K.expiring(), id) and 1 or 0,
}
