"""How far a job is and what happened to it, chunk by chunk, and how much work waits."""
