-- Leases: the holder of a chunk or a row ('ATTEMPT HOLDER', for example '2 host:71/75'), and strikes.

local function unpack_lease(lease)
  local attempt, holder = string.match(lease or '', '^(%d+) (.*)$')
  return tonumber(attempt), holder
end

-- Returns attempt and holder of a lease, or nil.
local function lease_of(member) return unpack_lease(redis.call('HGET', K.leases(), member)) end

-- Lets the lease end LEASE_MS from now.
local function prolong(member) redis.call('ZADD', K.due(), format_integer(now_ms() + LEASE_MS), member) end

local function write_lease(member, attempt, holder)
  redis.call('HSET', K.leases(), member, attempt .. ' ' .. holder)
  prolong(member)
end

-- Reads a single job's row. Returns nil if its job has ended, or if a process has its lease.
local function row_to_lease(id)
  local status, values, extras, strikes, attempts, model, origin =
    unpack(redis.call('HMGET', K.job(id), F.status, F.values, F.extras, F.strikes, F.attempts, F.model, F.origin))
  if not status or ENDED[status] or lease_of(member_of(id, ROW)) then return nil end
  return {id = id, status = status, values = values, extras = extras, strikes = strikes, attempts = attempts,
    model = model, origin = origin}
end

-- Leases such a row to a process. Returns {id, attempt, values, extras or '', strikes, origin or ''}.
local function lease_row(row, holder)
  local attempt = (tonumber(row.attempts) or 0) + 1
  if attempt == 1 then observe_wait(row.id, KIND.single, row.model) end
  write_lease(member_of(row.id, ROW), attempt, holder)
  if not set_status(row.id, STATUS.running, row.status, F.attempts, attempt) then
    redis.call('HSET', K.job(row.id), F.attempts, attempt) -- it runs already: an earlier lease ended without a result
  end
  return {row.id, attempt, row.values, row.extras or '', row.strikes or '0', row.origin or ''}
end

local function worker_lost_problem(id, chunk)
  local what = tonumber(chunk) >= FIRST_RANGE and 'The conversion of the file' or 'The row'
  local planned = plan_entry(id, chunk)
  if #planned == PLAN_ENTRY_BYTES then
    local first, rows = struct.unpack(PLAN_ENTRY_FORMAT, planned)
    what = string.format('Chunk %s (rows %.0f to %.0f)', chunk, first, first + rows - 1)
  end
  return problem('worker-lost', what .. ': the processes that worked on it died, as often as they may.')
end

-- Notes that the part of a job that has succeeded cannot be made again, or its Parquet file not be written.
local function give_up_rescoring(id, chunk)
  local is_parquet = redis.call('HGET', K.job(id), F.chunks) == tostring(chunk)
  if is_parquet then redis.call('HSET', K.job(id), F.parquet, '')
  else
    note(id, 'part_lost', {chunk = tonumber(chunk)})
    redis.call('HSET', K.job(id), F.lost_chunk, chunk)
  end
  take_out_of_flight(id, chunk)
  if is_parquet then publish({id .. '/part'}) end
end

-- Adds strikes to a chunk or a row. Returns whether there are now too many, which fails its job. Without `err` the strike
-- is for a process that died.
local function strike(id, chunk, strikes, err)
  if strikes == 0 then return false end
  local total
  if is_single(id) then
    total = redis.call('HINCRBY', K.job(id), F.strikes, strikes)
  else
    local attempts, before = unpack_flight(redis.call('HGET', K.in_flight(id), chunk))
    total = before + strikes
    redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempts, total))
  end
  local _, holder = lease_of(member_of(id, chunk))
  add_metric(err and M.work_failed or M.leases_lost, is_single(id) and KIND.single or KIND.batch, 1)
  note(id, err and 'error' or 'worker_lost', {
    chunk = tonumber(chunk), worker = holder, strikes = total, detail = detail_of(err)})
  if total < STRIKES_ALLOWED then return false end
  if finish(id, STATUS.failed, err or worker_lost_problem(id, chunk)) then
    redis.call('HSET', K.job(id), F.failed_chunk, chunk)
    publish({id})
  else give_up_rescoring(id, chunk) end
  return true
end
