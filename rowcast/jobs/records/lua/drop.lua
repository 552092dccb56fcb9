-- Takes an announced upload back. ARGV: id, how long a worker may still be storing a part of it (ms).
local id, still_ms = unpack(ARGV)
redis.call('ZREM', K.sweeping(), id)
if is_arriving(id) and redis.call('HGET', K.job(id), 'next') == '0' then forget(id) -- nobody has touched it
elseif is_arriving(id) then
  bury(id, '', math.ceil(still_ms / 1000))
  redis.call('ZADD', K.sweeping(), text(now_ms() + tonumber(still_ms)), id)
end
return 'OK'
