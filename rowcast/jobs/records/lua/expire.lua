-- Marks a job whose files go now. ARGV: id, life of the record from now on (s). Answers 1 where it was marked.
local id, life = unpack(ARGV)
redis.call('ZREM', K.expiring(), id)
if not set_status(id, 'expired') then return 0 end
redis.call('DEL', K.plan(id), K.parts(id), K.in_flight(id))
redis.call('HDEL', K.job(id), 'values', 'result')
redis.call('EXPIRE', K.job(id), life)
redis.call('EXPIRE', K.summary(id), life)
redis.call('ZADD', K.removing(), format_integer(now_ms()), id)
return 1
