-- Notes that a range is scanned. After the last one, the conversion goes on. ARGV: id, range among the chunks, attempt,
-- processor time (µs). Returns 1; 0 if the lease is over.
local id, chunk, attempt, cpu_us = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if lease_of(member_of(id, chunk)) ~= attempt then return 0 end
take_out_of_flight(id, chunk)
redis.call('HINCRBY', K.job(id), F.cpu_us, cpu_us)
local done = redis.call('HINCRBY', K.job(id), F.ranges_done, 1)
if done == tonumber(redis.call('HGET', K.job(id), F.ranges)) then put_in_flight(id, CONVERSION, 0)
else top_up_ranges(id) end
return 1
