-- Reads everything about one job at one moment. ARGV: id.
-- Returns {record, plan, parts, chunks in flight, those of them (or the single row, '0') that are due for upkeep, whether
-- the row is leased, postponed or waits, whether the job's expiry is set, whether a delivery to its webhook is due}.
local id = ARGV[1]
local record = redis.call('HGETALL', K.job(id))
local single = is_single(id)
local flying = redis.call('HKEYS', K.in_flight(id))
local due = {}
for _, chunk in ipairs(single and {ROW} or flying) do
  if redis.call('ZSCORE', K.due(), member_of(id, chunk)) then due[#due + 1] = chunk end
end
local waiting_or_leased = single and (redis.call('HEXISTS', K.leases(), member_of(id, ROW)) == 1
  or redis.call('HEXISTS', K.job(id), F.postponed) == 1
  or redis.call('LPOS', K.waiting(model_entry_of(id)), id))
return {
  record, redis.call('GET', K.plan(id)) or '', redis.call('GET', K.parts(id)) or '', flying, due,
  waiting_or_leased and 1 or 0,
  redis.call('ZSCORE', K.expiring(), id) and 1 or 0,
  redis.call('ZSCORE', K.webhooks(), id) and 1 or 0,
}
