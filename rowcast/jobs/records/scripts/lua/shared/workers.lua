-- The workers that are online, and the number of chunks of one job that may be in flight.

-- Returns the number of processes of all workers of a pool that sent a heartbeat lately.
local function slots_online(pool)
  local slots, begins = 0, pool == '' and '' or pool .. '/'
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', K.workers(), format_integer(now_ms() - SILENT_MS), '+inf')) do
    local has, count = string.match(worker, '^(.-)[^/]*#(%d+)$')
    if has == begins then slots = slots + tonumber(count) end
  end
  return slots
end

-- Returns how many chunks of one job of a pool may be in flight.
local function window(pool) return math.max(WINDOW_LEAST, WINDOW_PER_SLOT * slots_online(pool)) end
