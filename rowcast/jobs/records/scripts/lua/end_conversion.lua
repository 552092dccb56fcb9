-- Notes that a file is converted and all of its chunks are added. The job then ends with its last chunk.
-- ARGV: id, attempt of the conversion, number of chunks, the job's spec as JSON, processor time (µs).
-- Returns 'converted' | 'ended' (all chunks were scored already) | 'stale' (the lease is over).
local id, attempt, chunks, spec, cpu_us = unpack(ARGV)
if lease_of(member_of(id, CONVERSION)) ~= tonumber(attempt) then return 'stale' end
redis.call('HSET', K.job(id), F.spec, spec)
redis.call('HDEL', K.job(id), F.converting)
redis.call('HINCRBY', K.job(id), F.cpu_us, cpu_us)
local _, holder = lease_of(member_of(id, CONVERSION))
note(id, 'converted', {rows = tonumber(redis.call('HGET', K.job(id), F.rows)), chunks = tonumber(chunks), worker = holder})
take_out_of_flight(id, CONVERSION)
if (redis.call('HGET', K.job(id), F.chunks_done) or '0') == chunks then
  if finish_scored(id) then
    publish({id})
    return 'ended'
  end
end
top_up(id)
publish({id .. '/part'})
return 'converted'
