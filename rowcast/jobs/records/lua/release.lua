-- Ends leases early. ARGV: strikes against each, delay (ms), the error for a job that has no more chances (''
-- where a process died), then JOB/CHUNK
-- and attempt each. Without a delay the work goes on at once; with one, upkeep sends it when it is due.
local function put_back(this, id, chunk, delay)
  local model = redis.call('HGET', K.job(id), 'waits_for')
  redis.call('HDEL', K.leases(), this)
  redis.call('ZADD', K.due(), format_integer(now_ms() + (delay > 0 and delay or RESEND_MS)), this)
  if delay > 0 then -- it waits for its time to come (`due`)
    if model then redis.call('HSET', K.job(id), 'parked', 1) end
  elseif model then
    redis.call('LPUSH', K.waiting(model), id)
    offer_rows(model)
  else offer_chunk(this) end
end

local strikes, delay, err = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] ~= '' and ARGV[3] or nil
for index = 4, #ARGV, 2 do
  local this, attempt = ARGV[index], tonumber(ARGV[index + 1])
  local id, chunk = string.match(this, '^(.*)/(%d+)$')
  if unpack_lease(redis.call('HGET', K.leases(), this)) == attempt then
    if not strike(id, chunk, strikes, err) then put_back(this, id, chunk, delay) end
  end
end
return 'OK'
