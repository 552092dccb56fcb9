-- Resumable uploads. `K.upload(id)` is the record of one, and `K.segments(id)` lists what is stored of it. The id is also
-- that of the job. An upload by `POST /predict` has no such record.

local function upload_state(id) return redis.call('HGET', K.upload(id), U.state) end

-- Whether chunks may still be added to an upload, of either kind.
local function may_arrive(id)
  local state = upload_state(id)
  return not state or state == UPLOAD.open
end

-- Returns how long an upload may be silent before upkeep removes it.
local function silence_ms(id)
  local state, offset = unpack(redis.call('HMGET', K.upload(id), U.state, U.offset))
  return state == UPLOAD.open and offset ~= '0' and RESUMABLE_SILENCE_MS or UPLOAD_SILENCE_MS
end

local function count_uploads(owner, by)
  redis.call('HINCRBY', K.uploads(), '*', by)
  redis.call('HINCRBY', K.uploads(), owner, by)
end

-- Ends a resumable upload. What is left says for a day how it ended. Returns whether it was open.
local function end_upload(id, state, job, reason)
  if upload_state(id) ~= UPLOAD.open then return false end
  count_uploads(redis.call('HGET', K.upload(id), U.owner), -1)
  redis.call('DEL', K.segments(id))
  redis.call('HDEL', K.upload(id), U.request, U.holder)
  redis.call('HSET', K.upload(id), U.state, state, U.job, job, U.reason, reason)
  redis.call('EXPIRE', K.upload(id), IDEMPOTENCY_SECONDS)
  return true
end

-- Removes the record of an upload of which no job is made. Returns whether a worker may be storing a part of it at this
-- moment: then a tombstone is left, and the files have to be removed once more after LATE_PART_MS.
local function remove_arrived(id)
  if not is_arriving(id) then return false end
  local was_in_flight = redis.call('HGET', K.job(id), F.next_chunk) ~= '0'
  if was_in_flight then write_tombstone(id, '', UPLOAD_TOMBSTONE_SECONDS) else delete_keys(id) end
  return was_in_flight
end
