"""The command line. Results go to standard output or a file, everything else to standard error."""
