-- Counts a segment of a resumable upload that is in the store. ARGV: id, token of the request, offset, length.
-- Returns 'appended' | 'taken' (another request holds the upload) | 'gone' (the upload has ended).
local id, token, offset, length = unpack(ARGV)
local state, holder, known = unpack(redis.call('HMGET', K.upload(id), U.state, U.holder, U.offset))
if state ~= UPLOAD.open then return 'gone' end
local entry, stop = length .. ' ' .. token, format_integer(offset + length)
if known == stop and redis.call('LINDEX', K.segments(id), -1) == entry then return 'appended' end -- a repeated call
if holder ~= token or known ~= offset then return 'taken' end
redis.call('RPUSH', K.segments(id), entry)
redis.call('HSET', K.upload(id), U.offset, stop)
list_for_removal(id, silence_ms(id))
return 'appended'
