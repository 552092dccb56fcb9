-- Leaves a tombstone where a record was. ARGV: id, life of the tombstone (s), when its files are swept once more (ms from
-- now): a worker may be storing a part just now. Answers 'deleted' | 'unknown' | 'gone' (it was deleted before).
local id, life, sweep_ms = unpack(ARGV)
local status = redis.call('HGET', K.job(id), 'status')
if not status then return 'unknown' end
if status == 'deleted' then return 'gone' end
local job = redis.call('HMGET', K.job(id), 'owner', 'waits_for')
finish(id, 'cancelled')
if job[2] then redis.call('LREM', K.waiting(job[2]), 1, id) end
redis.call('ZREM', K.jobs(), id)
redis.call('ZREM', K.owned(job[1]), id)
redis.call('ZREM', K.expiring(), id)
write_tombstone(id, job[1], life)
redis.call('ZADD', K.removing(), format_integer(now_ms() + tonumber(sweep_ms)), id)
publish({id})
return 'deleted'
