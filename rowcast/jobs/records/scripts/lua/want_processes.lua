-- Upkeep: keeps as many members in K.wanted() as worker processes are worth having. ARGV: number, time until a member that is
-- not wanted again goes (ms). Returns how many there are. It is the highest number of that time, so it falls slowly, and
-- several upkeeps add up to nothing more.
local number, kept_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local goes_ms = now_ms() + kept_ms
for place = 1, number do redis.call('ZADD', K.wanted(), format_integer(goes_ms), place) end
redis.call('ZREMRANGEBYSCORE', K.wanted(), '-inf', format_integer(now_ms()))
redis.call('ZREMRANGEBYSCORE', K.wanted(), format_integer(goes_ms + 1), '+inf') -- the clock was set back
return redis.call('ZCARD', K.wanted())
