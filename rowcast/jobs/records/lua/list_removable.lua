-- Names the jobs whose files are to be swept now. ARGV: most, how long a worker may still
-- be storing a part (s). Those that live after all are taken off the list; an upload that still arrives has fallen silent.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.removing(), '-inf', format_integer(now_ms()), 'LIMIT', 0, ARGV[1])) do
  if is_arriving(id) then write_tombstone(id, '', ARGV[2]) end
  local status = redis.call('HGET', K.job(id), 'status')
  if not status or status == 'deleted' or status == 'expired' then found[#found + 1] = id
  else redis.call('ZREM', K.removing(), id) end
end
return found
