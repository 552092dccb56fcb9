-- The counters and histograms of `rowcast:metrics`, which `/metrics/cluster` shows. `metric_fields.py` lists them (M).

-- Adds to a counter. `labels` are the values of its labels, with spaces between them.
local function add_metric(name, labels, amount)
  redis.call('HINCRBY', K.metrics(), name .. ' ' .. labels, format_integer(amount))
end

-- Adds a time (ms) to a histogram: to the sum, and to the count of the first bucket that it fits in, '+' if it fits in none.
local function observe_ms(name, labels, ms)
  local bucket = '+'
  for _, limit in ipairs(METRIC_BUCKETS_MS) do
    if ms <= limit then
      bucket = limit
      break
    end
  end
  add_metric(name, labels .. ' ' .. bucket, 1)
  add_metric(name, labels .. ' sum', math.max(ms, 0))
end

-- Counts scored rows, of which `bad` could not be predicted.
local function count_rows(model, rows, bad)
  add_metric(M.rows, model .. ' predicted', rows - bad)
  add_metric(M.rows, model .. ' bad', bad)
end

-- Counts how long a job has waited for its first lease. Its id begins with the time at which it was made (UUIDv7).
local function observe_wait(id, kind, model)
  local made_ms = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16)
  observe_ms(M.wait, kind .. ' ' .. model, now_ms() - made_ms)
end
