-- Announces an upload, or that it still goes on: if it falls silent, its files are swept.
-- ARGV: id, silence allowed (ms), owner, limit of live jobs, limit of the owner's.
-- Answers '', or whose limit is reached: 'all' or 'owner'.
local id, silence_ms, owner, most, most_owned = unpack(ARGV)
local full = limit_reached(owner, most, most_owned)
if full == '' then redis.call('ZADD', K.removing(), format_integer(now_ms() + tonumber(silence_ms)), id) end
return full
