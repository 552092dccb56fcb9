-- Upkeep: looks at what is due and puts back what was lost on the way. ARGV: most to look at. Answers how many were put back.
--   A lease has run out: its worker is gone; the chunk, or the single row, is hinted again, with a strike against it.
--   It was parked: its pause is over.
--   Nobody has come for it: it stands in its line, or was taken out of it by a process that died before it leased it. If
--   there is no message at all, that was lost.
local now, put_back = now_ms(), 0

local function look_at_row(id, model, run_out)
  if run_out or redis.call('HDEL', K.job(id), 'parked') == 1 then redis.call('RPUSH', K.waiting(model), id) end
  if line_up('models', model) == 1 or redis.call('LLEN', K.single()) == 0 then
    call_for('models')
    put_back = put_back + 1
  end
end

local function look_at_chunk(this)
  if line_up('chunks', this) == 1 or redis.call('LLEN', K.batch()) == 0 then
    call_for('chunks')
    put_back = put_back + 1
  end
end

local function look(this, id, chunk)
  local job = redis.call('HMGET', K.job(id), 'status', 'waits_for')
  local status, model = job[1], job[2]
  if not status or (model and ENDED[status]) then return take_out_of_flight(id, chunk) end
  if not model and redis.call('HEXISTS', K.in_flight(id), chunk) == 0 then return take_out_of_flight(id, chunk) end
  local run_out = redis.call('HDEL', K.leases(), this) == 1
  if run_out and strike(id, chunk, STRIKES_OF_DEATH) then return end
  redis.call('ZADD', K.due(), format_integer(now + RESEND_MS), this)
  if model then look_at_row(id, model, run_out) else look_at_chunk(this) end
end

-- Nothing waits so long: the clock was put back. Who still works on it prolongs its lease by the new time at once.
for _, this in ipairs(redis.call('ZRANGEBYSCORE', K.due(), format_integer(now + LONGEST_WAIT_MS), '+inf', 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', K.due(), format_integer(now + LEASE_MS), this)
end

for _, this in ipairs(redis.call('ZRANGEBYSCORE', K.due(), '-inf', format_integer(now), 'LIMIT', 0, ARGV[1])) do
  local id, chunk = string.match(this, '^(.*)/(%d+)$')
  look(this, id, chunk)
end
return put_back
