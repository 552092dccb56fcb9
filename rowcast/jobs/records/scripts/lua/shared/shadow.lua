-- The shadow of a batch: a version that scores it, too, and changes nothing in it. `K.shadow(id)` has the counts, and a
-- field for each comparison that has begun and not ended.

-- Returns the shadow and the model of a job, each as NAME@VERSION; nil if its files are gone or it has no shadow.
local function shadow_of(id)
  local status, model, spec = unpack(redis.call('HMGET', K.job(id), F.status, F.model, F.spec))
  if not status or not spec or status == STATUS.deleted or status == STATUS.expired then return nil end
  local shadow = cjson.decode(spec).shadow
  if not shadow then return nil end
  return shadow.name .. '@' .. shadow.version, model
end

local function comparison_of(chunk, attempt) return 'chunk ' .. chunk .. '/' .. attempt end

-- Adds counts of a chunk to those of the job, and to the metrics of both versions.
local function count_shadow(id, model, shadow, counts)
  for name, amount in pairs(counts) do redis.call('HINCRBY', K.shadow(id), name, format_integer(amount)) end
  local pair = model .. ' ' .. shadow
  local rows, differing = counts.rows or 0, counts.differing or 0
  add_metric(M.shadow_rows, pair .. ' same', rows - differing)
  add_metric(M.shadow_rows, pair .. ' differing', differing)
  add_metric(M.shadow_rows, pair .. ' failed', counts.failed or 0)
  add_metric(M.shadow_errors, pair, counts.errors or 0)
end
