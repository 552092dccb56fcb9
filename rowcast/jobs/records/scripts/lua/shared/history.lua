-- What is kept of each commit: attempts and time of each chunk and who scored it, and the rows of the last seconds.

-- Returns the place of a worker process among the holders of the job, from 1; 0 if there are too many to keep their names.
local function place_of(id, holder)
  local place = redis.call('HGET', K.holders(id), holder)
  if place then return tonumber(place) end
  place = redis.call('HLEN', K.holders(id)) + 1
  if place > HOLDERS_KEPT then return 0 end
  redis.call('HSET', K.holders(id), holder, place)
  return place
end

-- Writes how a chunk was scored, and returns how long it took (ms). The chunk is still in flight, and leased.
local function write_history(id, chunk, attempt, holder)
  local since = string.match(redis.call('HGET', K.in_flight(id), chunk) or '', '^%d+ %d+ (%d+)')
  local took_ms = since and math.min(math.max(now_ms() - since, 0), 2 ^ 32 - 1) or 0
  local entry = struct.pack(HISTORY_ENTRY_FORMAT, math.min(attempt, 65535), place_of(id, holder), took_ms)
  redis.call('SETRANGE', K.history(id), chunk * HISTORY_ENTRY_BYTES, entry)
  return took_ms
end

-- Counts a chunk in the cost of its model's rows: rows and processor time (µs), in which later chunks weigh more.
local function count_cost(model, rows, scoring_us)
  local known_rows, known_us = string.match(redis.call('HGET', K.costs(), model) or '0 0', '^(%d+) (%d+)$')
  redis.call('HSET', K.costs(), model,
    format_integer(known_rows * COST_KEPT + rows) .. ' ' .. format_integer(known_us * COST_KEPT + scoring_us))
end

-- Counts rows that were scored now, in the bucket of these seconds. The first rows of a bucket remove the old ones.
local function count_throughput(rows)
  local bucket = math.floor(now_ms() / THROUGHPUT_BUCKET_MS)
  if redis.call('HINCRBY', K.throughput(), format_integer(bucket), rows) > tonumber(rows) then return end
  for _, known in ipairs(redis.call('HKEYS', K.throughput())) do
    if math.abs(tonumber(known) - bucket) > THROUGHPUT_BUCKETS then redis.call('HDEL', K.throughput(), known) end
  end
end
