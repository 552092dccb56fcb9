-- What the books say, all at one moment. Answers {totals, live counts, (status, jobs, rows) of the records, (owner, live
-- jobs) of the records, what is in flight though no live job has it}. It looks at every record: 0.1 s for some 10,000.
local jobs, rows, owners = {}, {}, {}
for _, id in ipairs(redis.call('ZRANGE', K.jobs(), 0, -1)) do
  local job = redis.call('HMGET', K.job(id), 'status', 'rows', 'owner')
  local status = job[1]
  if status then -- else: forgotten; the index learns of it later
    jobs[status] = (jobs[status] or 0) + 1
    rows[status] = (rows[status] or 0) + tonumber(job[2])
    if not ENDED[status] then owners[job[3]] = (owners[job[3]] or 0) + 1 end
  end
end

local function is_in_flight(this)
  local id, chunk = string.match(this, '^(.*)/(%d+)$')
  local job = redis.call('HMGET', K.job(id or ''), 'status', 'waits_for')
  if not job[1] or ENDED[job[1]] or not MAY[job[1]] then return false end
  return job[2] and chunk == '0' or redis.call('HEXISTS', K.in_flight(id), chunk) == 1
end

local strays = {}
for _, this in ipairs(redis.call('ZRANGE', K.due(), 0, -1)) do
  if not is_in_flight(this) then strays[#strays + 1] = this end
end
for _, this in ipairs(redis.call('HKEYS', K.leases())) do
  if not is_in_flight(this) or not redis.call('ZSCORE', K.due(), this) then strays[#strays + 1] = this end
end

local by_status, by_owner = {}, {}
for status, count in pairs(jobs) do
  for _, value in ipairs({status, format_integer(count), format_integer(rows[status])}) do by_status[#by_status + 1] = value end
end
for owner, count in pairs(owners) do
  for _, value in ipairs({owner, format_integer(count)}) do by_owner[#by_owner + 1] = value end
end
return {redis.call('HGETALL', K.totals()), redis.call('HGETALL', K.live()), by_status, by_owner, strays}
