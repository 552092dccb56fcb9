-- Ends single jobs of one model. ARGV, for each: id, attempt, 'succeeded' or 'failed', result or error as JSON.
-- Returns how many were counted. Of the others the lease has another attempt now.
local ended, model, bad = {}, nil, 0
for index = 1, #ARGV, 4 do
  local id, attempt, status, outcome = unpack(ARGV, index, index + 3)
  if lease_of(member_of(id, ROW)) == tonumber(attempt) then
    local succeeded = status == STATUS.succeeded
    local field = succeeded and F.result or F.error
    if finish(id, status, nil, F.rows_done, 1, F.rows_failed, succeeded and 0 or 1, field, outcome) then
      if not succeeded then bad = bad + 1 end
      model = model or redis.call('HGET', K.job(id), F.model)
      ended[#ended + 1] = #outcome <= PUBLISHED_BYTES and id .. ' ' .. status .. ' ' .. outcome or id
    end
  end
end
if #ended > 0 then
  count_throughput(#ended)
  count_rows(model, #ended, bad)
end
publish(ended)
return #ended
