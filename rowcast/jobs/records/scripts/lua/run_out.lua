-- Lets leases run out now. ARGV: JOB/CHUNK, attempt, and the time at which it ends (ms), of each lease.
-- A lease that was renewed meanwhile has another time, and stays. Returns how many run out.
local ended = 0
for index = 1, #ARGV, 3 do
  local member, attempt, ends_ms = ARGV[index], tonumber(ARGV[index + 1]), tonumber(ARGV[index + 2])
  if lease_of(member) == attempt and tonumber(redis.call('ZSCORE', K.due(), member) or 0) == ends_ms then
    redis.call('ZADD', K.due(), format_integer(math.min(ends_ms, now_ms())), member)
    ended = ended + 1
  end
end
return ended
