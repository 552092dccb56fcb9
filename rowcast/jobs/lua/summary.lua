-- Adds a part's summary to the job's: counts of classes, or figures and a histogram on a grid of powers of two, where the
-- finer of two grids is coarsened (rowcast/jobs/summary.py says why that is exact).
local function add_classes(target, classes)
  for label, count in pairs(classes) do redis.call('HINCRBY', target, 'class:' .. label, count) end
end

local function coarsen(target, steps)
  local fields = redis.call('HGETALL', target)
  local bins = {}
  for index = 1, #fields, 2 do
    local bin = string.match(fields[index], '^bin:(-?%d+)$')
    if bin then
      redis.call('HDEL', target, fields[index])
      local wider = text(math.floor(tonumber(bin) / 2 ^ steps))
      bins[wider] = (bins[wider] or 0) + tonumber(fields[index + 1])
    end
  end
  for bin, count in pairs(bins) do redis.call('HSET', target, 'bin:' .. bin, count) end
end

local function add_numbers(target, numbers)
  local exact = function(number) return string.format('%.17g', number) end
  local known = redis.call('HMGET', target, 'exponent', 'minimum', 'maximum', 'total')
  local exponent = tonumber(known[1]) or numbers.exponent
  if numbers.exponent > exponent then
    coarsen(target, numbers.exponent - exponent)
    exponent = numbers.exponent
  end
  local steps = exponent - numbers.exponent
  redis.call('HINCRBY', target, 'count', numbers.count)
  redis.call('HSET', target, 'exponent', exponent,
    'minimum', exact(math.min(tonumber(known[2]) or numbers.minimum, numbers.minimum)),
    'maximum', exact(math.max(tonumber(known[3]) or numbers.maximum, numbers.maximum)),
    'total', exact((tonumber(known[4]) or 0) + numbers.total))
  for bin, count in pairs(numbers.bins) do
    redis.call('HINCRBY', target, 'bin:' .. text(math.floor(tonumber(bin) / 2 ^ steps)), count)
  end
end

local function add_summary(id, summary)
  if summary.classes then add_classes(K.summary(id), summary.classes) end
  if summary.numbers and summary.numbers.count > 0 then add_numbers(K.summary(id), summary.numbers) end
end
