-- Takes a file of requests off the lists that was deleted. ARGV: id of the file.
unlist_file(ARGV[1])
