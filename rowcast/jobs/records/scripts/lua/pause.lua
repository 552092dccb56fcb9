-- Pauses work, resumes it, or only reads. ARGV: 'pause', 'resume' or 'read', then what (shared/pauses.lua); '' resumes all.
-- What runs goes on; what is resumed goes back into its line.
-- Returns {leases of work that is paused, then what is paused and since when (ms), in turn}.
local action, what = unpack(ARGV)

-- A job's chunks keep their order, and each has a round of its own, as before.
local function return_chunks()
  local returned, rounds = 0, {}
  for _, member in ipairs(redis.call('ZRANGE', K.parked_chunks(), 0, -1)) do
    local id, chunk = split_member(member)
    if not is_job_paused(id) then
      redis.call('ZREM', K.parked_chunks(), member)
      if redis.call('HEXISTS', K.in_flight(id), chunk) == 1 and not lease_of(member) then
        rounds[id] = (rounds[id] or next_round_of(id) - 1) + 1
        redis.call('HSET', K.job(id), F.round, format_integer(rounds[id]))
        returned = returned + line_up('chunks', member, rounds[id])
      end
    end
  end
  return returned
end

local function return_models()
  local returned = 0
  for _, model in ipairs(redis.call('ZRANGE', K.parked_models(), 0, -1)) do
    if not is_paused(KIND.single, model) then
      redis.call('ZREM', K.parked_models(), model)
      returned = returned + line_up('models', model)
    end
  end
  return returned
end

local function call_processes(line, most)
  for _ = 1, math.min(most, math.max(1, slots_online())) do call_process(line) end
end

if action == 'pause' then redis.call('HSETNX', K.paused(), what, format_integer(now_ms()))
elseif action == 'resume' then
  if what == '' then redis.call('DEL', K.paused()) else redis.call('HDEL', K.paused(), what) end
  call_processes('chunks', return_chunks())
  call_processes('models', return_models())
end

local running = 0
for _, member in ipairs(redis.call('HKEYS', K.leases())) do
  if is_job_paused(split_member(member)) then running = running + 1 end
end
return {running, unpack(redis.call('HGETALL', K.paused()))}
