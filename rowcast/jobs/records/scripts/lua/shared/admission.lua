-- What every new job has: its request may be a repetition, it is counted, and the indexes have it.

-- Returns {'replayed', id} if a request with the same Idempotency-Key has made a job, {'conflict', id} if that was another
-- request, or nil. If that job is gone, the request makes a job again.
local function earlier_job(digest, fingerprint)
  if digest == '' then return nil end
  local earlier = redis.call('GET', K.idempotency(digest))
  local earlier_id, earlier_fingerprint = string.match(earlier or '', '^(%S+) (%S+)$')
  local status = earlier_id and status_of(earlier_id)
  if not status or status == STATUS.deleted then return nil end
  return {earlier_fingerprint == fingerprint and 'replayed' or 'conflict', earlier_id}
end

-- Lets a repetition of the request find the job.
local function remember_request(digest, fingerprint, id)
  if digest ~= '' then redis.call('SET', K.idempotency(digest), id .. ' ' .. fingerprint, 'EX', IDEMPOTENCY_SECONDS) end
end

local function count_accepted(id, owner, rows)
  count_live(owner, 1)
  redis.call('ZADD', K.jobs(), 0, id)
  if owner ~= '' then redis.call('ZADD', K.owned(owner), 0, id) end
  add_total('jobs_accepted', 1)
  add_total('rows_accepted', rows)
end
