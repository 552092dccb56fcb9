-- Creates a resumable upload. Those that are open count as live jobs.
-- ARGV: id, owner, limit of live jobs, limit of the owner's, then fields and values of its record.
-- Returns '', or the limit that is reached: 'all' or 'owner'.
local id, owner, most, most_owned = unpack(ARGV, 1, 4)
if upload_state(id) then return '' end -- the gateway repeats a call whose answer was lost
local open = redis.call('HMGET', K.uploads(), '*', owner)
local full = limit_reached(owner, most - tonumber(open[1] or 0), most_owned - tonumber(open[2] or 0))
if full ~= '' then return full end
redis.call('HSET', K.upload(id), U.state, UPLOAD.open, U.owner, owner, U.offset, 0, unpack(ARGV, 5))
count_uploads(owner, 1)
list_for_removal(id, silence_ms(id))
return ''
