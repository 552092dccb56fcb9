-- Takes an announced upload back. ARGV: id, how long a worker may still be storing a part of it (ms).
local id, still_ms = unpack(ARGV)
redis.call('ZREM', K.removing(), id)
if is_arriving(id) and redis.call('HGET', K.job(id), 'next_chunk') == '0' then delete_keys(id) -- nobody has touched it
elseif is_arriving(id) then
  write_tombstone(id, '', math.ceil(still_ms / 1000))
  redis.call('ZADD', K.removing(), format_integer(now_ms() + tonumber(still_ms)), id)
end
return 'OK'
