-- Forgets a file of requests that was deleted. ARGV: id of the file.
forget_file(ARGV[1])
