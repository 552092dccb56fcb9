-- Adds a part's summary to the job's: counts of classes, or figures and a histogram. The histogram's bins lie on a grid of
-- powers of two, and the finer of two grids is coarsened (rowcast/jobs/number_summary.py says why that is exact).
-- `place` comes before each field: '' for one output; for several, the output's place from 0 and a slash, for example '1/'.
-- For two models, 'm', the model's place and a slash come before that, for example 'm0/' or 'm0/1/'.
local function add_classes(target, place, classes)
  for label, count in pairs(classes) do redis.call('HINCRBY', target, place .. 'class:' .. label, count) end
end

local function bin(number, exponent) return math.floor(number * 2 ^ -exponent) end

local function coarsen(target, place, steps)
  local fields = redis.call('HGETALL', target)
  local bins = {}
  for index = 1, #fields, 2 do
    local known = string.match(fields[index], '^' .. place .. 'bin:(-?%d+)$')
    if known then
      redis.call('HDEL', target, fields[index])
      local wider = format_integer(bin(tonumber(known), steps))
      bins[wider] = (bins[wider] or 0) + tonumber(fields[index + 1])
    end
  end
  for index, count in pairs(bins) do redis.call('HSET', target, place .. 'bin:' .. index, format_integer(count)) end
end

-- As `grid` in rowcast/jobs/number_summary.py, but starts from the coarser of the two grids.
local function add_numbers(target, place, numbers)
  local exact = function(number) return string.format('%.17g', number) end
  local known = redis.call('HMGET', target, place .. 'exponent', place .. 'minimum', place .. 'maximum')
  local before = tonumber(known[1]) or numbers.exponent
  local minimum = math.min(tonumber(known[2]) or numbers.minimum, numbers.minimum)
  local maximum = math.max(tonumber(known[3]) or numbers.maximum, numbers.maximum)
  local exponent = math.max(before, numbers.exponent)
  while bin(maximum, exponent) - bin(minimum, exponent) >= MAX_BINS do exponent = exponent + 1 end
  if exponent > before then coarsen(target, place, exponent - before) end
  redis.call('HINCRBY', target, place .. 'count', format_integer(numbers.count))
  redis.call('HSET', target, place .. 'exponent', exponent,
    place .. 'minimum', exact(minimum), place .. 'maximum', exact(maximum))
  for limb, amount in pairs(numbers.total) do
    redis.call('HINCRBY', target, place .. 'total:' .. limb, format_integer(amount))
  end
  for index, count in pairs(numbers.bins) do
    local wider = bin(tonumber(index), exponent - numbers.exponent)
    redis.call('HINCRBY', target, place .. 'bin:' .. format_integer(wider), format_integer(count))
  end
end

local function add_not_finite(target, place, count)
  if count > 0 then redis.call('HINCRBY', target, place .. 'not_finite', format_integer(count)) end
end

local function add_output(target, place, summary)
  if summary.classes then add_classes(target, place, summary.classes) end
  local numbers = summary.numbers
  if numbers and numbers.count > 0 then add_numbers(target, place, numbers) end
  if numbers then add_not_finite(target, place, numbers.not_finite) end
end

local function add_model(target, before, summary)
  if not summary.outputs then return add_output(target, before, summary) end
  add_not_finite(target, before, summary.not_finite)
  for index, output in ipairs(summary.outputs) do
    local place = before .. (index - 1) .. '/'
    redis.call('HSET', target, place .. 'name', output.name)
    add_output(target, place, output)
  end
end

local function add_summary(id, summary)
  local target = K.summary(id)
  if not summary.models then return add_model(target, '', summary) end
  for index, model in ipairs(summary.models) do
    local place = 'm' .. (index - 1) .. '/'
    redis.call('HSET', target, place .. 'name', model.name)
    add_model(target, place, model)
  end
  if summary.compared >= 0 then
    redis.call('HINCRBY', target, 'compared', format_integer(summary.compared))
    redis.call('HINCRBY', target, 'disagreeing', format_integer(summary.disagreeing))
  end
end
