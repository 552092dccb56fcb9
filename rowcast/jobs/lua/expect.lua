-- Announces an upload, or that it still goes on: if it falls silent, its files are swept.
-- ARGV: id, silence allowed (ms), limit of live jobs. Answers 1, or 0 where there are as many live jobs as may be.
local id, silence_ms, most = unpack(ARGV)
if tonumber(redis.call('HGET', K.live(), '*') or 0) >= tonumber(most) then return 0 end
redis.call('ZADD', K.sweeping(), text(now_ms() + tonumber(silence_ms)), id)
return 1
