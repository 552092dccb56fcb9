"""Files of requests: JSONL files that are kept, so that batches can be made of them later (`/v1/files`)."""
