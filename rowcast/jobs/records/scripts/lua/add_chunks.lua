-- Adds chunks of an upload that are in the store, so that they are scored while the rest arrives. Chunks that were added
-- before, by a gateway that has died, must be the same.
-- ARGV: id, number of the first chunk, the chunks' entries of the plan, then, with chunk 0, owner, fields and values of
-- the record.
-- Returns 1; 0 if Redis does not know the chunks before them, and adding more is of no use; -1 if they are not the same.
local id, chunk, entries = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not may_arrive(id) then return 0 end
if chunk == 0 and redis.call('EXISTS', K.job(id)) == 0 then
  redis.call('HSET', K.job(id), F.owner, ARGV[4], unpack(ARGV, 5))
  redis.call('HSET', K.job(id), F.status, STATUS.arriving, F.next_chunk, 0, F.chunks, 0)
  note(id, 'arriving')
  start_deadline(id)
end
local known = tonumber(redis.call('HGET', K.job(id), F.chunks))
if not known or known < chunk then return 0 end
local new = add_to_plan(id, chunk, known, entries)
if not new then return -1 end
if new == '' then return 1 end
redis.call('HSET', K.job(id), F.chunks, format_integer(chunk + #entries / PLAN_ENTRY_BYTES))
if slots_online(pool_of(id)) > 0 then top_up(id) end -- without a worker, no message waits for an upload that may still break off
return 1
