-- Upkeep: keeps as many members in K.wanted() as worker processes of a pool are worth having. ARGV: pool, number, time until a
-- member that is not wanted again goes (ms). Returns how many there are. It is the highest number of that time, so it falls
-- slowly, and several upkeeps add up to nothing more.
local pool, number, kept_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local key = pool == '' and K.wanted() or K.pool_wanted(pool)
local goes_ms = now_ms() + kept_ms
for place = 1, number do redis.call('ZADD', key, format_integer(goes_ms), place) end
redis.call('ZREMRANGEBYSCORE', key, '-inf', format_integer(now_ms()))
redis.call('ZREMRANGEBYSCORE', key, format_integer(goes_ms + 1), '+inf') -- the clock was set back
return redis.call('ZCARD', key)
