-- Adds chunks of an upload that are in the store, so that they are scored while the rest arrives.
-- ARGV: id, number of the first chunk, the chunks' entries of the plan, then, with chunk 0, fields and values of the record.
-- Returns 1; or 0 if Redis does not know the chunks before them, and adding more is of no use.
local id, chunk, entries = unpack(ARGV, 1, 3)
if chunk == '0' and redis.call('EXISTS', K.job(id)) == 0 then
  redis.call('HSET', K.job(id), unpack(ARGV, 4))
  redis.call('HSET', K.job(id), F.status, STATUS.arriving, F.next_chunk, 0, F.chunks, 0)
end
local known, added = tonumber(redis.call('HGET', K.job(id), F.chunks)), #entries / PLAN_ENTRY_BYTES
if known == tonumber(chunk) + added then return 1 end -- the gateway repeats a call whose answer was lost
if known ~= tonumber(chunk) then return 0 end
redis.call('SETRANGE', K.plan(id), chunk * PLAN_ENTRY_BYTES, entries)
redis.call('HINCRBY', K.job(id), F.chunks, format_integer(added))
if slots_online() > 0 then top_up(id) end -- without a worker, no message waits for an upload that may still break off
return 1
