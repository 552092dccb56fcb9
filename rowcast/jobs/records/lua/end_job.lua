-- Cancels or fails a job that is not over. ARGV: id, status, error as JSON or ''.
-- Answers 'ended' | 'over' | 'unknown' | 'gone' (it was deleted).
local id, status, err = unpack(ARGV)
local known = redis.call('HGET', K.job(id), 'status')
if not known then return 'unknown' end
if known == 'deleted' then return 'gone' end
local model = redis.call('HGET', K.job(id), 'waits_for')
if not finish(id, status, err ~= '' and err or nil) then return 'over' end
if model then redis.call('LREM', K.waiting(model), 1, id) end
publish({id})
return 'ended'
