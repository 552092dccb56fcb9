-- Ends leases early. Without a delay the work is offered at once; with one, upkeep offers it when it is due.
-- ARGV: strikes against each chunk or row, delay (ms), the error of a job that then has too many strikes ('' if a process
--       died), then JOB/CHUNK and attempt of each lease.
local function put_back(member, id, delay_ms)
  redis.call('HDEL', K.leases(), member)
  redis.call('ZADD', K.due(), format_integer(now_ms() + (delay_ms > 0 and delay_ms or RESEND_MS)), member)
  if not is_single(id) then
    if delay_ms == 0 then offer_chunk(member) end
  elseif delay_ms > 0 then
    redis.call('HSET', K.job(id), F.postponed, 1)
  else
    local entry = model_entry_of(id)
    redis.call('LPUSH', K.waiting(entry), id)
    offer_rows(entry)
  end
end

local function note_release(id, chunk, delay_ms, err)
  if delay_ms > 0 then note_once(id, 'postponed', {detail = detail_of(err)})
  elseif not is_single(id) then note(id, 'given_back', {chunk = tonumber(chunk)}) end
end

local strikes, delay_ms, err = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] ~= '' and ARGV[3] or nil
for index = 4, #ARGV, 2 do
  local member, attempt = ARGV[index], tonumber(ARGV[index + 1])
  local id, chunk = split_member(member)
  if lease_of(member) == attempt and not strike(id, chunk, strikes, err) then
    if strikes == 0 then note_release(id, chunk, delay_ms, err) end
    put_back(member, id, delay_ms)
  end
end
return 'OK'
