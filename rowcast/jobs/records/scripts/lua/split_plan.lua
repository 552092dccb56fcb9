-- Has the ranges of a job by URL scanned, and ends the lease of its conversion meanwhile.
-- ARGV: id, attempt of the conversion, number of ranges. Returns 1; 0 if the lease is over.
local id, attempt, ranges = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if lease_of(member_of(id, CONVERSION)) ~= attempt then return 0 end
redis.call('HSET', K.job(id), F.ranges, ranges, F.next_range, 0, F.ranges_done, 0)
take_out_of_flight(id, CONVERSION)
top_up_ranges(id)
return 1
