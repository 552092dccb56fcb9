-- Has the Parquet file of a job that has succeeded written, unless it is there or under way. To the scripts, writing it is
-- one more chunk of the job, with the number after the last one. ARGV: id, entry of a file that is not in the store or ''.
-- Returns 'asked' | 'there' (F.parquet names the file) | 'over' (the job has not succeeded).
local id, lost = unpack(ARGV)
if status_of(id) ~= STATUS.succeeded or is_single(id) then return 'over' end
local known, chunk = unpack(redis.call('HMGET', K.job(id), F.parquet, F.chunks))
if known and known ~= '' and known ~= lost then return 'there' end
if redis.call('HEXISTS', K.in_flight(id), chunk) == 1 then return 'asked' end
redis.call('HDEL', K.job(id), F.parquet)
put_in_flight(id, chunk, 0)
return 'asked'
