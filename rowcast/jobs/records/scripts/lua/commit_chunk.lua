-- Counts a stored part, once, and puts the next chunks in flight.
-- ARGV: id, chunk, attempt, the part's entry of the table, rows, bad rows, the part's bytes, the errors' bytes, summary as
--       JSON, revision of the chunk or '', processor time (µs), that of the scoring itself or 0 if it is not known (µs),
--       SHA-256 of the part that was written to a URL, or '', counts of drift or '', profile or '' (drift.lua).
-- Returns 'unprofiled' (nothing was changed, because Redis lacks the profile of the model) | 'counted' | 'ended' (the job has ended with it) | 'stale' (the lease or the chunk is another one now) |
-- 'rescored' (the part of a job that had succeeded is there again) | 'lost' (as 'rescored', but the part has changed).
local id, chunk, attempt, part, rows, failed, part_bytes, error_bytes, summary, revision, cpu_us, scoring_us, output,
  drift_counts, profile = unpack(ARGV)
local leased, holder = lease_of(member_of(id, chunk))
if leased ~= tonumber(attempt) then return 'stale' end
if (revisions_in(id, F.revisions)[chunk] or '') ~= revision then return 'stale' end
if status_of(id) == STATUS.succeeded then
  local before = redis.call('GETRANGE', K.parts(id), chunk * PART_ENTRY_BYTES, (chunk + 1) * PART_ENTRY_BYTES - 1)
  local is_same = before == part
  if is_same then
    note(id, 'rescored', {chunk = tonumber(chunk), worker = holder})
    take_out_of_flight(id, chunk)
  else give_up_rescoring(id, chunk) end
  return is_same and 'rescored' or 'lost'
end
local is_compared = drift_counts ~= '' and redis.call('EXISTS', K.drift(id)) == 0
if is_compared and not keep_profile(id, profile) then return 'unprofiled' end
redis.call('SETRANGE', K.parts(id), chunk * PART_ENTRY_BYTES, part)
if output ~= '' then redis.call('SETRANGE', K.outputs(id), chunk * #output, output) end
local took_ms = write_history(id, chunk, leased, holder)
count_throughput(rows)
take_out_of_flight(id, chunk)
note_repaired(id, chunk)
redis.call('HINCRBY', K.job(id), F.rows_done, rows)
redis.call('HINCRBY', K.job(id), F.part_bytes, part_bytes)
redis.call('HINCRBY', K.job(id), F.error_bytes, error_bytes)
redis.call('HINCRBY', K.job(id), F.cpu_us, cpu_us)
local all_failed = redis.call('HINCRBY', K.job(id), F.rows_failed, failed)
local chunks_done = redis.call('HINCRBY', K.job(id), F.chunks_done, 1)
summary = cjson.decode(summary)
add_summary(id, summary)
note_reason(id, summary.bad)
if is_compared then add_drift_counts(id, drift_counts) end

local chunks, max_errors, model = unpack(redis.call('HMGET', K.job(id), F.chunks, F.max_errors, F.model))
count_rows(model, rows, failed)
observe_ms(M.chunk, model, took_ms)
if scoring_us ~= '0' and rows ~= '0' then count_cost(model, rows, scoring_us) end
local ended = false
if max_errors and all_failed > tonumber(max_errors) then
  ended = finish(id, STATUS.failed, problem('too-many-bad-rows', string.format(
    '%d rows could not be predicted, and the job allows %s.', all_failed, max_errors)))
elseif chunks_done == tonumber(chunks) and not is_arriving(id) and not is_converting(id) then
  ended = finish_scored(id)
else
  top_up(id)
end
publish({ended and id or id .. '/part'})
return ended and 'ended' or 'counted'
