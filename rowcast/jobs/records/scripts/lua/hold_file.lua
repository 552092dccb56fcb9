-- Notes that a batch needs a file of requests. ARGV: id of the file, id of the batch's job.
redis.call('SADD', K.file_batches(ARGV[1]), ARGV[2])
redis.call('EXPIRE', K.file_batches(ARGV[1]), FILE_BATCHES_SECONDS)
