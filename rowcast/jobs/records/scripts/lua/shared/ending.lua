-- How a job ends when all its chunks are done. If none of its rows could be predicted, the job fails and says why. As long
-- as all rows are bad, the record's `reasons` holds {message: {rows, example}}, of at most REASONS_KEPT messages.

-- Notes the reason of a part. `bad` is the most frequent fault of a part whose rows are all bad, otherwise nil.
local function note_reason(id, bad)
  local done, failed, known_reasons = unpack(redis.call('HMGET', K.job(id), F.rows_done, F.rows_failed, F.reasons))
  if done ~= failed then
    if known_reasons then redis.call('HDEL', K.job(id), F.reasons) end
    return
  end
  if not bad then return end
  local reasons, kept = cjson.decode(known_reasons or '{}'), 0
  for _ in pairs(reasons) do kept = kept + 1 end
  local known = reasons[bad.message]
  if known then known.rows = known.rows + bad.rows
  elseif kept < REASONS_KEPT then reasons[bad.message] = {rows = bad.rows, example = bad.example} end
  redis.call('HSET', K.job(id), F.reasons, cjson.encode(reasons))
end

local function every_row_bad(rows, reasons)
  local message, most
  for fault, known in pairs(reasons) do
    local is_first = most and known.rows == most.rows and fault < message -- the same message in any order of the parts
    if not most or known.rows > most.rows or is_first then message, most = fault, known end
  end
  local detail = 'None of the ' .. format_integer(rows) .. ' rows can be predicted'
  if most then
    local whose = most.rows == rows and 'every row ' or 'mostly (' .. format_integer(most.rows) .. ') a row '
    local example = most.example ~= '' and " (one is '" .. most.example .. "')" or ''
    detail = detail .. ': ' .. whose .. message .. example
  end
  return problem('every-row-bad', string.match(detail, '%?$') and detail or detail .. '.')
end

-- Returns the status, and the error if the job fails. Only the job that finds the files of a check has no row.
local function ending(id)
  local rows, failed, reasons = unpack(redis.call('HMGET', K.job(id), F.rows, F.rows_failed, F.reasons))
  if tonumber(failed or 0) < tonumber(rows) or rows == '0' then
    local drifted = drifted_problem(id)
    return drifted and STATUS.failed or STATUS.succeeded, drifted
  end
  return STATUS.failed, every_row_bad(tonumber(rows), cjson.decode(reasons or '{}'))
end

-- Ends a batch whose chunks are all done. If its result goes to a URL, the worker that writes the manifest there ends it:
-- the conversion is in flight once more. Returns whether the job has ended.
local function finish_scored(id)
  local to, err = ending(id)
  if to ~= STATUS.succeeded or redis.call('HGET', K.job(id), F.output) ~= OUTPUT_LEFT then return finish(id, to, err) end
  put_in_flight(id, CONVERSION, 0)
  return false
end
