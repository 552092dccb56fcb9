-- The lines in which work waits for a process. 'models' is one line: NAME@VERSION with single rows that wait. 'chunks' are
-- several (JOB/CHUNK): each owner has one for each priority. A line is served in rounds: the lowest round first, and within
-- a round the oldest job, or the first name. A job has one chunk in a round, and a model one batch of rows, so neither waits
-- for everything that another one has. The owner whose served chunks have cost the least comes next. What is paused is
-- parked: it stands next to its line until it is resumed (pause.lua).

-- Sends `word` to a process that lingers: a leased row as JSON, or '' if it is to look for other work.
local function wake(holder, word)
  redis.call('LPUSH', K.wake(holder), word)
  redis.call('EXPIRE', K.wake(holder), WAKE_SECONDS)
end

-- Returns a process that lingers after its last single row, or nil. The process is then no longer listed as lingering.
local function take_lingering()
  local last = redis.call('ZPOPMAX', K.lingering())
  return last[1] and tonumber(last[2]) > now_ms() and last[1] or nil
end

local LINES = {
  chunks = {parked = K.parked_chunks(), queue = K.batch(), message = CHUNK_MESSAGE},
  models = {parked = K.parked_models(), queue = K.single(), message = ROW_MESSAGE},
}

-- Returns the key of an owner's line of one priority, and the field of `K.rounds()` with the round that it is served in.
local function chunk_line(owner, priority)
  if owner == '' and priority == PRIORITY.normal then return K.ready_chunks(), 'chunks' end
  local name = priority .. '/' .. owner
  return K.owned_chunks(name), name
end

local known_owners = {}

-- Returns the line of a job's chunks, as `chunk_line`, and the owner.
local function chunk_line_of(id)
  known_owners[id] = known_owners[id] or redis.call('HMGET', K.job(id), F.owner, F.priority)
  local owner, priority = unpack(known_owners[id])
  local line, field = chunk_line(owner or '', priority or PRIORITY.normal)
  return line, field, owner or ''
end

-- Returns the line in which an entry waits, as `chunk_line_of`; the models have no owner.
local function line_of(line, entry)
  if line == 'models' then return K.ready_models(), 'models' end
  return chunk_line_of(string.match(entry, '^[^/]*'))
end

local function round_after(field) return tonumber(redis.call('HGET', K.rounds(), field) or 0) + 1 end

-- Returns the round after the one in which the line of a job's chunks is served now.
local function next_round_of(id)
  local _, field = chunk_line_of(id)
  return round_after(field)
end

-- Parks `entry` if it is paused. Returns whether it is.
local function park_if_paused(line, entry, round)
  local paused
  if line == 'models' then paused = is_paused(KIND.single, entry)
  else paused = is_job_paused(string.match(entry, '^[^/]*')) end
  if paused then
    redis.call('ZREM', line_of(line, entry), entry)
    redis.call('ZADD', LINES[line].parked, 'NX', round, entry)
  end
  return paused
end

-- Lets an owner wait for its turn. An owner that comes back has neither saved up turns nor got rid of what it cost.
local function line_up_owner(owner)
  local served, cost = unpack(redis.call('HMGET', K.rounds(), 'owners', 'cost ' .. owner))
  redis.call('ZADD', K.ready_owners(), 'NX', format_integer(math.max(served or 0, cost or 0)), owner)
end

-- Puts `entry` in its line, unless it is there already. Returns 1 if it was added, 0 if it was there, and nil if it is
-- parked.
local function line_up(line, entry, round)
  local key, field, owner = line_of(line, entry)
  round = format_integer(round or round_after(field))
  if park_if_paused(line, entry, round) then return nil end
  local added = redis.call('ZADD', key, 'NX', round, entry)
  if owner then line_up_owner(owner) end
  return added
end

-- Takes a chunk out of its line, in which it need not be.
local function leave_line(id, member) redis.call('ZREM', chunk_line_of(id), member) end

-- Removes the entry that comes next from one line and returns it; returns nil if the line is empty.
local function serve_line(line, key, field)
  local first = redis.call('ZPOPMIN', key)
  while first[1] and park_if_paused(line, first[1], first[2]) do first = redis.call('ZPOPMIN', key) end
  if not first[1] then return nil end
  redis.call('HSET', K.rounds(), field, first[2])
  return first[1]
end

-- Returns the priorities in the order in which an owner's turn serves them.
local function priorities_in(turn)
  if turn % LOW_TURNS == 0 then return {PRIORITY.low, PRIORITY.normal, PRIORITY.high} end
  if turn % NORMAL_TURNS == 0 then return {PRIORITY.normal, PRIORITY.high, PRIORITY.low} end
  return {PRIORITY.high, PRIORITY.normal, PRIORITY.low}
end

-- Removes the chunk of an owner that comes next and returns it; returns nil if none waits.
local function serve_owner(owner)
  local turn = redis.call('HINCRBY', K.rounds(), 'turns ' .. owner, 1)
  for _, priority in ipairs(priorities_in(turn)) do
    local member = serve_line('chunks', chunk_line(owner, priority))
    if member then return member end
  end
end

-- Returns the lines of an owner.
local function chunk_lines(owner)
  local low = chunk_line(owner, PRIORITY.low)
  local normal = chunk_line(owner, PRIORITY.normal)
  return low, normal, (chunk_line(owner, PRIORITY.high))
end

local function has_chunks(owner) return redis.call('EXISTS', chunk_lines(owner)) > 0 end

-- Returns what a chunk costs its owner: about the processor time (ms) that it needs.
local function cost_of(member)
  local id, chunk = string.match(member, '^(.*)/(%d+)$')
  local planned = plan_entry(id, chunk)
  if #planned < PLAN_ENTRY_BYTES then return UNPLANNED_CHUNK_MS end
  local _, rows = struct.unpack(PLAN_ENTRY_FORMAT, planned)
  local known = redis.call('HGET', K.costs(), redis.call('HGET', K.job(id), F.model) or '')
  local known_rows, known_us = string.match(known or '', '^(%d+) (%d+)$')
  local row_us = known_rows and known_us / math.max(1, known_rows) or UNMEASURED_ROW_US
  return math.ceil(CHUNK_MS + rows * row_us / 1000)
end

-- Removes the chunk that comes next, of the owner that comes next, and returns it; returns nil if none waits. What it costs
-- is of no interest while no other owner waits.
local function serve_chunks()
  local first = redis.call('ZPOPMIN', K.ready_owners())
  while first[1] do
    local owner, member = first[1], serve_owner(first[1])
    if member then
      local is_alone = redis.call('EXISTS', K.ready_owners()) == 0
      local cost = format_integer(first[2] + (is_alone and CHUNK_MS or cost_of(member)))
      redis.call('HSET', K.rounds(), 'owners', first[2], 'cost ' .. owner, cost)
      if has_chunks(owner) then redis.call('ZADD', K.ready_owners(), cost, owner) end
      return member
    end
    first = redis.call('ZPOPMIN', K.ready_owners())
  end
end

-- Removes the entry that comes next and returns it; returns nil if none waits.
local function serve(line)
  if line == 'chunks' then return serve_chunks() end
  return serve_line('models', K.ready_models(), 'models')
end

-- Returns whether chunks wait.
local function chunks_wait()
  local owners = redis.call('ZRANGE', K.ready_owners(), 0, 0)
  while owners[1] and not has_chunks(owners[1]) do
    redis.call('ZREM', K.ready_owners(), owners[1]) -- its chunks were cancelled
    owners = redis.call('ZRANGE', K.ready_owners(), 0, 0)
  end
  return owners[1] ~= nil
end

local function rows_wait() return redis.call('EXISTS', K.ready_models()) == 1 end

-- Returns how many entries wait. It stops to count above `most`.
local function waiting_in(line, most)
  if line == 'models' then return redis.call('ZCARD', K.ready_models()) end
  local waiting = 0
  for _, owner in ipairs(redis.call('ZRANGE', K.ready_owners(), 0, most)) do
    for _, key in ipairs({chunk_lines(owner)}) do waiting = waiting + redis.call('ZCARD', key) end
    if waiting > most then break end
  end
  return waiting
end

-- Sends a message that calls a process to a line. A process that is called looks at all work that waits. More messages than
-- processes would therefore change nothing, and are not sent.
local function send_message(line)
  local queue = LINES[line].queue
  local messages = redis.call('LLEN', queue)
  if messages == 0 or (messages < slots_online() and messages < waiting_in(line, messages)) then
    local tag = 'm' .. format_integer(redis.call('HINCRBY', K.totals(), MESSAGES_SENT, 1))
    redis.call('LPUSH', queue, (string.gsub(LINES[line].message, TAG_MARK, tag)))
  end
end

-- Calls a process to a line: one that lingers, or the one that receives a message.
local function call_process(line)
  local holder = take_lingering()
  if holder then return wake(holder, '') end
  send_message(line)
end

-- Lets a chunk in flight wait for a process.
local function offer_chunk(member, round)
  if line_up('chunks', member, round) then call_process('chunks') end
end

-- Lets the rows of a model version wait for a process.
local function offer_rows(model)
  if line_up('models', model) then call_process('models') end
end
