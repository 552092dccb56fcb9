-- Takes note of a chunk of an upload that is in the store, so that it is scored while the rest arrives.
-- ARGV: id, chunk, its 16 bytes of the plan, then, with the first chunk, the record's fields and values.
-- Answers 1; or 0 where Redis does not know the chunks before it, and no more need be told.
local id, chunk, entry = unpack(ARGV, 1, 3)
if chunk == '0' and redis.call('EXISTS', K.job(id)) == 0 then
  redis.call('HSET', K.job(id), unpack(ARGV, 4))
  redis.call('HSET', K.job(id), 'status', 'queued', 'arriving', 1, 'next', 0, 'chunks', 0)
end
local known = tonumber(redis.call('HGET', K.job(id), 'chunks'))
if known == tonumber(chunk) + 1 then return 1 end -- the gateway's own retry of a lost answer
if known ~= tonumber(chunk) then return 0 end
redis.call('SETRANGE', K.plan(id), chunk * 16, entry)
redis.call('HSET', K.job(id), 'chunks', known + 1)
if slots_online() > 0 then top_up(id) end -- else: no hint waits for an upload that may yet break off
return 1
