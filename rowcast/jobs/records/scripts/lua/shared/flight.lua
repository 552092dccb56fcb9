-- Chunks in flight: those of which a worker may take a lease. `K.in_flight(id)` holds attempts and strikes of each, and,
-- once it is leased, since when (ms).
-- A single job's only row is chunk '0', and is not in `K.in_flight(id)`.
local ROW = '0'

-- Whether the job's rows still come from a conversion, which is in flight as the chunk CONVERSION.
local function is_converting(id) return redis.call('HEXISTS', K.job(id), F.converting) == 1 end

-- Returns the name of a chunk or row among all leases: 'JOB/CHUNK'.
local function member_of(id, chunk) return id .. '/' .. chunk end

-- Returns the job's id and the chunk of such a name.
local function split_member(member) return string.match(member, '^(.*)/(%d+)$') end

local function pack_flight(attempts, strikes) return attempts .. ' ' .. strikes end

local function unpack_flight(flight)
  local attempts, strikes = string.match(flight, '^(%d+) (%d+)')
  return tonumber(attempts), tonumber(strikes)
end

local function is_single(id) return redis.call('HGET', K.job(id), F.kind) == KIND.single end

-- Puts a chunk in flight, with the attempts that it had before.
local function put_in_flight(id, chunk, attempts)
  redis.call('HSET', K.in_flight(id), chunk, pack_flight(attempts, 0))
  redis.call('ZADD', K.due(), format_integer(now_ms() + RESEND_MS), member_of(id, chunk))
  local round = math.max(next_round_of(id), tonumber(redis.call('HGET', K.job(id), F.round) or 0) + 1)
  redis.call('HSET', K.job(id), F.round, format_integer(round))
  offer_chunk(member_of(id, chunk), round)
end

-- Puts the next chunks of a batch in flight until its window is full. While the input is being uploaded, `chunks` is the
-- number of chunks that have arrived. If the job cannot succeed any more (`verdict`), no chunk is added.
local function top_up(id)
  local next_chunk, chunks, verdict = unpack(redis.call('HMGET', K.job(id), F.next_chunk, F.chunks, F.verdict))
  if verdict then return end
  next_chunk, chunks = tonumber(next_chunk), tonumber(chunks)
  local room = window(pool_of(id)) - redis.call('HLEN', K.in_flight(id))
  while room > 0 and next_chunk < chunks do
    put_in_flight(id, next_chunk, 0)
    next_chunk, room = next_chunk + 1, room - 1
  end
  redis.call('HSET', K.job(id), F.next_chunk, next_chunk)
end

-- Puts the next ranges of a job by URL in flight, which are scanned before there are chunks.
local function top_up_ranges(id)
  local next_range, ranges = unpack(redis.call('HMGET', K.job(id), F.next_range, F.ranges))
  next_range = tonumber(next_range)
  local room = window(pool_of(id)) - redis.call('HLEN', K.in_flight(id))
  while room > 0 and next_range < tonumber(ranges) do
    put_in_flight(id, format_integer(FIRST_RANGE + next_range), 0)
    next_range, room = next_range + 1, room - 1
  end
  redis.call('HSET', K.job(id), F.next_range, next_range)
end

-- Takes a chunk out of flight, and ends its lease if it has one.
local function take_out_of_flight(id, chunk)
  redis.call('HDEL', K.in_flight(id), chunk)
  redis.call('ZREM', K.due(), member_of(id, chunk))
  redis.call('HDEL', K.leases(), member_of(id, chunk))
  leave_line(id, member_of(id, chunk))
  redis.call('ZREM', K.parked_chunks(), member_of(id, chunk))
end

-- Ends the lease of a single job's row if it has one, and lets upkeep not look at it any more.
local function take_row_out_of_flight(id)
  redis.call('ZREM', K.due(), member_of(id, ROW))
  redis.call('HDEL', K.leases(), member_of(id, ROW))
end

local function take_all_out_of_flight(id)
  for _, chunk in ipairs(redis.call('HKEYS', K.in_flight(id))) do take_out_of_flight(id, chunk) end
  take_row_out_of_flight(id)
end

-- Returns the chunks in flight and their attempts, for example '3 1 4 2': chunk 3 had 1 attempt, chunk 4 had 2. A retry
-- continues with these, and with the chunks that were never in flight.
local function chunks_in_flight(id)
  local chunks = {}
  local flights = redis.call('HGETALL', K.in_flight(id))
  for index = 1, #flights, 2 do
    chunks[#chunks + 1] = flights[index] .. ' ' .. unpack_flight(flights[index + 1])
  end
  return table.concat(chunks, ' ')
end
