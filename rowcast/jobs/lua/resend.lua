-- Upkeep: looks at what is due and puts back what was lost on the way. ARGV: most to look at. Answers how many were put back.
--   A lease has run out: its worker is gone; the chunk, or the single row, is hinted again.
--   A hint brought nobody: if the queue is empty it was lost; if not, it may only be waiting (and is not doubled before
--   LOST_MS have passed).
local now, put_back = now_ms(), 0

local function look(this, id, chunk)
  local job = redis.call('HMGET', K.job(id), 'status', 'waits_for')
  local status, model = job[1], job[2]
  if not status or ENDED[status] or not MAY[status] then
    close(id, chunk)
    return
  end
  local expired = redis.call('HDEL', K.leases(), this) == 1
  redis.call('ZADD', K.due(), text(now + RESEND_MS), this)
  if model then
    if expired then redis.call('RPUSH', K.waiting(model), id) end
    local since = tonumber(redis.call('HGET', K.hinted(), model) or 0)
    if since == 0 or redis.call('LLEN', K.single()) == 0 or now - since > LOST_MS then
      hint_single(model, true)
      put_back = put_back + 1
    end
    return
  end
  local flight = redis.call('HGET', K.open(id), chunk)
  if not flight then return close(id, chunk) end
  local attempts, hinted = string.match(flight, '^(%d+) (%d+)$')
  if expired or redis.call('LLEN', K.batch()) == 0 or now - tonumber(hinted) > LOST_MS then
    redis.call('HSET', K.open(id), chunk, attempts .. ' ' .. text(now))
    hint_chunk(id, chunk)
    put_back = put_back + 1
  end
end

for _, this in ipairs(redis.call('ZRANGEBYSCORE', K.due(), '-inf', text(now), 'LIMIT', 0, ARGV[1])) do
  local id, chunk = string.match(this, '^(.*)/(%d+)$')
  look(this, id, chunk)
end
return put_back
