-- Takes chunks whose bad rows were corrected out of the result, and has them scored again.
-- ARGV: id, limit of live jobs, limit of the owner's, then for each chunk: number, revision before or '', new revision,
--       entry of the plan.
-- Returns {'repairing'} | {'over'} (its chunks are not all done, or it has expired) | {'changed'} (a chunk has another
-- revision now) | {'full', 'all' or 'owner'}.
local id, most, most_owned = ARGV[1], ARGV[2], ARGV[3]
local status, owner, rows, chunks, done = unpack(redis.call(
  'HMGET', K.job(id), F.status, F.owner, F.rows, F.chunks, F.chunks_done))
local revisions = revisions_in(id, F.revisions)
if revisions[ARGV[4]] == ARGV[6] then return {'repairing'} end -- the gateway repeats a call whose answer was lost
if not status or not ENDED[status] or not MAY[status .. ' ' .. STATUS.queued] or is_single(id) then return {'over'} end
if tonumber(done or 0) < tonumber(chunks) or is_converting(id) then return {'over'} end
for index = 4, #ARGV, 4 do
  if (revisions[ARGV[index]] or '') ~= ARGV[index + 1] then return {'changed'} end
end
local full = limit_reached(owner, most, most_owned)
if full ~= '' then return {'full', full} end

-- Takes a part out of the table and out of the counts. The summary keeps the predictions of its good rows: the worker adds
-- only those of corrected rows.
local function uncount(chunk)
  local at = chunk * PART_ENTRY_BYTES
  local entry = redis.call('GETRANGE', K.parts(id), at, at + PART_ENTRY_BYTES - 1)
  local _, part_rows, failed, part_bytes, error_bytes = struct.unpack(PART_ENTRY_FORMAT, entry)
  redis.call('SETRANGE', K.parts(id), at, string.rep('\0', PART_ENTRY_BYTES))
  for name, amount in pairs({
    [F.rows_done] = part_rows, [F.rows_failed] = failed, [F.part_bytes] = part_bytes, [F.error_bytes] = error_bytes,
    [F.chunks_done] = 1,
  }) do
    redis.call('HINCRBY', K.job(id), name, format_integer(0 - amount)) -- never '-0', which Redis refuses
  end
end

reopen(id, status, owner, rows)
note(id, 'repair', {chunks = (#ARGV - 3) / 4})
take_out_of_flight(id, chunks) -- the Parquet file is that of the result before
redis.call('HDEL', K.job(id), F.reasons, F.receipt, F.parquet)
if redis.call('HEXISTS', K.job(id), F.output) == 1 then redis.call('HSET', K.job(id), F.output, OUTPUT_LEFT) end
local repairing = {}
for index = 4, #ARGV, 4 do
  local chunk, before, revision, entry = unpack(ARGV, index, index + 3)
  uncount(chunk)
  redis.call('SETRANGE', K.plan(id), chunk * PLAN_ENTRY_BYTES, entry)
  revisions[chunk], repairing[chunk] = revision, before
end
redis.call('HSET', K.job(id), F.revisions, cjson.encode(revisions), F.repairing, cjson.encode(repairing))
redis.call('HINCRBY', K.job(id), F.repairs, 1)
for index = 4, #ARGV, 4 do put_in_flight(id, ARGV[index], 0) end
return {'repairing'}
