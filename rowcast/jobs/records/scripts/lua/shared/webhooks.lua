-- Webhooks: what a job with the option `webhook` has to deliver after its end. `K.webhooks()` holds when each is due.

-- Lets a gateway deliver the end of a job, if the job has a webhook.
local function begin_delivery(id, state)
  if not state then return end
  local now = format_integer(now_ms())
  redis.call('HSET', K.job(id), F.webhook, DELIVERY.pending, F.webhook_attempts, 0, F.webhook_next_ms, now)
  redis.call('HDEL', K.job(id), F.webhook_last)
  redis.call('HINCRBY', K.job(id), F.webhook_ends, 1)
  redis.call('ZADD', K.webhooks(), now, id)
end

-- Drops what is not delivered yet of a job that is queued again: its next end is delivered instead.
local function drop_delivery(id)
  redis.call('ZREM', K.webhooks(), id)
  if redis.call('HEXISTS', K.job(id), F.webhook) == 0 then return end
  redis.call('HSET', K.job(id), F.webhook, DELIVERY.waiting)
  redis.call('HDEL', K.job(id), F.webhook_attempts, F.webhook_last, F.webhook_next_ms)
end

-- Lets the next attempt be due at a time.
local function schedule_delivery(id, at_ms)
  redis.call('ZADD', K.webhooks(), at_ms, id)
  redis.call('HSET', K.job(id), F.webhook_next_ms, at_ms)
end

-- Whether a delivery is still to be made. If not, the job was deleted, or its record has expired.
local function is_delivery_pending(id) return redis.call('HGET', K.job(id), F.webhook) == DELIVERY.pending end
