"""What users of OpenAI's client run, given the address, an API key and a file of requests. It prints what they get."""

import json
import sys
import time
from pathlib import Path

import openai

url, key, path, bad_path = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def run(path: str, **metadata: str) -> openai.types.Batch:
    """Sends a file, makes a batch of it, and waits for its end."""
    with open(path, "rb") as content:  # noqa: PTH123 (as OpenAI's documentation has it)
        file = client.files.create(file=content, purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/predict", completion_window="24h", metadata=metadata or None
    )
    while batch.status in ("validating", "in_progress", "finalizing"):
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    return batch


def lines(file_id: str) -> list[dict]:
    """Returns the lines of a file."""
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


batch = run(path, run="nightly", note="a, b")
print(batch.to_json(indent=None))
print(json.dumps([lines(batch.output_file_id), lines(batch.error_file_id)]))

assert next(iter(client.batches.list(limit=1))) == batch
file = client.files.retrieve(batch.input_file_id)
assert (file.purpose, file.filename) == ("batch", "rows.jsonl")
assert client.files.content(file.id).content == Path(path).read_bytes()
output = client.files.retrieve(batch.output_file_id)
assert (output.purpose, output.bytes) == ("batch_output", len(client.files.content(output.id).content))

wrong = run(bad_path)
print(wrong.to_json(indent=None))
sent = [one.id for one in client.files.list(limit=1)]
assert sent[:2] == [wrong.input_file_id, file.id]
assert client.files.delete(file.id).deleted
assert [one.id for one in client.files.list(order="asc", purpose="batch")] == [
    one for one in sent[::-1] if one != file.id
]

for fails in (
    lambda: client.files.retrieve(file.id),
    lambda: client.batches.create(input_file_id=sent[0], endpoint="/v1/embeddings", completion_window="24h"),
    lambda: client.batches.cancel(batch.id),
    lambda: client.batches.retrieve("batch_1"),
):
    try:
        fails()
    except openai.APIStatusError as error:
        print(json.dumps([error.status_code, error.code, error.type, error.param, error.body["message"]]))
