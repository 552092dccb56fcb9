-- Notes what became of a claimed delivery.
-- ARGV: id, token, new state, the attempt as JSON ('' if none was made), ms until the next attempt (if it is pending).
-- A pending delivery is given up if its next attempt would be more than GIVE_UP_MS after the end of the job.
-- Returns the state; or '' if the claim is over: another gateway took it, or the job was queued again or deleted.
local id, token, state, attempt, delay_ms = unpack(ARGV)
if tonumber(redis.call('ZSCORE', K.webhooks(), id) or -1) ~= tonumber(token) or not is_delivery_pending(id) then return '' end
if attempt ~= '' then redis.call('HSET', K.job(id), F.webhook_last, attempt)
else redis.call('HINCRBY', K.job(id), F.webhook_attempts, -1) end
local next_ms = now_ms() + delay_ms
if attempt ~= '' and next_ms - tonumber(redis.call('HGET', K.job(id), F.finished_ms)) > GIVE_UP_MS then
  state = state == DELIVERY.pending and DELIVERY.failed or state
end
if state == DELIVERY.pending then
  schedule_delivery(id, format_integer(next_ms))
else
  redis.call('HSET', K.job(id), F.webhook, state)
  redis.call('HDEL', K.job(id), F.webhook_next_ms)
  redis.call('ZREM', K.webhooks(), id)
end
return state
