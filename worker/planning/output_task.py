"""Writes the manifest of a job whose result goes to a URL, after all of its parts."""

import json
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

from rowcast.jobs.by_url.output_folder import OutputFolder, part_name
from rowcast.jobs.chunk_tables import unpack_parts
from rowcast.jobs.job import ByUrl, Job
from rowcast.jobs.records.leases import ConversionLease
from worker.conversion.lease_over import LeaseOver
from worker.resources import Resources

_AT_ONCE = 4096
"""Parts that are read from Redis at once."""


def open_output(resources: Resources, by_url: ByUrl) -> OutputFolder:
    """Opens the folder of a job with `output_url`. Raises as `OutputFolders.open`."""
    return resources.output_folders.open(by_url.output_url or "")


def end_output(resources: Resources, lease: ConversionLease, job: Job, by_url: ByUrl, log: Any) -> None:
    """Writes the manifest, and ends the job.

    Raises:
        LeaseOver: the lease is over.
    """
    with TemporaryFile() as document:
        for line in _manifest(resources, job):
            document.write(line.encode())
        document.seek(0)
        open_output(resources, by_url).put_manifest(document)
    if not resources.plans.end_output(lease):
        raise LeaseOver
    log.info("output_written", parts=job.chunks_total, url=by_url.output_url)


def _manifest(resources: Resources, job: Job) -> Iterator[str]:
    known = job.spec.input
    head = {
        "job": job.id,
        "model": job.spec.known_as,
        "input": {"url": known and known.url, "files": known and known.files, "bytes": known and known.bytes},
        "rows": job.rows_total,
        "rows_failed": job.rows_failed,
        "bytes": job.part_bytes + job.spec.header_bytes * job.chunks_total,
    }
    yield json.dumps(head, indent=1).removesuffix("\n}") + ',\n "files": [\n'
    yield from _files(resources, job)
    yield " ]\n}\n"


def _files(resources: Resources, job: Job) -> Iterator[str]:
    """Yields a line for each part."""
    for first in range(0, job.chunks_total, _AT_ONCE):
        count = min(_AT_ONCE, job.chunks_total - first)
        parts = unpack_parts(resources.records.parts(job.id, first, count), count)
        digests = resources.plans.output_digests(job.id, first, count)
        for place, (part, digest) in enumerate(zip(parts, digests, strict=True)):
            line = {
                "name": part_name(first + place),
                "rows": part.rows,
                "bytes": part.part_bytes + job.spec.header_bytes,
                "sha256": digest.hex(),
            }
            yield f"  {json.dumps(line)}{',' if first + place + 1 < job.chunks_total else ''}\n"
