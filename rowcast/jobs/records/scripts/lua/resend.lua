-- Upkeep: looks at what is due, and offers it again. ARGV: maximum number to look at. Returns the ids of those that were.
--   A lease has run out: its worker is gone. The chunk or row gets a strike, and is offered again.
--   It was postponed: its delay is over.
--   It has no lease: it still waits in its line or is paused, or a process took it from the line and died before it had the
--   lease. If the queue is empty, the message was lost.
local most = ARGV[1]
local now, offered = now_ms(), {}

local function call_again(line, pool, id)
  call_process(line, pool)
  offered[#offered + 1] = id
end

local function look_at_row(id, run_out)
  local entry, pool = model_entry_of(id)
  if run_out or redis.call('HDEL', K.job(id), F.postponed) == 1 then redis.call('RPUSH', K.waiting(entry), id) end
  local added = line_up('models', entry)
  if added == 1 or added and redis.call('LLEN', (queue_of('models', pool))) == 0 then call_again('models', pool, id) end
end

local function look_at_chunk(member, id)
  local added, pool = line_up('chunks', member), pool_of(id)
  if added == 1 or added and redis.call('LLEN', (queue_of('chunks', pool))) == 0 then call_again('chunks', pool, id) end
end

local function is_needed(id, chunk)
  local status = status_of(id)
  if is_single(id) then return not ENDED[status] end
  return status and redis.call('HEXISTS', K.in_flight(id), chunk) == 1
end

local function look(member, id, chunk)
  if not is_needed(id, chunk) then return take_out_of_flight(id, chunk) end
  local run_out = redis.call('HEXISTS', K.leases(), member) == 1
  if run_out and strike(id, chunk, STRIKES_OF_DEATH) then return end
  redis.call('HDEL', K.leases(), member)
  redis.call('ZADD', K.due(), format_integer(now + RESEND_MS), member)
  if is_single(id) then look_at_row(id, run_out) else look_at_chunk(member, id) end
end

local function members_due(from, to) return redis.call('ZRANGEBYSCORE', K.due(), from, to, 'LIMIT', 0, most) end

-- If something is due later than LONGEST_WAIT_MS from now, the clock was set back. A process that still works on it
-- renews its lease by the new time at once.
for _, member in ipairs(members_due(format_integer(now + LONGEST_WAIT_MS), '+inf')) do prolong(member) end

for _, member in ipairs(members_due('-inf', format_integer(now))) do look(member, split_member(member)) end
return offered
