-- The plan of a job: an entry for each chunk. That of a file whose chunks are added little by little grows.

-- Returns a chunk's entry of the plan.
local function plan_entry(id, chunk)
  return redis.call('GETRANGE', K.plan(id), chunk * PLAN_ENTRY_BYTES, (chunk + 1) * PLAN_ENTRY_BYTES - 1)
end

-- Adds entries to the plan, from number `chunk` on, which is at most `known`, the number of entries so far. Entries that
-- were added before must be the same. Returns the new ones ('' if there are none), or nil if they are not the same.
local function add_to_plan(id, chunk, known, entries)
  local start = chunk * PLAN_ENTRY_BYTES
  local repeated = math.min((known - chunk) * PLAN_ENTRY_BYTES, #entries)
  if repeated > 0 and redis.call('GETRANGE', K.plan(id), start, start + repeated - 1) ~= string.sub(entries, 1, repeated) then
    return nil
  end
  local new = string.sub(entries, repeated + 1)
  if new ~= '' then redis.call('SETRANGE', K.plan(id), start + repeated, new) end
  return new
end
