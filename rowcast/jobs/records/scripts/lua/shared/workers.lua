-- The workers that are online, and the number of chunks of one job that may be in flight.

-- Returns the number of processes of all workers that sent a heartbeat lately.
local function slots_online()
  local slots = 0
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', K.workers(), format_integer(now_ms() - SILENT_MS), '+inf')) do
    slots = slots + tonumber(string.match(worker, '#(%d+)$') or 0)
  end
  return slots
end

-- Returns how many chunks of one job may be in flight.
local function window() return math.max(WINDOW_LEAST, WINDOW_PER_SLOT * slots_online()) end
