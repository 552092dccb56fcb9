-- Begins the comparison of a chunk with the job's shadow. ARGV: id, chunk, attempt.
-- Returns 1, or 0 if the job is gone, or if SHADOWS_UNFINISHED comparisons have begun and not ended: perhaps the shadow
-- kills its processes. That counts as an error.
local id, chunk, attempt = unpack(ARGV)
local shadow, model = shadow_of(id)
if not shadow then return 0 end
local unfinished = 0
for _, name in ipairs(redis.call('HKEYS', K.shadow(id))) do
  if string.sub(name, 1, 6) == 'chunk ' then unfinished = unfinished + 1 end
end
if unfinished >= SHADOWS_UNFINISHED then
  count_shadow(id, model, shadow, {errors = 1})
  return 0
end
redis.call('HSET', K.shadow(id), comparison_of(chunk, attempt), 1)
return 1
