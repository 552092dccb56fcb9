-- A job's status, and what follows from its end: counts, expiry, tombstone, publication.

-- Returns '' if another job may be live; otherwise 'all' if the limit of all jobs is reached, or 'owner' if the owner's is.
local function limit_reached(owner, most, most_owned)
  local live = redis.call('HMGET', K.live(), '*', owner)
  if tonumber(live[1] or 0) >= tonumber(most) then return 'all' end
  return tonumber(live[2] or 0) >= tonumber(most_owned) and 'owner' or ''
end

local function count_live(owner, by)
  redis.call('HINCRBY', K.live(), '*', by)
  redis.call('HINCRBY', K.live(), owner, by)
end

local function status_of(id) return redis.call('HGET', K.job(id), F.status) end

-- Changes the status of a job, and writes more fields (`...`) in the same step. `from` is the present status, or nil if the
-- caller does not know it. Returns whether the table of states allowed it. Only the first status of a new record is written
-- elsewhere (add_chunks.lua, submit.lua).
local function set_status(id, to, from, ...)
  from = from or status_of(id)
  if not from or not MAY[from .. ' ' .. to] then return false end
  if to == STATUS.running then
    redis.call('HSET', K.job(id), F.status, to, F.started_ms, format_integer(now_ms()), ...)
  else redis.call('HSET', K.job(id), F.status, to, ...) end
  return true
end

-- Whether the job's input is still being uploaded. Workers score its chunks, but no index, count or call shows the job.
local function is_arriving(id) return status_of(id) == STATUS.arriving end

-- Lets a job that has `expires_in` fail that long from now (fail_late.lua), unless its time runs already.
local function start_deadline(id)
  local seconds = redis.call('HGET', K.job(id), F.expires_in)
  if seconds then redis.call('ZADD', K.deadlines(), 'NX', format_integer(now_ms() + seconds * 1000), id) end
end

-- Takes all chunks out of flight and notes them for a retry.
local function interrupt(id)
  local chunks_at_end = chunks_in_flight(id)
  if chunks_at_end ~= '' then redis.call('HSET', K.job(id), F.chunks_at_end, chunks_at_end) end
  redis.call('HDEL', K.job(id), F.round)
  take_all_out_of_flight(id)
end

-- Ends a job: sets status, times and counts, and takes all chunks out of flight. `...` are fields that are written in the
-- same step, for example the error. Returns whether the status allowed it. The caller publishes the end. A job whose input
-- is still being uploaded ends when the upload is complete (submit.lua).
local function finish(id, to, err, ...)
  local from, owner, rows, kind, webhook, is_check, model, expires_in = unpack(redis.call(
    'HMGET', K.job(id), F.status, F.owner, F.rows, F.kind, F.webhook, F.is_check, F.model, F.expires_in))
  if from == STATUS.arriving then
    redis.call('HSET', K.job(id), F.verdict, to, F.error, err or '')
    interrupt(id)
    return true
  end
  if not set_status(id, to, from, F.finished_ms, format_integer(now_ms()), ...) then return false end
  if err then redis.call('HSET', K.job(id), F.error, err) end
  if expires_in then redis.call('ZREM', K.deadlines(), id) end
  if kind == KIND.single then take_row_out_of_flight(id) -- the record says how it ended
  else
    interrupt(id)
    note(id, to, {detail = detail_of(err)})
  end
  count_live(owner, -1)
  begin_delivery(id, webhook)
  redis.call('ZADD', K.expiring(), format_integer(now_ms() + (is_check and CHECK_MS or RETENTION_MS)), id)
  add_total('jobs_' .. to, 1)
  add_total('rows_' .. to, tonumber(rows))
  if not is_check then add_metric(M.jobs, kind .. ' ' .. model .. ' ' .. to, 1) end
  return true
end

-- Queues a job that has ended, and takes back what its end did. The caller puts chunks in flight.
local function reopen(id, status, owner, rows)
  set_status(id, STATUS.queued)
  redis.call('HDEL', K.job(id), F.finished_ms, F.error, F.chunks_at_end, F.failed_chunk)
  redis.call('ZREM', K.expiring(), id)
  drop_delivery(id)
  start_deadline(id)
  count_live(owner, 1)
  add_total('jobs_' .. status, -1)
  add_total('rows_' .. status, 0 - tonumber(rows)) -- never '-0', which Redis refuses
end

-- Deletes every key of one job.
local function delete_keys(id)
  take_all_out_of_flight(id)
  redis.call('ZREM', K.webhooks(), id)
  redis.call('ZREM', K.deadlines(), id)
  redis.call('DEL', K.job(id), K.plan(id), K.parts(id), K.in_flight(id), K.summary(id), K.log(id), K.history(id),
    K.holders(id), K.outputs(id), K.drift_counts(id), K.drift(id), K.shadow(id))
end

-- Replaces a job by a tombstone. A worker that is storing a part of the job reads it and deletes the part again.
local function write_tombstone(id, owner, life_seconds)
  if not set_status(id, STATUS.deleted) then return end
  delete_keys(id)
  redis.call('HSET', K.job(id), F.status, STATUS.deleted, F.owner, owner)
  redis.call('EXPIRE', K.job(id), life_seconds)
end

-- Lists the job's files for removal after a delay.
local function list_for_removal(id, delay_ms)
  redis.call('ZADD', K.removing(), format_integer(now_ms() + delay_ms), id)
end

-- Publishes news of jobs, a line for each: 'ID' is a job that has ended, 'ID succeeded {...}' also carries the result of a
-- single job, and 'ID/part' is a job that has another part.
local function publish(lines)
  if #lines > 0 then redis.call('PUBLISH', ENDED_CHANNEL, table.concat(lines, '\n')) end
end
