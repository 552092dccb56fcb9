-- The lines in which work waits for a process. 'models' is one line: NAME@VERSION with single rows that wait. 'chunks' are
-- several (JOB/CHUNK): each owner has one for each priority. A line is served in rounds: the lowest round first, and within
-- a round the oldest job, or the first name. A job has one chunk in a round, and a model one batch of rows, so neither waits
-- for everything that another one has. The owner whose served chunks have cost the least comes next. What is paused is
-- parked: it stands next to its line until it is resumed (pause.lua). Each pool of workers has lines of its own.

-- Sends `word` to a process that lingers: a leased row as JSON, or '' if it is to look for other work.
local function wake(holder, word)
  redis.call('LPUSH', K.wake(holder), word)
  redis.call('EXPIRE', K.wake(holder), WAKE_SECONDS)
end

-- Returns a process of a pool that lingers after its last single row, or nil. It is then no longer listed as lingering.
local function take_lingering(pool)
  local last = redis.call('ZPOPMAX', lingering_of_pool(pool))
  return last[1] and tonumber(last[2]) > now_ms() and last[1] or nil
end

local LINES = {
  chunks = {parked = K.parked_chunks(), queue = K.batch(), queue_of_pool = K.pool_batch, message = CHUNK_MESSAGE},
  models = {parked = K.parked_models(), queue = K.single(), queue_of_pool = K.pool_single, message = ROW_MESSAGE},
}

-- Returns the key of an owner's line of one priority, and the field of `K.rounds()` with the round that it is served in.
local function chunk_line(pool, owner, priority)
  if pool == '' and owner == '' and priority == PRIORITY.normal then return K.ready_chunks(), 'chunks' end
  local name = prefix_of_pool(pool) .. priority .. '/' .. owner
  return K.owned_chunks(name), name
end

local known_places = {}

-- Returns owner, priority and pool of a job's chunks, as they were when the script first asked.
local function place_of(id)
  known_places[id] = known_places[id] or redis.call('HMGET', K.job(id), F.owner, F.priority, F.pool)
  local owner, priority, pool = unpack(known_places[id])
  return owner or '', priority or PRIORITY.normal, pool or ''
end

local function pool_of(id)
  local _, _, pool = place_of(id)
  return pool
end

-- Returns the line of a job's chunks, as `chunk_line`, and its pool and owner.
local function chunk_line_of(id)
  local owner, priority, pool = place_of(id)
  local line, field = chunk_line(pool, owner, priority)
  return line, field, pool, owner
end

-- Returns the line of a pool's models, as `chunk_line`.
local function model_line(pool) return models_of_pool(pool), prefix_of_pool(pool) .. 'models' end

-- Returns the entry for the model version of a single job: NAME@VERSION, after the prefix of its pool. Also its pool.
local function model_entry_of(id)
  local model, pool = unpack(redis.call('HMGET', K.job(id), F.model, F.pool))
  return prefix_of_pool(pool or '') .. model, pool or ''
end

-- Returns the line in which an entry waits, as `chunk_line_of`; the models have no owner.
local function line_of(line, entry)
  if line ~= 'models' then return chunk_line_of(string.match(entry, '^[^/]*')) end
  local pool = split_prefix(entry)
  local key, field = model_line(pool)
  return key, field, pool
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
  if line == 'models' then
    local _, model = split_prefix(entry)
    paused = is_paused(KIND.single, model)
  else paused = is_job_paused(string.match(entry, '^[^/]*')) end
  if paused then
    redis.call('ZREM', line_of(line, entry), entry)
    redis.call('ZADD', LINES[line].parked, 'NX', round, entry)
  end
  return paused
end

-- Lets an owner wait for its turn. An owner that comes back has neither saved up turns nor got rid of what it cost.
local function line_up_owner(pool, owner)
  local prefix = prefix_of_pool(pool)
  local served, cost = unpack(redis.call('HMGET', K.rounds(), prefix .. 'owners', prefix .. 'cost ' .. owner))
  redis.call('ZADD', owners_of_pool(pool), 'NX', format_integer(math.max(served or 0, cost or 0)), owner)
end

-- Puts `entry` in its line, unless it is there already. Returns 1 if it was added, 0 if it was there, and nil if it is
-- parked.
local function line_up(line, entry, round)
  local key, field, pool, owner = line_of(line, entry)
  round = format_integer(round or round_after(field))
  if park_if_paused(line, entry, round) then return nil end
  local added = redis.call('ZADD', key, 'NX', round, entry)
  if owner then line_up_owner(pool, owner) end
  if pool ~= '' then redis.call('ZADD', K.pools(), 0, pool) end
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
local function serve_owner(pool, owner)
  local turn = redis.call('HINCRBY', K.rounds(), prefix_of_pool(pool) .. 'turns ' .. owner, 1)
  for _, priority in ipairs(priorities_in(turn)) do
    local member = serve_line('chunks', chunk_line(pool, owner, priority))
    if member then return member end
  end
end

-- Returns the lines of an owner.
local function chunk_lines(pool, owner)
  local low = chunk_line(pool, owner, PRIORITY.low)
  local normal = chunk_line(pool, owner, PRIORITY.normal)
  return low, normal, (chunk_line(pool, owner, PRIORITY.high))
end

local function has_chunks(pool, owner) return redis.call('EXISTS', chunk_lines(pool, owner)) > 0 end

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
local function serve_chunks(pool)
  local owners, prefix = owners_of_pool(pool), prefix_of_pool(pool)
  local first = redis.call('ZPOPMIN', owners)
  while first[1] do
    local owner, member = first[1], serve_owner(pool, first[1])
    if member then
      local is_alone = redis.call('EXISTS', owners) == 0
      local cost = format_integer(first[2] + (is_alone and CHUNK_MS or cost_of(member)))
      redis.call('HSET', K.rounds(), prefix .. 'owners', first[2], prefix .. 'cost ' .. owner, cost)
      if has_chunks(pool, owner) then redis.call('ZADD', owners, cost, owner) end
      return member
    end
    first = redis.call('ZPOPMIN', owners)
  end
end

-- Removes the entry of a pool that comes next and returns it; returns nil if none waits.
local function serve(line, pool)
  if line == 'chunks' then return serve_chunks(pool) end
  return serve_line('models', model_line(pool))
end

-- Returns whether chunks wait for a process of the pool.
local function chunks_wait(pool)
  local key = owners_of_pool(pool)
  local owners = redis.call('ZRANGE', key, 0, 0)
  while owners[1] and not has_chunks(pool, owners[1]) do
    redis.call('ZREM', key, owners[1]) -- its chunks were cancelled
    owners = redis.call('ZRANGE', key, 0, 0)
  end
  return owners[1] ~= nil
end

local function rows_wait(pool) return redis.call('EXISTS', models_of_pool(pool)) == 1 end

-- Returns how many entries of a pool wait. It stops to count above `most`.
local function waiting_in(line, pool, most)
  if line == 'models' then return redis.call('ZCARD', models_of_pool(pool)) end
  local waiting = 0
  for _, owner in ipairs(redis.call('ZRANGE', owners_of_pool(pool), 0, most)) do
    for _, key in ipairs({chunk_lines(pool, owner)}) do waiting = waiting + redis.call('ZCARD', key) end
    if waiting > most then break end
  end
  return waiting
end

-- Returns the queue on which a pool's messages for a line are, and such a message, without its identity.
local function queue_of(line, pool)
  local queue, message = LINES[line].queue, LINES[line].message
  if pool == '' then return queue, message end
  local own = LINES[line].queue_of_pool(pool)
  return own, (string.gsub(message, '"' .. queue .. '"', '"' .. own .. '"'))
end

-- Sends a message that calls a process of a pool to a line. A process that is called looks at all work that waits. More
-- messages than processes would therefore change nothing, and are not sent.
local function send_message(line, pool)
  local queue, message = queue_of(line, pool)
  local messages = redis.call('LLEN', queue)
  if messages == 0 or (messages < slots_online(pool) and messages < waiting_in(line, pool, messages)) then
    local tag = 'm' .. format_integer(redis.call('HINCRBY', K.totals(), MESSAGES_SENT, 1))
    redis.call('LPUSH', queue, (string.gsub(message, TAG_MARK, tag)))
  end
end

-- Calls a process of a pool to a line: one that lingers, or the one that receives a message.
local function call_process(line, pool)
  local holder = take_lingering(pool)
  if holder then return wake(holder, '') end
  send_message(line, pool)
end

-- Lets a chunk in flight wait for a process.
local function offer_chunk(member, round)
  if line_up('chunks', member, round) then call_process('chunks', pool_of(string.match(member, '^[^/]*'))) end
end

-- Lets the rows of a model version wait for a process. `entry` is as `model_entry_of` returns it.
local function offer_rows(entry)
  if line_up('models', entry) then call_process('models', (split_prefix(entry))) end
end
