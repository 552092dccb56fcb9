"""The benchmark: Rowcast compared with what its users would have written, in one run (`make bench`)."""
