-- Puts a chunk of a job that has succeeded in flight again, because its part is missing or damaged. Nothing is counted
-- again. ARGV: id, chunk. Returns 1 if the chunk is in flight now, otherwise 0.
local id, chunk = unpack(ARGV)
if status_of(id) ~= STATUS.succeeded then return 0 end
if redis.call('HEXISTS', K.in_flight(id), chunk) == 1 then return 1 end
redis.call('HDEL', K.job(id), F.lost_chunk)
note(id, 'rescoring', {chunk = tonumber(chunk)})
put_in_flight(id, chunk, 0)
return 1
