"""Lines that several processes keep in one file, which is renamed when it is full."""

import multiprocessing
from pathlib import Path

from rowcast.log_lines.job_lines import JobLines
from rowcast.log_lines.kept_lines import KeptLines, KeptLog

EACH = 200


def keep(folder: Path, name: str, max_bytes: int) -> None:
    lines = KeptLines(folder, "worker", max_bytes)
    for number in range(EACH):
        lines.write(f'{{"name": "{name}", "number": {number}}}')


def test_no_line_of_many_processes_is_lost_or_torn_when_files_are_renamed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    # Twice renamed would be lost, so the limit is over half of what is written.
    half = len('{"name": "a", "number": 100}\n') * EACH * 4 * 2 // 3
    processes = [context.Process(target=keep, args=(tmp_path, name, half)) for name in "abcd"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "worker.1.jsonl").exists()
    found = [(line["name"], line["number"]) for line in KeptLog(tmp_path).new_lines(["number"])]
    assert sorted(found) == [(name, number) for name in "abcd" for number in range(EACH)]
    assert [number for name, number in found if name == "a"] == list(range(EACH))


def test_a_reader_follows_a_file_that_is_renamed(tmp_path: Path) -> None:
    writer, log = KeptLines(tmp_path, "gateway", max_bytes=30), KeptLog(tmp_path)
    numbers = []
    for number in range(5):
        writer.write(f'{{"number": {number}}}')
        writer.write("not JSON with a number")
        numbers += [line["number"] for line in log.new_lines(["number"])]
    assert numbers == list(range(5))


def test_a_line_that_is_just_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    log, path = KeptLog(tmp_path), tmp_path / "up.jsonl"
    path.write_text('{"number": 1}\n{"numb')
    assert [line["number"] for line in log.new_lines(["number"])] == [1]
    with path.open("a") as file:
        file.write('er": 2}\n')
    assert [line["number"] for line in log.new_lines(["number"])] == [2]


def test_only_lines_about_the_job_are_shown_and_entries_once(tmp_path: Path) -> None:
    writer, lines = KeptLines(tmp_path, "gateway"), JobLines("mine", KeptLog(tmp_path))
    for second, about in enumerate(
        [
            '"request_id": "r"',
            '"job": "mine", "request_id": "another"',
            '"job": "other", "request_id": "r"',
            '"jobs": ["other", "mine"]',
            '"jobs": ["other"], "request_id": "r"',
            '"jobs": 3, "detail": "mine"',
        ]
    ):
        writer.write(f'{{"time": "2026-01-01T00:00:0{second}.5Z", "event": "{second}", {about}}}')
    writer.write('{"event": "without a time", "job": "mine"}')
    entry = {"at": "2026-01-01T00:00:01.000Z", "event": "created", "message": "It was made.", "chunk": None}
    log = {"request_id": "r", "trace_id": "t", "log": [entry]}
    assert [line["event"] for line in lines.new(log)] == ["0", "created", "1", "3"]
    assert lines.new(log) == []
