-- Marks a job whose files are removed now. The record stays for another retention. ARGV: id.
-- Returns 1 if the job was marked, otherwise 0.
local id = ARGV[1]
redis.call('ZREM', K.expiring(), id)
if not set_status(id, STATUS.expired) then return 0 end
take_all_out_of_flight(id) -- its Parquet file, or a part that is made again
redis.call('DEL', K.plan(id), K.parts(id), K.in_flight(id), K.history(id), K.holders(id), K.outputs(id),
  K.drift_counts(id))
redis.call('HDEL', K.job(id), F.values, F.result, F.parquet)
redis.call('PEXPIRE', K.job(id), RETENTION_MS)
redis.call('PEXPIRE', K.summary(id), RETENTION_MS)
redis.call('PEXPIRE', K.log(id), RETENTION_MS)
redis.call('PEXPIRE', K.drift(id), RETENTION_MS)
redis.call('PEXPIRE', K.shadow(id), RETENTION_MS)
list_for_removal(id, 0)
return 1
