-- Adds a part's summary to the job's: counts of classes, or figures and a histogram on a grid of powers of two, where the
-- finer of two grids is coarsened (rowcast/jobs/summary.py says why that is exact).
local function add_classes(target, classes)
  for label, count in pairs(classes) do redis.call('HINCRBY', target, 'class:' .. label, count) end
end

local function bin(number, exponent) return math.floor(number * 2 ^ -exponent) end

local function coarsen(target, steps)
  local fields = redis.call('HGETALL', target)
  local bins = {}
  for index = 1, #fields, 2 do
    local known = string.match(fields[index], '^bin:(-?%d+)$')
    if known then
      redis.call('HDEL', target, fields[index])
      local wider = text(bin(tonumber(known), steps))
      bins[wider] = (bins[wider] or 0) + tonumber(fields[index + 1])
    end
  end
  for index, count in pairs(bins) do redis.call('HSET', target, 'bin:' .. index, text(count)) end
end

-- As `grid` in rowcast/jobs/summary.py, from a grid on that is fine enough for either part.
local function add_numbers(target, numbers)
  local exact = function(number) return string.format('%.17g', number) end
  local known = redis.call('HMGET', target, 'exponent', 'minimum', 'maximum')
  local before = tonumber(known[1]) or numbers.exponent
  local minimum = math.min(tonumber(known[2]) or numbers.minimum, numbers.minimum)
  local maximum = math.max(tonumber(known[3]) or numbers.maximum, numbers.maximum)
  local exponent = math.max(before, numbers.exponent)
  while bin(maximum, exponent) - bin(minimum, exponent) >= 1024 do exponent = exponent + 1 end
  if exponent > before then coarsen(target, exponent - before) end
  redis.call('HINCRBY', target, 'count', text(numbers.count))
  redis.call('HSET', target, 'exponent', exponent, 'minimum', exact(minimum), 'maximum', exact(maximum))
  for limb, amount in pairs(numbers.total) do redis.call('HINCRBY', target, 'total:' .. limb, text(amount)) end
  for index, count in pairs(numbers.bins) do
    redis.call('HINCRBY', target, 'bin:' .. text(bin(tonumber(index), exponent - numbers.exponent)), text(count))
  end
end

local function add_summary(id, summary)
  if summary.classes then add_classes(K.summary(id), summary.classes) end
  local numbers = summary.numbers
  if numbers and numbers.count > 0 then add_numbers(K.summary(id), numbers) end
  if numbers and numbers.not_finite > 0 then
    redis.call('HINCRBY', K.summary(id), 'not_finite', text(numbers.not_finite))
  end
end
