-- Adds chunks of an upload that are in the store, so that they are scored while the rest arrives. Chunks that were added
-- before, by a gateway that has died, must be the same.
-- ARGV: id, number of the first chunk, the chunks' entries of the plan, then, with chunk 0, fields and values of the record.
-- Returns 1; 0 if Redis does not know the chunks before them, and adding more is of no use; -1 if they are not the same.
local id, chunk, entries = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not may_arrive(id) then return 0 end
if chunk == 0 and redis.call('EXISTS', K.job(id)) == 0 then
  redis.call('HSET', K.job(id), unpack(ARGV, 4))
  redis.call('HSET', K.job(id), F.status, STATUS.arriving, F.next_chunk, 0, F.chunks, 0)
  note(id, 'arriving')
end
local known, added = tonumber(redis.call('HGET', K.job(id), F.chunks)), #entries / PLAN_ENTRY_BYTES
if not known or known < chunk then return 0 end
local repeated = math.min(known - chunk, added) * PLAN_ENTRY_BYTES
local start = chunk * PLAN_ENTRY_BYTES
if repeated > 0 and redis.call('GETRANGE', K.plan(id), start, start + repeated - 1) ~= string.sub(entries, 1, repeated) then
  return -1
end
if repeated == #entries then return 1 end
redis.call('SETRANGE', K.plan(id), start + repeated, string.sub(entries, repeated + 1))
redis.call('HSET', K.job(id), F.chunks, format_integer(chunk + added))
if slots_online() > 0 then top_up(id) end -- without a worker, no message waits for an upload that may still break off
return 1
