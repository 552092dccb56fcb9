-- Ends a job if it is live, and replaces its record by a tombstone. ARGV: id.
-- Its files are removed once more after LATE_PART_MS: a worker may be storing a part at this moment.
-- Returns 'deleted' | 'unknown' | 'gone' (it was deleted before).
local id = ARGV[1]
local status = status_of(id)
if not status or status == STATUS.arriving then return 'unknown' end
if status == STATUS.deleted then return 'gone' end
local owner = redis.call('HGET', K.job(id), F.owner)
local was_single = is_single(id)
finish(id, STATUS.cancelled)
if was_single then redis.call('LREM', K.waiting(model_entry_of(id)), 1, id) end
redis.call('ZREM', K.jobs(), id)
redis.call('ZREM', K.owned(owner), id)
redis.call('ZREM', K.expiring(), id)
write_tombstone(id, owner, TOMBSTONE_SECONDS)
list_for_removal(id, LATE_PART_MS)
publish({id})
return 'deleted'
