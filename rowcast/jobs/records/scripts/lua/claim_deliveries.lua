-- Takes deliveries that are due, for a gateway that attempts them now. If it dies, they are due again after CLAIM_MS.
-- ARGV: maximum number. Returns (id, which end of the job, attempt, token) of each; settle_delivery.lua takes the token.
local most = ARGV[1]
local now, claimed = now_ms(), {}

-- If one is due later than any pause is long, the clock was set back.
local latest = format_integer(now + 2 * LONGEST_DELIVERY_PAUSE_MS)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.webhooks(), '(' .. latest, '+inf', 'LIMIT', 0, most)) do
  schedule_delivery(id, format_integer(now))
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.webhooks(), '-inf', format_integer(now), 'LIMIT', 0, most)) do
  if is_delivery_pending(id) then
    local token = format_integer(now + CLAIM_MS)
    schedule_delivery(id, token)
    local attempt = redis.call('HINCRBY', K.job(id), F.webhook_attempts, 1)
    for _, value in ipairs({id, redis.call('HGET', K.job(id), F.webhook_ends), attempt, token}) do
      claimed[#claimed + 1] = value
    end
  else redis.call('ZREM', K.webhooks(), id) end
end
return claimed
