-- Ends single jobs. ARGV: id, attempt, 'succeeded' or 'failed', result or error as JSON, for each.
-- Answers how many were counted; the others were not the lease's attempt any more.
local ended = {}
for index = 1, #ARGV, 4 do
  local id, attempt, status, outcome = unpack(ARGV, index, index + 3)
  if unpack_lease(redis.call('HGET', K.leases(), member(id, '0'))) == tonumber(attempt) then
    local succeeded = status == 'succeeded'
    if finish(id, status, not succeeded and outcome or nil) then
      redis.call('HSET', K.job(id), 'rows_done', 1, 'rows_failed', succeeded and 0 or 1)
      if succeeded then redis.call('HSET', K.job(id), 'result', outcome) end
      ended[#ended + 1] = #outcome <= TOLD_BYTES and id .. ' ' .. status .. ' ' .. outcome or id
    end
  end
end
publish(ended)
return #ended
