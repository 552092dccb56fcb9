-- Gives all that waits for one model version, up to a number of rows, to one worker process. A row that has a strike
-- against it goes alone: it may be what kills those who touch it.
-- ARGV: NAME@VERSION, holder, lease (ms), rows at most. Answers {id, attempt, values, probabilities, strikes} for each.
local model, holder, lease_ms, most = unpack(ARGV)
redis.call('HDEL', K.hinted(), model)
local until_ms = text(now_ms() + tonumber(lease_ms))
local leased, alone = {}, false
while #leased < tonumber(most) and not alone do
  local id = redis.call('LPOP', K.waiting(model))
  if not id then break end
  local job = redis.call('HMGET', K.job(id), 'status', 'values', 'probabilities', 'strikes')
  local this = member(id, '0')
  if job[1] and not ENDED[job[1]] and MAY[job[1]] and redis.call('HEXISTS', K.leases(), this) == 0 then
    alone = job[4] and true or false
    if alone and #leased > 0 then
      redis.call('LPUSH', K.waiting(model), id)
      break
    end
    local attempt = redis.call('HINCRBY', K.job(id), 'attempts', 1)
    redis.call('HSET', K.leases(), this, attempt .. ' ' .. holder)
    redis.call('ZADD', K.due(), until_ms, this)
    move(id, 'running')
    leased[#leased + 1] = {id, attempt, job[2], job[3] or '', job[4] or '0'}
  end
end
if redis.call('LLEN', K.waiting(model)) > 0 then hint_single(model, false) end
return leased
