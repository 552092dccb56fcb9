"""How Redis is reached: its address, connections with TLS and over Sentinel, and their faults."""
