-- Ends a job whose manifest is written at its URL. ARGV: id, attempt of the conversion. Returns 1; 0 if the lease is over.
local id, attempt = ARGV[1], tonumber(ARGV[2])
if lease_of(member_of(id, CONVERSION)) ~= attempt then return 0 end
redis.call('HSET', K.job(id), F.output, OUTPUT_WRITTEN)
take_out_of_flight(id, CONVERSION)
finish(id, ending(id))
publish({id})
return 1
