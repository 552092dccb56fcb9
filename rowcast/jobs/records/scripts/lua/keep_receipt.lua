-- Keeps the receipt of a batch. ARGV: id, how often the job had been repaired when the receipt was made, receipt.
-- Returns the receipt that the job has now: the first one that was kept. '' if the job has changed since.
local id, repairs, receipt = unpack(ARGV)
local status, now = unpack(redis.call('HMGET', K.job(id), F.status, F.repairs))
if status ~= STATUS.succeeded or (now or '0') ~= repairs then return '' end
redis.call('HSETNX', K.job(id), F.receipt, receipt)
return redis.call('HGET', K.job(id), F.receipt)
