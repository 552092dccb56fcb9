-- Puts a chunk of a job that has succeeded in flight once more: its part is gone or damaged. Nothing is counted again.
-- ARGV: id, chunk. Answers 1 where the chunk is in flight now.
local id, chunk = unpack(ARGV)
if redis.call('HGET', K.job(id), 'status') ~= 'succeeded' then return 0 end
if redis.call('HEXISTS', K.open(id), chunk) == 1 then return 1 end
local now = now_ms()
redis.call('HDEL', K.job(id), 'lost')
redis.call('HSET', K.open(id), chunk, pack_flight(0, 0, now))
redis.call('ZADD', K.due(), text(now + RESEND_MS), member(id, chunk))
hint_chunk(id, chunk)
return 1
