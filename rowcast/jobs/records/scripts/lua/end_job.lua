-- Cancels or fails a job that has not ended. ARGV: id, status, error as JSON or ''.
-- Returns 'ended' | 'over' (it had ended before) | 'unknown' | 'gone' (it was deleted).
local id, status, err = unpack(ARGV)
local known = status_of(id)
if not known then return 'unknown' end
if known == STATUS.deleted then return 'gone' end
if not finish(id, status, err ~= '' and err or nil) then return 'over' end
if is_single(id) then redis.call('LREM', K.waiting(model_entry_of(id)), 1, id) end
publish({id})
return 'ended'
