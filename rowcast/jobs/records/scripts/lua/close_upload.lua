-- Ends a resumable upload without a job that has its id. ARGV: id, state, id of the job that it led to or '', reason or ''.
-- Returns 1, or 0 if it has ended before.
local id, state, job, reason = unpack(ARGV)
if not end_upload(id, state, job, reason) then return 0 end
remove_arrived(id)
list_for_removal(id, LATE_PART_MS) -- another gateway may be storing a segment at this moment
return 1
