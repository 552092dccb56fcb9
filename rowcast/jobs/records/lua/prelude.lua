-- What every script shares. Before it come the keys (K), the table of states (MAY, ENDED), the hints and the times.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua's own conversion keeps 14 digits.
local function format_integer(number) return string.format('%.0f', number) end

-- A job's error; the slug is that of a class in rowcast/errors.
local function problem(slug, detail) return cjson.encode({type = PROBLEM .. slug, detail = detail}) end

local function add_total(name, amount) redis.call('HINCRBY', K.totals(), name, format_integer(amount)) end

-- The processes of the workers seen in the last ten seconds.
local function slots_online()
  local slots = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', K.workers(), format_integer(now_ms() - 10000), '+inf')) do
    slots = slots + tonumber(string.match(member, '#(%d+)$') or 0)
  end
  return slots
end

-- Chunks of one job that may be in flight.
local function window() return math.max(4, 2 * slots_online()) end

local function wake(holder, word)
  redis.call('LPUSH', K.wake(holder), word)
  redis.call('EXPIRE', K.wake(holder), 60)
end

-- A process that lingers after its last single row, which it then does no more; or nil.
local function take_lingering()
  local last = redis.call('ZPOPMAX', K.lingering())
  return last[1] and tonumber(last[2]) > now_ms() and last[1] or nil
end

-- Work that waits for a process stands in one of two lines: 'chunks' (JOB/CHUNK) and 'models' (NAME@VERSION with single
-- rows that wait). A line is served in rounds: the lowest round first, and within it the oldest job, or the first name. A
-- job has one chunk in a round, and a model one batch of rows, so neither waits for all that another has.
local LINES = {
  chunks = {key = K.ready_chunks(), queue = K.batch(), hint = HINT_BATCH},
  models = {key = K.ready_models(), queue = K.single(), hint = HINT_SINGLE},
}

-- The round that comes after the one which is served now.
local function next_round(line) return tonumber(redis.call('HGET', K.rounds(), line) or 0) + 1 end

-- Puts `who` in the line, unless it stands there already. Answers 1 if it was put there.
local function line_up(line, who, round)
  return redis.call('ZADD', LINES[line].key, 'NX', format_integer(round or next_round(line)), who)
end

-- Takes out of the line who is served next; nil if nobody stands there.
local function serve(line)
  local first = redis.call('ZPOPMIN', LINES[line].key)
  if not first[1] then return nil end
  redis.call('HSET', K.rounds(), line, first[2])
  return first[1]
end

local function length(line) return redis.call('ZCARD', LINES[line].key) end

-- Calls a process to a line: one that lingers, or whichever receives a message. A process that is called looks at all
-- that waits, so more messages than processes would change nothing, and no more are sent.
local function call_for(line)
  local holder = take_lingering()
  if holder then return wake(holder, '') end
  local queue = LINES[line].queue
  local messages = redis.call('LLEN', queue)
  if messages == 0 or (messages < length(line) and messages < slots_online()) then
    local tag = 'h' .. format_integer(redis.call('HINCRBY', K.totals(), 'hints', 1))
    redis.call('LPUSH', queue, (string.gsub(LINES[line].hint, '@TAG@', tag)))
  end
end

local function member(id, chunk) return id .. '/' .. chunk end

-- A chunk in flight: attempts so far, strikes against it.
local function pack_flight(attempt, strikes) return attempt .. ' ' .. strikes end

local function unpack_flight(flight)
  local attempt, strikes = string.match(flight, '^(%d+) (%d+)')
  return tonumber(attempt), tonumber(strikes)
end

-- Lets a chunk in flight, or a single job's row (with its model), wait for a process.
local function offer_chunk(this, round)
  local is_new = line_up('chunks', this, round)
  call_for('chunks')
  return is_new
end

local function offer_rows(model)
  line_up('models', model)
  call_for('models')
end

-- Puts a chunk in flight, with the attempts that it had before.
local function put_in_flight(id, chunk, attempts)
  redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempts, 0))
  redis.call('ZADD', K.due(), format_integer(now_ms() + RESEND_MS), member(id, chunk))
  local round = math.max(next_round('chunks'), tonumber(redis.call('HGET', K.job(id), 'round') or 0) + 1)
  redis.call('HSET', K.job(id), 'round', format_integer(round))
  offer_chunk(member(id, chunk), round)
end

-- Sends the next chunks of a batch until its window is full. Of an input that still arrives, `chunks` are
-- those that have come; where its job cannot succeed any more (`verdict`), no other is sent.
local function top_up(id)
  local job = redis.call('HMGET', K.job(id), 'next_chunk', 'chunks', 'verdict')
  if job[3] then return end
  local next_chunk, chunks = tonumber(job[1]), tonumber(job[2])
  local room = window() - redis.call('HLEN', K.in_flight(id))
  while room > 0 and next_chunk < chunks do
    put_in_flight(id, next_chunk, 0)
    next_chunk, room = next_chunk + 1, room - 1
  end
  redis.call('HSET', K.job(id), 'next_chunk', next_chunk)
end

-- Takes a chunk out of flight, whoever holds it.
local function take_out_of_flight(id, chunk)
  redis.call('HDEL', K.in_flight(id), chunk)
  redis.call('ZREM', K.due(), member(id, chunk))
  redis.call('HDEL', K.leases(), member(id, chunk))
  redis.call('ZREM', K.ready_chunks(), member(id, chunk))
end

local function take_all_out_of_flight(id)
  for _, chunk in ipairs(redis.call('HKEYS', K.in_flight(id))) do take_out_of_flight(id, chunk) end
  take_out_of_flight(id, '0') -- a single job's only chunk stands in no `open`
end

-- Whether there are as many live jobs as may be: '', 'all', or 'owner' where it is the owner's own limit.
local function limit_reached(owner, most, most_owned)
  local live = redis.call('HMGET', K.live(), '*', owner)
  if tonumber(live[1] or 0) >= tonumber(most) then return 'all' end
  return tonumber(live[2] or 0) >= tonumber(most_owned) and 'owner' or ''
end

local function count_live(owner, by)
  redis.call('HINCRBY', K.live(), '*', by)
  redis.call('HINCRBY', K.live(), owner, by)
end

-- The one place that changes a status. Answers whether the table of states allowed it.
local function set_status(id, to)
  local from = redis.call('HGET', K.job(id), 'status')
  if not from or not MAY[from] or not MAY[from][to] then return false end
  redis.call('HSET', K.job(id), 'status', to)
  if to == 'running' then redis.call('HSET', K.job(id), 'started_ms', format_integer(now_ms())) end
  return true
end

-- The chunks in flight and their attempts, `3 1 4 2`: what a retry has to go on with, beside those never sent.
local function chunks_in_flight(id)
  local chunks = {}
  local open = redis.call('HGETALL', K.in_flight(id))
  for index = 1, #open, 2 do
    chunks[#chunks + 1] = open[index] .. ' ' .. unpack_flight(open[index + 1])
  end
  return table.concat(chunks, ' ')
end

-- Whether the job's input still arrives: it is worked on, but nobody knows of it, and no index or count has it.
local function is_arriving(id) return redis.call('HEXISTS', K.job(id), 'arriving') == 1 end

-- Takes all chunks out of flight and remembers them for a retry.
local function break_off(id)
  local unfinished = chunks_in_flight(id)
  if unfinished ~= '' then redis.call('HSET', K.job(id), 'unfinished', unfinished) end
  redis.call('HDEL', K.job(id), 'round')
  take_all_out_of_flight(id)
end

-- Ends a job: status, times, counts, nothing left in flight. The caller publishes. One whose input still arrives ends
-- when that is there (submit.lua).
local function finish(id, to, err)
  if is_arriving(id) then
    redis.call('HSET', K.job(id), 'verdict', to, 'error', err or '')
    break_off(id)
    return true
  end
  if not set_status(id, to) then return false end
  local now = now_ms()
  redis.call('HSET', K.job(id), 'finished_ms', format_integer(now))
  if err then redis.call('HSET', K.job(id), 'error', err) end
  break_off(id)
  local job = redis.call('HMGET', K.job(id), 'owner', 'rows')
  count_live(job[1], -1)
  redis.call('ZADD', K.expiring(), format_integer(now + RETENTION_MS), id)
  add_total('jobs_' .. to, 1)
  add_total('rows_' .. to, tonumber(job[2]))
  return true
end

local function delete_keys(id)
  take_all_out_of_flight(id)
  redis.call('DEL', K.job(id), K.plan(id), K.parts(id), K.in_flight(id), K.summary(id))
end

-- Leaves a tombstone of a job, by which a worker that stores a part of it just now learns that it must not stay.
local function write_tombstone(id, owner, life_seconds)
  delete_keys(id)
  redis.call('HSET', K.job(id), 'status', 'deleted', 'owner', owner)
  redis.call('EXPIRE', K.job(id), life_seconds)
end

-- Tells who waits, a job a line: its id, and of a row, unless it is long, how it ended: `ID succeeded {...}`; `ID/part`
-- is a job that has a part more.
local function publish(lines)
  if #lines > 0 then redis.call('PUBLISH', ENDED_CHANNEL, table.concat(lines, '\n')) end
end

local function unpack_lease(lease)
  local attempt, holder = string.match(lease or '', '^(%d+) (.*)$')
  return tonumber(attempt), holder
end

-- Gives a single job's row to a process. Answers {id, attempt, values, extras or '', strikes}.
local function lease_row(id, holder)
  local this = member(id, '0')
  local job = redis.call('HMGET', K.job(id), 'values', 'extras', 'strikes')
  local attempt = redis.call('HINCRBY', K.job(id), 'attempts', 1)
  redis.call('HSET', K.leases(), this, attempt .. ' ' .. holder)
  redis.call('ZADD', K.due(), format_integer(now_ms() + LEASE_MS), this)
  set_status(id, 'running')
  return {id, attempt, job[1], job[2] or '', job[3] or '0'}
end

local function worker_lost_problem(id, chunk)
  local what = 'The row'
  local planned = redis.call('GETRANGE', K.plan(id), chunk * 16, chunk * 16 + 15)
  if #planned == 16 then
    local first, rows = struct.unpack('<I8I4', planned)
    what = string.format('Chunk %s (rows %.0f to %.0f)', chunk, first, first + rows - 1)
  end
  return problem('worker-lost', what .. ': the processes that worked on it died, as often as they may.')
end

-- A part of a job that has succeeded cannot be made again.
local function give_up_rescoring(id, chunk)
  redis.call('HSET', K.job(id), 'lost_chunk', chunk)
  take_out_of_flight(id, chunk)
end

-- Counts strikes against a chunk or a single row. Answers whether that was one too many, and its job has failed by it.
-- Without an error it is the strike of a death.
local function strike(id, chunk, strikes, err)
  if strikes == 0 then return false end
  local total
  if redis.call('HEXISTS', K.job(id), 'waits_for') == 1 then
    total = redis.call('HINCRBY', K.job(id), 'strikes', strikes)
  else
    local attempt, before = unpack_flight(redis.call('HGET', K.in_flight(id), chunk))
    total = before + strikes
    redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempt, total))
  end
  if total < STRIKES_ALLOWED then return false end
  if finish(id, 'failed', err or worker_lost_problem(id, chunk)) then publish({id})
  else give_up_rescoring(id, chunk) end
  return true
end
