-- How a job ends when all its chunks are done. If not one of its rows could be predicted it fails, and says why: while
-- all rows are bad, the record's `reasons` holds {message: {rows, example}}, a few of them.
local REASONS_KEPT = 16

-- Takes note of a part. `bad` is the most frequent fault of one whose rows are all bad, otherwise nil.
local function note_reason(id, bad)
  local job = redis.call('HMGET', K.job(id), 'rows_done', 'rows_failed', 'reasons')
  if job[1] ~= job[2] then
    if job[3] then redis.call('HDEL', K.job(id), 'reasons') end
    return
  end
  if not bad then return end
  local reasons, kept = cjson.decode(job[3] or '{}'), 0
  for _ in pairs(reasons) do kept = kept + 1 end
  local known = reasons[bad.message]
  if known then known.rows = known.rows + bad.rows
  elseif kept < REASONS_KEPT then reasons[bad.message] = {rows = bad.rows, example = bad.example} end
  redis.call('HSET', K.job(id), 'reasons', cjson.encode(reasons))
end

local function every_row_bad(rows, reasons)
  local message, most
  for fault, known in pairs(reasons) do
    local is_first = most and known.rows == most.rows and fault < message -- the same answer in whatever order
    if not most or known.rows > most.rows or is_first then message, most = fault, known end
  end
  local detail = 'None of the ' .. format_integer(rows) .. ' rows can be predicted'
  if most then
    local whose = most.rows == rows and 'every row ' or 'mostly (' .. format_integer(most.rows) .. ') a row '
    local example = most.example ~= '' and ", for example '" .. most.example .. "'" or ''
    detail = detail .. ': ' .. whose .. message .. example
  end
  return problem('every-row-bad', string.match(detail, '%?$') and detail or detail .. '.')
end

-- Answers the status, and the error of a job that fails.
local function ending(id)
  local job = redis.call('HMGET', K.job(id), 'rows', 'rows_failed', 'reasons')
  if tonumber(job[2] or 0) < tonumber(job[1]) then return 'succeeded' end
  return 'failed', every_row_bad(tonumber(job[1]), cjson.decode(job[3] or '{}'))
end
