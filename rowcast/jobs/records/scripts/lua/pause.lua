-- Pauses work, resumes it, or only reads. ARGV: 'pause', 'resume' or 'read', then what (shared/pauses.lua); '' resumes all.
-- What runs goes on; what is resumed goes back into its line.
-- Returns {leases of work that is paused, then what is paused and since when (ms), in turn}.
local action, what = unpack(ARGV)

-- Line → pool → number of entries that are back in the line.
local returned = {chunks = {}, models = {}}

local function count(line, pool, number) returned[line][pool] = (returned[line][pool] or 0) + number end

-- A job's chunks keep their order, and each has a round of its own, as before.
local function return_chunks()
  local rounds = {}
  for _, member in ipairs(redis.call('ZRANGE', K.parked_chunks(), 0, -1)) do
    local id, chunk = split_member(member)
    if not is_job_paused(id) then
      redis.call('ZREM', K.parked_chunks(), member)
      if redis.call('HEXISTS', K.in_flight(id), chunk) == 1 and not lease_of(member) then
        rounds[id] = (rounds[id] or next_round_of(id) - 1) + 1
        redis.call('HSET', K.job(id), F.round, format_integer(rounds[id]))
        count('chunks', pool_of(id), line_up('chunks', member, rounds[id]))
      end
    end
  end
end

local function return_models()
  for _, entry in ipairs(redis.call('ZRANGE', K.parked_models(), 0, -1)) do
    local pool, model = split_prefix(entry)
    if not is_paused(KIND.single, model) then
      redis.call('ZREM', K.parked_models(), entry)
      count('models', pool, line_up('models', entry))
    end
  end
end

local function call_processes(line)
  for pool, number in pairs(returned[line]) do
    for _ = 1, math.min(number, math.max(1, slots_online(pool))) do call_process(line, pool) end
  end
end

if action == 'pause' then redis.call('HSETNX', K.paused(), what, format_integer(now_ms()))
elseif action == 'resume' then
  if what == '' then redis.call('DEL', K.paused()) else redis.call('HDEL', K.paused(), what) end
  return_chunks()
  call_processes('chunks')
  return_models()
  call_processes('models')
end

local running = 0
for _, member in ipairs(redis.call('HKEYS', K.leases())) do
  if is_job_paused(split_member(member)) then running = running + 1 end
end
return {running, unpack(redis.call('HGETALL', K.paused()))}
