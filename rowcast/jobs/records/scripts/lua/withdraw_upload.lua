-- Withdraws an announced upload. ARGV: id.
-- Leaves a tombstone if workers know of the upload, because one of them may be storing a part at this moment.
local id = ARGV[1]
redis.call('ZREM', K.removing(), id)
if is_arriving(id) then
  if redis.call('HGET', K.job(id), F.next_chunk) == '0' then delete_keys(id) -- no chunk was ever in flight
  else
    write_tombstone(id, '', UPLOAD_TOMBSTONE_SECONDS)
    list_for_removal(id, LATE_PART_MS)
  end
end
return 'OK'
