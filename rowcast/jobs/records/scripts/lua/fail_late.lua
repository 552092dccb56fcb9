-- Upkeep: fails jobs that have not ended in the time that their `expires_in` allows. ARGV: maximum number.
-- Returns their ids. An upload that still goes on fails with its last byte.
local failed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.deadlines(), '-inf', format_integer(now_ms()), 'LIMIT', 0, ARGV[1])) do
  redis.call('ZREM', K.deadlines(), id)
  local seconds, done, rows, model =
    unpack(redis.call('HMGET', K.job(id), F.expires_in, F.rows_done, F.rows, F.model))
  local err = problem('too-late', string.format(
    'The job had not ended after %s s, which is its expires_in: %s of %s rows were done.', seconds or 0, done or 0, rows or 0))
  if finish(id, STATUS.failed, err) then
    if is_single(id) then redis.call('LREM', K.waiting(model_entry_of(id)), 1, id) end
    failed[#failed + 1] = id
  end
end
publish(failed)
return failed
