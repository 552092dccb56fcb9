-- Pauses: work that is handed to no process until it is resumed. An entry of `K.paused()` is 'all', a kind of work (KIND),
-- 'model NAME' or 'model NAME@VERSION'.

local has_pauses = nil

-- Returns whether anything is paused, as it was when the script first asked.
local function is_any_paused()
  if has_pauses == nil then has_pauses = redis.call('EXISTS', K.paused()) == 1 end
  return has_pauses
end

-- Returns whether work of this kind and model is paused: 'NAME@VERSION', or two of them with a comma.
local function is_paused(kind, model)
  if not is_any_paused() then return false end
  local names = {'all', kind}
  for version in string.gmatch(model or '', '[^,]+') do
    names[#names + 1] = 'model ' .. version
    names[#names + 1] = 'model ' .. string.match(version, '^[^@]*')
  end
  for _, since_ms in ipairs(redis.call('HMGET', K.paused(), unpack(names))) do
    if since_ms then return true end
  end
  return false
end

-- Returns whether a job's work is paused.
local function is_job_paused(id)
  if not is_any_paused() then return false end
  local kind, model = unpack(redis.call('HMGET', K.job(id), F.kind, F.model))
  return is_paused(kind or '', model) -- a job that was deleted has neither
end
