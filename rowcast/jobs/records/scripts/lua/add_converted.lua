-- Adds chunks that a worker has converted from an uploaded file, so that they are scored while it converts the rest. Chunks
-- that were added before, by a worker that has died, must be the same.
-- ARGV: id, attempt of the conversion, number of the first chunk, the chunks' entries of the plan, the job's spec as JSON.
-- Returns 1; 0 if the lease of the conversion is over; -1 if they are not the same.
local id, attempt, chunk, entries, spec = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
if lease_of(member_of(id, CONVERSION)) ~= attempt then return 0 end
local new = add_to_plan(id, chunk, tonumber(redis.call('HGET', K.job(id), F.chunks)), entries)
if not new then return -1 end
if new == '' then return 1 end
local rows = 0
for at = 1, #new, PLAN_ENTRY_BYTES do
  local _, of_chunk = struct.unpack(PLAN_ENTRY_FORMAT, string.sub(new, at, at + PLAN_ENTRY_BYTES - 1))
  rows = rows + of_chunk
end
redis.call('HSET', K.job(id), F.chunks, format_integer(chunk + #entries / PLAN_ENTRY_BYTES), F.spec, spec)
redis.call('HINCRBY', K.job(id), F.rows, format_integer(rows))
add_total('rows_accepted', rows)
top_up(id)
publish({id .. '/part'})
return 1
