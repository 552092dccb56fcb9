-- Lists the jobs whose files are to be removed now. ARGV: maximum number.
-- A job that needs its files is taken off the list. An upload that is on the list has been silent for too long, and is
-- replaced by a tombstone.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.removing(), '-inf', format_integer(now_ms()), 'LIMIT', 0, ARGV[1])) do
  end_upload(id, UPLOAD.abandoned, '', '')
  if is_arriving(id) then write_tombstone(id, '', UPLOAD_TOMBSTONE_SECONDS) end
  local status = status_of(id)
  if not status or status == STATUS.deleted or status == STATUS.expired then found[#found + 1] = id
  else redis.call('ZREM', K.removing(), id) end
end
return found
