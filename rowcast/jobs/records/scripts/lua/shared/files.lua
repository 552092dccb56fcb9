-- Files of requests, and the batches that need them.

-- Returns until when batches need a file (ms); 0 if one of them has not ended, and nil if none needs it. A batch needs its
-- file until its own files go: a retry, or a rebuilt record, reads it again. `made_ms` of an id is in its first 48 bits.
local function file_needed_until(file)
  local latest = nil
  for _, id in ipairs(redis.call('SMEMBERS', K.file_batches(file))) do
    local status, ends_ms = status_of(id), redis.call('ZSCORE', K.expiring(), id)
    local made_ms = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16)
    if status == STATUS.deleted or status == STATUS.expired or (not status and made_ms < now_ms() - UNMADE_BATCH_MS) then
      redis.call('SREM', K.file_batches(file), id)
    elseif not ends_ms then latest = 0
    elseif latest ~= 0 then latest = math.max(latest or 0, tonumber(ends_ms)) end
  end
  return latest
end

local function unlist_file(file)
  local owner = redis.call('HGET', K.files(), file)
  if owner then redis.call('HDEL', K.owned_files(owner), file) end
  redis.call('HDEL', K.files(), file)
  redis.call('DEL', K.file_batches(file))
end
