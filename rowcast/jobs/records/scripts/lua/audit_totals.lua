-- Reads all counts at one moment. It looks at every record: 0.1 s for some 10,000.
-- Returns {totals, live counts, (status, jobs, rows) of the records, (owner, live jobs) of the records, JOB/CHUNK that is
-- leased or due although no live job has it in flight}.
local jobs, rows, owners = {}, {}, {}
for _, id in ipairs(redis.call('ZRANGE', K.jobs(), 0, -1)) do
  local status, job_rows, owner = unpack(redis.call('HMGET', K.job(id), F.status, F.rows, F.owner))
  if status then -- if not, the record has expired, and the index still has its id
    jobs[status] = (jobs[status] or 0) + 1
    rows[status] = (rows[status] or 0) + tonumber(job_rows)
    if not ENDED[status] then owners[owner] = (owners[owner] or 0) + 1 end
  end
end

local function is_in_flight(member)
  local id, chunk = split_member(member)
  local status = id and status_of(id)
  if not status or ENDED[status] and status ~= STATUS.succeeded then return false end
  if is_single(id) then return chunk == ROW and not ENDED[status] end
  if ENDED[status] and chunk ~= redis.call('HGET', K.job(id), F.chunks) then return false end -- its Parquet file
  return redis.call('HEXISTS', K.in_flight(id), chunk) == 1
end

local stale_entries = {}
for _, member in ipairs(redis.call('ZRANGE', K.due(), 0, -1)) do
  if not is_in_flight(member) then stale_entries[#stale_entries + 1] = member end
end
for _, member in ipairs(redis.call('HKEYS', K.leases())) do
  if not is_in_flight(member) or not redis.call('ZSCORE', K.due(), member) then stale_entries[#stale_entries + 1] = member end
end

local by_status, by_owner = {}, {}
for status, count in pairs(jobs) do
  for _, value in ipairs({status, format_integer(count), format_integer(rows[status])}) do
    by_status[#by_status + 1] = value
  end
end
for owner, count in pairs(owners) do
  for _, value in ipairs({owner, format_integer(count)}) do by_owner[#by_owner + 1] = value end
end
return {redis.call('HGETALL', K.totals()), redis.call('HGETALL', K.live()), by_status, by_owner, stale_entries}
