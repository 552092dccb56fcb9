-- Gives all that waits for one model version, up to a number of rows, to one worker process. A row that has a strike
-- against it goes alone: it may be what kills those who touch it.
-- ARGV: NAME@VERSION, holder, rows at most, how long the process would linger (ms).
-- Answers what `lease_row` does for each; or 'lingering' where no work of any kind waits: the process is then the one
-- that is given the next row, whatever its model.
local model, holder, most, linger_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HDEL', K.hinted(), model)
local leased, alone = {}, false
while #leased < most and not alone do
  local id = redis.call('LPOP', K.waiting(model))
  if not id then break end
  local status, strikes = unpack(redis.call('HMGET', K.job(id), 'status', 'strikes'))
  if status and not ENDED[status] and MAY[status] and redis.call('HEXISTS', K.leases(), member(id, '0')) == 0 then
    alone = strikes and true or false
    if alone and #leased > 0 then
      redis.call('LPUSH', K.waiting(model), id)
      break
    end
    leased[#leased + 1] = lease_row(id, holder)
  end
end
if redis.call('LLEN', K.waiting(model)) > 0 then hint_single(model, false) end
if #leased == 0 and linger_ms > 0 and redis.call('HLEN', K.hinted()) == 0 and redis.call('LLEN', K.batch()) == 0 then
  redis.call('DEL', K.wake(holder))
  redis.call('ZADD', K.lingering(), text(now_ms() + linger_ms), holder)
  return 'lingering'
end
return leased
