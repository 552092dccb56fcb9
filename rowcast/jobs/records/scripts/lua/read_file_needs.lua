-- Reads until when batches need files. ARGV: ids of files.
-- Returns for each of them the time (ms), '0' if a batch has not ended, or '' if no batch needs it.
local found = {}
for number, file in ipairs(ARGV) do
  local needed = file_needed_until(file)
  found[number] = needed and format_integer(needed) or ''
end
return found
