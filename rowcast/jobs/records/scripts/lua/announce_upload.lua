-- Announces an upload, or that it still goes on. If it stays silent (`silence_ms`), upkeep removes its files.
-- ARGV: id, owner, limit of live jobs, limit of the owner's.
-- Returns '', or the limit that is reached: 'all' or 'owner'.
local id, owner, most, most_owned = unpack(ARGV)
local full = limit_reached(owner, most, most_owned)
if full == '' then list_for_removal(id, silence_ms(id)) end
return full
