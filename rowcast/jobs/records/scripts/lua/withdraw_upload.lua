-- Withdraws an announced upload. ARGV: id.
-- Leaves a tombstone if workers know of the upload, because one of them may be storing a part at this moment.
local id = ARGV[1]
redis.call('ZREM', K.removing(), id)
if remove_arrived(id) then list_for_removal(id, LATE_PART_MS) end
return 'OK'
