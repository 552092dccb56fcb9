"""What workers write down of a job by URL: how its files are divided, what each range has, and where chunks lie."""

import json
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from rowcast.csv.ranges.range_scan import Survey
from rowcast.csv.ranges.row_cuts import RowSpan
from rowcast.jobs.by_url.url_files import KnownFile
from rowcast.jobs.job import Spec

BEGINNING = "beginning"
"""The document of a plan that has the beginning of the first file, if the job is that of a check."""

PAGE_CHUNKS = 64
"""Chunks whose spans are in one object of the store."""


class Stretch(BaseModel):
    """A piece of one file. It begins behind the first line feed from `start - 1` on, and ends where the next begins."""

    model_config = ConfigDict(frozen=True)

    #: The file.
    file: KnownFile
    #: About where it begins; 0 is the start of the file.
    start: int
    #: About where it ends; the length of the file if it is the last.
    stop: int

    @property
    def is_last(self) -> bool:
        """Whether the file ends with it."""
        return self.stop == self.file.size


class RangeWork(BaseModel):
    """The stretches that are scanned under one lease: a large one, or many small files."""

    #: In the order of the files.
    stretches: list[Stretch]


class PlanHead(BaseModel):
    """How the files are planned. Every worker keeps to it, whatever its own settings are."""

    #: The job as it will be, with what the first file's header says.
    spec: Spec
    #: Number of the ranges.
    ranges: int
    #: Maximum bytes of a chunk.
    chunk_bytes: int
    #: Maximum rows of a chunk.
    chunk_rows: int
    #: Maximum bytes of a row.
    max_row_bytes: int
    #: Of how many rows the place of one is kept.
    every: int
    #: Whether the files are gzip. The places of rows are those in the unpacked files, which are in the store.
    is_packed: bool = False


class SpanPage(BaseModel):
    """Where the rows of some chunks lie."""

    #: The files.
    files: list[KnownFile]
    #: For each chunk the index of its file, and its span.
    spans: list[tuple[int, RowSpan]]
    #: As in the head of the plan.
    is_packed: bool = False


@dataclass(frozen=True)
class SurveyedStretch:
    """What a scan found in a stretch."""

    #: Where it begins in the file.
    begin: int
    #: Where it ends.
    end: int
    #: Its rows if it begins outside quotes; None if that cannot be, or shows a fault.
    outside: Survey | None
    #: Its rows if it begins within quotes.
    inside: Survey | None

    def to_bytes(self) -> bytes:
        """Returns it as an object for the store."""
        surveys = [survey and _to_json(survey) for survey in (self.outside, self.inside)]
        head = json.dumps([self.begin, self.end, surveys]).encode()
        arrays = [
            array.astype("<i8").tobytes()
            for survey in (self.outside, self.inside)
            if survey
            for array in (survey.knot_rows, survey.knots)
        ]
        return b"".join([len(head).to_bytes(4, "little"), head, *arrays])


def read_surveys(data: bytes) -> list[SurveyedStretch]:
    """Reads what `to_bytes` of several stretches returned, one after the other."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        begin, end, heads = json.loads(data[at + 4 : at + 4 + length])
        at += 4 + length
        surveys: list[Survey | None] = []
        for head in heads:
            if head is None:
                surveys.append(None)
                continue
            count = head.pop("knots")
            rows = np.frombuffer(data, "<i8", count, at)
            places = np.frombuffer(data, "<i8", count, at + 8 * count)
            at += 16 * count
            surveys.append(Survey(knot_rows=rows, knots=places, **head))
        found.append(SurveyedStretch(begin, end, *surveys))
    return found


def _to_json(survey: Survey) -> dict[str, int | bool]:
    return {
        "rows": survey.rows,
        "knots": len(survey.knots),
        "head_bytes": survey.head_bytes,
        "is_open": survey.is_open,
        "last_start": survey.last_start,
        "blanks": survey.blanks,
    }
