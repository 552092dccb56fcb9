"""Jobs in Redis: their records, leases and messages, and the scripts that change them."""
