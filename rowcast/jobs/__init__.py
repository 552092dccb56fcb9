"""Jobs: what one is, how its input is cut into chunks, where its record and its files lie, how its work is queued."""
