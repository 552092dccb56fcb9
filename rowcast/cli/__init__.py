"""The command line. Results go to standard output or a file, all else to standard error."""
