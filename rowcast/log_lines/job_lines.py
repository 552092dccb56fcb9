"""The lines about one job in order of time: what the service says of it, and what the programs have logged."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rowcast.log_lines.console_text import console_text
from rowcast.log_lines.kept_lines import KeptLog

SERVICE = "job"
"""The program that is named in the lines of `GET /jobs/ID/log`. Any program may have written them."""


class JobLines:
    """The lines about one job. `kept` has those of the programs, if they can be read here."""

    def __init__(self, job: str, kept: KeptLog | None) -> None:
        self._job, self._kept = job, kept
        self._seen: set[tuple[Any, ...]] = set()

    def new(self, log: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Returns the lines that an earlier call has not returned. `log` is what `GET /jobs/ID/log` returns now."""
        request_id = str(log.get("request_id") or "")
        ids = {"job": self._job, "request_id": request_id, "trace_id": log.get("trace_id")}
        about = {"level": "info", "program": SERVICE, **ids}
        lines = [{"time": entry["at"], **about, **_known(entry)} for entry in log["log"] if self._is_new(entry)]
        if self._kept is not None:
            wanted = [self._job, *([request_id] if request_id else [])]
            lines += [line for line in self._kept.new_lines(wanted) if self._is_about(line, request_id)]
        return sorted(lines, key=_time)

    def _is_new(self, entry: Mapping[str, Any]) -> bool:
        known = tuple(entry.values())
        is_new = known not in self._seen
        self._seen.add(known)
        return is_new

    def _is_about(self, line: Mapping[str, Any], request_id: str) -> bool:
        """Returns whether a line is about the job, or about the request that made it and about no job.

        Requests that only read the job are left out. A caller that waits makes many of them.
        """
        if "time" not in line or (line.get("event") == "request" and line.get("method") in ("GET", "HEAD")):
            return False
        jobs = line.get("jobs")
        if "job" in line or isinstance(jobs, list):
            return line.get("job") == self._job or (isinstance(jobs, list) and self._job in jobs)
        return bool(request_id) and line.get("request_id") == request_id


def line_text(line: Mapping[str, Any], *, colors: bool) -> str:
    """Returns a line for people, with its local time to the millisecond."""
    said = f"{SERVICE:<8} {line['message']}" if line["program"] == SERVICE else console_text(line, colors=colors)
    moment = _time(line).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} {said}"


def _known(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "at" and value is not None}


def _time(line: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(line["time"])
