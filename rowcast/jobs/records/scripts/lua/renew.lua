-- Prolongs leases by LEASE_MS from now. ARGV: holder, then JOB/CHUNK of each lease.
-- Returns those that the holder no longer has.
local lost = {}
for index = 2, #ARGV do
  local _, holder = lease_of(ARGV[index])
  if holder == ARGV[1] then prolong(ARGV[index]) else lost[#lost + 1] = ARGV[index] end
end
return lost
