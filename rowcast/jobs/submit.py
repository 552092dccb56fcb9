"""Submitting: a request becomes a job, whole or not at all."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import uuid_utils

from rowcast.errors import QueueFull, Refused, Unavailable
from rowcast.jobs import manifest
from rowcast.jobs.files import Files
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.options import Options
from rowcast.jobs.packed import Planned, pack_plan
from rowcast.jobs.plan import Header, Planner, check_header
from rowcast.jobs.records import NewJob, Records, Repeat
from rowcast.jobs.result import result_header
from rowcast.models.manifest import Manifest
from rowcast.settings import Settings

_TELL_SECONDS = 60.0
"""How often an upload that goes on says so: far more often than it is taken for dead (records.py)."""


@dataclass(frozen=True)
class Request:
    """Who asks for what. `idempotency_key` is the caller's word for "the same request again"."""

    manifest: Manifest
    options: Options
    owner: str = ""
    request_id: str = ""
    idempotency_key: str | None = None
    filename: str | None = None

    def repeat(self, content: bytes | str) -> Repeat | None:
        """The digests that tell whether a request was made before; `content` stands for its body."""
        if self.idempotency_key is None:
            return None
        asked = json.dumps([self.options.model_dump(mode="json"), self.filename, content], default=str)
        return Repeat(_digest(f"{self.owner}\n{self.idempotency_key}"), _digest(asked))

    @property
    def model(self) -> ModelRef:
        """The version to pin."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version)


@dataclass(frozen=True)
class Submitted:
    """The job's id, whether the same request had made it before, and what was, or would have been, made now."""

    id: str
    replayed: bool
    new: NewJob


class Submit:
    """Makes jobs.

    Raises:
        Refused: the request is wrong. Unavailable: Redis or the store is away, or the queue is full.
        In either case nothing is left behind.
    """

    def __init__(self, records: Records, files: Files, settings: Settings) -> None:
        self._records = records
        self._files = files
        self._settings = settings

    def single(self, request: Request, values: list[Any], id: str | None = None) -> Submitted:
        """One row; `values` in the order of the model's features, checked."""
        new = NewJob(
            id=id or new_id(),
            owner=request.owner,
            spec=Spec(kind="single", model=request.model, options=request.options, request_id=request.request_id),
            rows=1,
            chunks=1,
            values=values,
            repeat=request.repeat(json.dumps(values)),
        )
        return self._make(new)

    def batch(self, request: Request, blocks: Iterable[bytes], id: str | None = None) -> Submitted:
        """A CSV that arrives in blocks of any size; it is cut, stored and counted as it goes by."""
        id = id or new_id()
        self._records.expect(id, request.owner)
        try:
            new = self._receive(id, request, blocks)
            self._records.still_expect(id)
            self._files.put_manifest(id, manifest.write(new))
        except BaseException:  # also a caller that hangs up, or a greenlet that is killed
            self._drop(id)
            raise
        try:
            submitted = self._make(new)
        except (Refused, QueueFull):
            self._drop(id)
            raise
        # Any other fault leaves open whether the job was made: its files stay, and upkeep sweeps them if it was not.
        if submitted.id != id:
            self._drop(id)
        return submitted

    def _drop(self, id: str) -> None:
        """Removes what was stored; where Redis is away just now, upkeep looks at it once more."""
        self._files.delete(id)
        with suppress(Unavailable):
            self._records.unexpect(id)

    def _receive(self, id: str, request: Request, blocks: Iterable[bytes]) -> NewJob:
        settings, options = self._settings, request.options
        planner = Planner(
            delimiter=options.delimiter,
            header=options.header,
            chunk_bytes=settings.chunk_bytes,
            chunk_rows=settings.chunk_rows,
            max_row_bytes=settings.max_row_bytes,
            max_columns=settings.max_columns,
            on_header=_checker(request),
        )
        plan, told_at = [], time.monotonic()
        if not options.header:
            _checker(request)(Header(b"", tuple(request.manifest.feature_names)))
        for chunk in _chunks(planner, blocks):
            if time.monotonic() - told_at > _TELL_SECONDS:
                self._records.still_expect(id)
                told_at = time.monotonic()
            self._files.put_input(id, chunk.number, chunk.data)
            plan.append(Planned(chunk.first_row, chunk.rows, len(chunk.data)))
        columns = planner.header.columns if planner.header else tuple(request.manifest.feature_names)
        head = result_header(
            planner.header.line if planner.header else None, options, request.manifest, planner.line_end
        )
        self._files.put_head(id, head)
        spec = Spec(
            kind="batch",
            model=request.model,
            options=options,
            request_id=request.request_id,
            input=InputInfo(
                bytes=planner.bytes_total, sha256=planner.sha256, filename=request.filename, columns=columns
            ),
            line_end=planner.line_end.decode(),
            head_bytes=len(head),
        )
        return NewJob(
            id=id,
            owner=request.owner,
            spec=spec,
            rows=planner.rows_total,
            chunks=len(plan),
            plan=pack_plan(plan),
            repeat=request.repeat(planner.sha256),
            max_errors=options.max_errors,
        )

    def _make(self, new: NewJob) -> Submitted:
        id, outcome = self._records.make(new)
        return Submitted(id, outcome == "replayed", new)


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid_utils.uuid7())


def _chunks(planner: Planner, blocks: Iterable[bytes]) -> Iterable[Any]:
    for block in blocks:
        yield from planner.feed(block)
    yield from planner.end()


def _checker(request: Request) -> Callable[[Header], None]:
    options, manifest = request.options, request.manifest

    def check(header: Header) -> None:
        check_header(header.columns, manifest.feature_names, options.key, _added(options, manifest))

    return check


def _added(options: Options, manifest: Manifest) -> Sequence[str]:
    return options.added_columns([str(name) for name in manifest.classes or []])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
