-- Time, numbers as text, problems and totals. Before this file come the constants that `lua_source.py` writes: the keys
-- (K), the fields of a job's record (F), the statuses (STATUS, MAY, ENDED), the messages and the policy.

local known_now_ms = nil

-- Returns the time, which is the same for a whole script.
local function now_ms()
  if not known_now_ms then
    local time = redis.call('TIME')
    known_now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return known_now_ms
end

-- Lua's own conversion keeps only 14 digits.
local function format_integer(number) return string.format('%.0f', number) end

-- Returns a job's error as JSON. `slug` is the slug of a class in rowcast/errors, for example 'worker-lost'.
local function problem(slug, detail) return cjson.encode({type = PROBLEM_PREFIX .. slug, detail = detail}) end

local function add_total(name, amount) redis.call('HINCRBY', K.totals(), name, format_integer(amount)) end
