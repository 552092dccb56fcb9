-- Ends leases early, so that the work goes on at once. ARGV: attempts that a chunk or row may take, delay (ms),
-- the error for jobs that have none left, then JOB/CHUNK and attempt each.
-- Answers the members whose job has failed by it.
local function put_back(this, id, chunk, delay)
  local model = redis.call('HGET', K.job(id), 'waits_for')
  redis.call('HDEL', K.leases(), this)
  redis.call('ZADD', K.due(), text(now_ms() + (delay > 0 and delay or RESEND_MS)), this)
  if delay > 0 then return end -- upkeep sends it when it is due
  if model then
    redis.call('LPUSH', K.waiting(model), id)
    hint_single(model, false)
  else
    hint_chunk(id, chunk)
  end
end

local failed = {}
local allowed, delay = tonumber(ARGV[1]), tonumber(ARGV[2])
for index = 4, #ARGV, 2 do
  local this, attempt = ARGV[index], tonumber(ARGV[index + 1])
  local id, chunk = string.match(this, '^(.*)/(%d+)$')
  if unpack_lease(redis.call('HGET', K.leases(), this)) == attempt then
    if attempt >= allowed then
      if finish(id, 'failed', ARGV[3]) then failed[#failed + 1] = id end
    else
      put_back(this, id, chunk, delay)
    end
  end
end
tell(failed)
return failed
