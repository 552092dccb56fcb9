-- Puts a chunk of a job that has succeeded in flight once more: its part is gone or damaged. Nothing is counted again.
-- ARGV: id, chunk. Answers 1 where the chunk is in flight now.
local id, chunk = unpack(ARGV)
if redis.call('HGET', K.job(id), 'status') ~= 'succeeded' then return 0 end
if redis.call('HEXISTS', K.in_flight(id), chunk) == 1 then return 1 end
redis.call('HDEL', K.job(id), 'lost_chunk')
put_in_flight(id, chunk, 0)
return 1
