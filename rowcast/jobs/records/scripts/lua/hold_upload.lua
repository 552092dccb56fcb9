-- Makes one request the only one that may append to a resumable upload. ARGV: id, token of the request.
-- Returns the fields and values of the upload's record.
local id, token = unpack(ARGV)
if upload_state(id) == UPLOAD.open then
  redis.call('HSET', K.upload(id), U.holder, token)
  list_for_removal(id, silence_ms(id))
end
return redis.call('HGETALL', K.upload(id))
