-- Notes a job's Parquet file, which is in the store. ARGV: id, chunk, attempt, repairs of the result that it holds, entry.
-- Returns 1, or 0 if the lease is over or the result has changed.
local id, chunk, attempt, repairs, entry = unpack(ARGV)
if lease_of(member_of(id, chunk)) ~= tonumber(attempt) or status_of(id) ~= STATUS.succeeded then return 0 end
if (redis.call('HGET', K.job(id), F.repairs) or '0') ~= repairs then return 0 end
redis.call('HSET', K.job(id), F.parquet, entry)
take_out_of_flight(id, chunk)
publish({id .. '/part'})
return 1
