"""The benchmark: Rowcast beside what its users would have written, in one run (`make bench`)."""
