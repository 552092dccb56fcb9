-- Takes a file of requests off the lists, unless a batch needs it. ARGV: id of the file.
-- Returns 1 if the file may be removed now, otherwise 0.
if file_needed_until(ARGV[1]) then
  redis.call('EXPIRE', K.file_batches(ARGV[1]), FILE_BATCHES_SECONDS) -- the file may outlive it, if a batch waits for long
  return 0
end
unlist_file(ARGV[1])
return 1
