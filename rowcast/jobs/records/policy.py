"""The numbers behind leases, retries and uploads. Lua gets them from here (`lua_source.py`)."""

IDEMPOTENCY_SECONDS = 86_400
"""How long an Idempotency-Key finds the job that it made."""

CHECK_SECONDS = 60
"""Life of a check's job after its end, if the gateway that made it did not delete it."""

UPLOAD_SILENCE_SECONDS = 600
"""How long an upload may store nothing. Then it counts as dead; the gateway refuses a stalled one long before."""

RESUMABLE_SILENCE_SECONDS = 6 * 3600
"""How long a resumable upload may store nothing, from its first byte on: its sender may be on a journey."""

UNMADE_BATCH_SECONDS = 3600
"""How long a file of requests is kept for a batch that has no record. Then it counts as one that was never made."""

FILE_BATCHES_SECONDS = 7 * 86_400
"""How long, beyond a retention, Redis knows the batches of a file after one was made, or upkeep has seen the file."""

UPLOAD_ALIVE_SECONDS = 75.0
"""An upload that was announced in this time still arrives. A gateway announces it again every minute."""

RESEND_SECONDS = 5.0
"""How long a chunk or a row may wait for a lease before upkeep checks that it is still in its line."""

LONGEST_PAUSE_SECONDS = 30.0
"""Longest pause between attempts if the store, the registry or Redis is away."""

PUBLISHED_BYTES = 1_000
"""Largest outcome of a single row, in bytes, that is published with its end. Larger ones are read from the record."""

CLAIM_SECONDS = 30.0
"""How long one gateway may attempt to deliver to a webhook. Then it counts as dead, and another gateway attempts it."""

STRIKES_ALLOWED = 10
"""Strikes against one chunk or row that fail its job. So a row that kills every process does not go on for ever."""

STRIKES_OF_DEATH = 1
"""Strikes for a lease that ended because its holder died or fell silent: usually not because of the chunk."""

STRIKES_OF_ERROR = 4
"""Strikes for a lease that ended with an error of the chunk itself; the third such error is the last."""

LATE_PART_LEASES = 2
"""How long a worker may still be storing a part of a job that is gone, as a number of lease lengths."""

HEARTBEAT_SECONDS = 2.0
"""Time between two heartbeats of a worker."""

SILENT_SECONDS = 10.0
"""A worker without a heartbeat for this long does not count as online."""

WINDOW_LEAST = 4
"""Chunks of one job that may be in flight, however few processes there are."""

WINDOW_PER_SLOT = 2
"""Chunks of one job that may be in flight for each process that is online."""

NORMAL_TURNS = 4
"""Of this number of chunks of an API key, at least one has the priority `normal`, if any such chunk waits."""

LOW_TURNS = 16
"""Of this number of chunks of an API key, at least one has the priority `low`, if any such chunk waits."""

UNMEASURED_ROW_SECONDS = 10e-6
"""Processor time that is assumed for a row of a model of which no chunk has been scored yet."""

CHUNK_SECONDS = 0.003
"""Processor time of a chunk besides its rows: its lease, its files and its commit."""

UNPLANNED_CHUNK_SECONDS = 1.0
"""Processor time that is assumed for work whose rows are not counted: to convert a file, to write a Parquet file."""

WAKE_SECONDS = 60
"""How long Redis keeps a word to a lingering process that does not read it."""

LOG_KEPT = 200
"""Entries of a job's log that are kept, the newest."""

HOLDERS_KEPT = 1_000
"""Worker processes whose names are kept with a job, to say which scored a chunk. Of others it is not known."""

THROUGHPUT_BUCKET_SECONDS = 5.0
"""Seconds of which the scored rows are counted together."""

THROUGHPUT_BUCKETS = 13
"""Buckets that are kept besides the newest: a little more than a minute."""

GATHER_ROWS = 256
"""Largest number of single rows that are predicted in one call, which costs hardly more than one row does."""

COST_KEPT = 0.8
"""What each further chunk leaves of the weight of the chunks before it, when the cost of a model's rows is measured."""

REASONS_KEPT = 16
"""Different messages of bad rows that a record keeps while all rows of its job are bad."""

PROFILE_SECONDS = 2 * 86_400
"""How long Redis keeps a profile that no commit uses. An upload may be silent for a day before its job is compared."""

SHADOWS_UNFINISHED = 10
"""Comparisons of one job with its shadow that may have begun and not ended.

A shadow that kills its process ends none, so it costs each job this many processes at most."""
