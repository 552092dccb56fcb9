-- The two lines in which work waits for a process: 'chunks' (JOB/CHUNK) and 'models' (NAME@VERSION with single rows that
-- wait). A line is served in rounds: the lowest round first, and within a round the oldest job, or the first name. A job
-- has one chunk in a round, and a model one batch of rows, so neither waits for everything that another one has. What is
-- paused is parked: it stands next to its line until it is resumed (pause.lua).

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
  chunks = {key = K.ready_chunks(), parked = K.parked_chunks(), queue = K.batch(), message = CHUNK_MESSAGE},
  models = {key = K.ready_models(), parked = K.parked_models(), queue = K.single(), message = ROW_MESSAGE},
}

-- Returns the round after the one that is served now.
local function next_round(line) return tonumber(redis.call('HGET', K.rounds(), line) or 0) + 1 end

-- Parks `entry` if it is paused. Returns whether it is.
local function park_if_paused(line, entry, round)
  local paused
  if line == 'models' then paused = is_paused(KIND.single, entry)
  else paused = is_job_paused(string.match(entry, '^[^/]*')) end
  if paused then
    redis.call('ZREM', LINES[line].key, entry)
    redis.call('ZADD', LINES[line].parked, 'NX', round, entry)
  end
  return paused
end

-- Puts `entry` in the line, unless it is there already. Returns 1 if it was added, 0 if it was there, and nil if it is
-- parked.
local function line_up(line, entry, round)
  round = format_integer(round or next_round(line))
  if park_if_paused(line, entry, round) then return nil end
  return redis.call('ZADD', LINES[line].key, 'NX', round, entry)
end

-- Removes the entry that comes next from the line and returns it; returns nil if the line is empty.
local function serve(line)
  local first = redis.call('ZPOPMIN', LINES[line].key)
  while first[1] and park_if_paused(line, first[1], first[2]) do first = redis.call('ZPOPMIN', LINES[line].key) end
  if not first[1] then return nil end
  redis.call('HSET', K.rounds(), line, first[2])
  return first[1]
end

local function length(line) return redis.call('ZCARD', LINES[line].key) end

-- Sends a message that calls a process to a line. A process that is called looks at all work that waits. More messages than
-- processes would therefore change nothing, and are not sent.
local function send_message(line)
  local queue = LINES[line].queue
  local messages = redis.call('LLEN', queue)
  if messages == 0 or (messages < length(line) and messages < slots_online()) then
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
