-- Lists a file of requests that is in the store. ARGV: id, owner, its bytes, limit of the owner's files, and of their bytes.
-- Returns '', or the limit that it exceeds: 'files' or 'bytes'.
local id, owner, bytes, most, most_bytes = unpack(ARGV)
if redis.call('HEXISTS', K.files(), id) == 1 then return '' end -- upkeep has found it, or the answer was lost
local lengths, sum = redis.call('HVALS', K.owned_files(owner)), tonumber(bytes)
for _, length in ipairs(lengths) do sum = sum + length end
if #lengths >= tonumber(most) then return 'files' end
if sum > tonumber(most_bytes) then return 'bytes' end
redis.call('HSET', K.files(), id, owner)
redis.call('HSET', K.owned_files(owner), id, bytes)
return ''
