-- Takes note of chunks of an upload that are in the store, so that they are scored while the rest arrives.
-- ARGV: id, the first of the chunks, their 16 bytes each of the plan, then, with chunk 0, the record's fields and values.
-- Answers 1; or 0 where Redis does not know the chunks before them, and no more need be told.
local id, chunk, entries = unpack(ARGV, 1, 3)
if chunk == '0' and redis.call('EXISTS', K.job(id)) == 0 then
  redis.call('HSET', K.job(id), unpack(ARGV, 4))
  redis.call('HSET', K.job(id), 'status', 'queued', 'arriving', 1, 'next_chunk', 0, 'chunks', 0)
end
local known, more = tonumber(redis.call('HGET', K.job(id), 'chunks')), #entries / 16
if known == tonumber(chunk) + more then return 1 end -- the gateway's own retry of a lost answer
if known ~= tonumber(chunk) then return 0 end
redis.call('SETRANGE', K.plan(id), chunk * 16, entries)
redis.call('HINCRBY', K.job(id), 'chunks', format_integer(more))
if slots_online() > 0 then top_up(id) end -- else: no hint waits for an upload that may yet break off
return 1
