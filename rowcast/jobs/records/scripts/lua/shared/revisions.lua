-- Revisions: a chunk whose bad rows were corrected has a revision, which its files are named after.

-- Returns the table in the field F.revisions or F.repairing of a record: number of the chunk (as text) → revision.
local function revisions_in(id, field) return cjson.decode(redis.call('HGET', K.job(id), field) or '{}') end

-- Notes that a chunk of a repair is scored again.
local function note_repaired(id, chunk)
  local repairing = revisions_in(id, F.repairing)
  if not repairing[chunk] then return end
  repairing[chunk] = nil
  if next(repairing) then redis.call('HSET', K.job(id), F.repairing, cjson.encode(repairing))
  else redis.call('HDEL', K.job(id), F.repairing) end
end
