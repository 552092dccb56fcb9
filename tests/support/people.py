"""A file of people, and the jobs that the containers make of it."""

import csv

import httpx

AGES = ("0.75", "7", "25", "38.0", "61", "")


def people(rows: int, ages: tuple[str, ...] = AGES) -> bytes:
    """A file whose ids have zeros in front, and whose cells a CSV writer would not write again as they are."""
    lines = [f"{row:07d},{ages[row % len(ages)]},{row % 3 + 1}" for row in range(rows)]
    return "\n".join(["id,age,pclass", *lines, ""]).encode()


def submit(client: httpx.Client, body: bytes, **options: str) -> dict:
    answer = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=options)
    assert answer.status_code == 202, answer.text
    return answer.json()


def ended(client: httpx.Client, id: str) -> dict:
    """Returns the job at its end. Each call waits for up to a minute."""
    job = client.get(f"/jobs/{id}", params={"wait": "60"}).json()
    return job if job["finished_at"] else ended(client, id)


def begun(client: httpx.Client, id: str) -> int:
    """Waits until rows are done. Returns how many."""
    while not (done := progress(client, id, wait="0.2")):
        pass  # each round waits in the gateway
    return done


def assert_whole(client: httpx.Client, id: str, rows: int) -> None:
    """The job of `slow`, which predicts the class that it is given, succeeds with every row, once, in its place."""
    job = ended(client, id)
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", rows), job
    result = list(csv.reader(client.get(f"/jobs/{id}/result").text.splitlines()))
    assert [row[0] for row in result[1:]] == [f"{row:07d}" for row in range(rows)]
    assert all(row[2] == row[3] for row in result[1:])


def progress(client: httpx.Client, id: str, wait: str = "0") -> int:
    """Returns the number of rows done, now or after the wait."""
    return client.get(f"/jobs/{id}", params={"wait": wait}).json()["progress"]["rows_done"]
