-- Gives all that waits for one model version, up to a number of rows, to one worker process.
-- ARGV: NAME@VERSION, holder, lease (ms), rows at most. Answers {id, attempt, values, probabilities} for each.
local model, holder, lease_ms, most = unpack(ARGV)
redis.call('HDEL', K.hinted(), model)
local until_ms = text(now_ms() + tonumber(lease_ms))
local leased = {}
for _, id in ipairs(redis.call('LPOP', K.waiting(model), most) or {}) do
  local status = redis.call('HGET', K.job(id), 'status')
  local this = member(id, '0')
  if status and not ENDED[status] and redis.call('HEXISTS', K.leases(), this) == 0 then
    local attempt = redis.call('HINCRBY', K.job(id), 'attempts', 1)
    redis.call('HSET', K.leases(), this, attempt .. ' ' .. holder)
    redis.call('ZADD', K.due(), until_ms, this)
    move(id, 'running')
    local job = redis.call('HMGET', K.job(id), 'values', 'probabilities')
    leased[#leased + 1] = {id, attempt, job[1], job[2] or ''}
  end
end
if redis.call('LLEN', K.waiting(model)) > 0 then hint_single(model, false) end
return leased
