-- Adds chunks that a worker has converted from an uploaded file, so that they are scored while it converts the rest. Chunks
-- that were added before, by a worker that has died, must be the same.
-- ARGV: id, attempt of the conversion, number of the first chunk, the chunks' entries of the plan, the job's spec as JSON.
-- Returns 1; 0 if the lease of the conversion is over; -1 if they are not the same.
local id, attempt, chunk, entries, spec = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
if lease_of(member_of(id, CONVERSION)) ~= attempt then return 0 end
local known, added = tonumber(redis.call('HGET', K.job(id), F.chunks)), #entries / PLAN_ENTRY_BYTES
local repeated = math.min(known - chunk, added) * PLAN_ENTRY_BYTES
local start = chunk * PLAN_ENTRY_BYTES
if repeated > 0 and redis.call('GETRANGE', K.plan(id), start, start + repeated - 1) ~= string.sub(entries, 1, repeated) then
  return -1
end
if repeated == #entries then return 1 end
redis.call('SETRANGE', K.plan(id), start + repeated, string.sub(entries, repeated + 1))
local rows = 0
for at = repeated + 1, #entries, PLAN_ENTRY_BYTES do
  local _, of_chunk = struct.unpack(PLAN_ENTRY_FORMAT, string.sub(entries, at, at + PLAN_ENTRY_BYTES - 1))
  rows = rows + of_chunk
end
redis.call('HSET', K.job(id), F.chunks, format_integer(chunk + added), F.spec, spec)
redis.call('HINCRBY', K.job(id), F.rows, format_integer(rows))
add_total('rows_accepted', rows)
top_up(id)
publish({id .. '/part'})
return 1
