-- Prolongs leases. ARGV: holder, lease (ms), then JOB/CHUNK each. Answers the members that are no longer the holder's.
local lost = {}
local until_ms = format_integer(now_ms() + tonumber(ARGV[2]))
for index = 3, #ARGV do
  local _, holder = unpack_lease(redis.call('HGET', K.leases(), ARGV[index]))
  if holder == ARGV[1] then redis.call('ZADD', K.due(), until_ms, ARGV[index])
  else lost[#lost + 1] = ARGV[index] end
end
return lost
