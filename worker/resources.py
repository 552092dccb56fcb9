"""The resources of one worker process: connections, models and watchdog, which all of its tasks share."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rowcast.errors import NoDefaultModel, RowcastError, Unavailable
from rowcast.jobs.by_url.output_folder import OutputFolders
from rowcast.jobs.by_url.plan_records import PlanRecords
from rowcast.jobs.by_url.url_files import UrlFiles
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, ConversionLease, Lease, Leases
from rowcast.jobs.records.metric_fields import count_store_error
from rowcast.jobs.records.policy import LONGEST_PAUSE_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import ProcessConnections, WorkerRegistry
from rowcast.jobs.request_files.request_file import StoredRequests
from rowcast.jobs.shadow.shadow_records import ShadowRecords
from rowcast.logs import logger
from rowcast.models.default_model import DefaultModel
from rowcast.models.generated_key import signing_key
from rowcast.models.registry import Registry
from rowcast.pools import read_pools
from rowcast.settings import Settings
from rowcast.storage import Storage
from rowcast.tracing.export import open_tracer
from rowcast.tracing.spans import Attribute, Span, Tracer
from worker.isolation.child import IsolatedProcess
from worker.isolation.fork_server import ForkServer
from worker.lease_watchdog import LeaseWatchdog
from worker.model_cache import ModelCache
from worker.model_report import ModelReport
from worker.sharing.image_files import ImageFiles
from worker.sharing.shared_models import SharedModels


@dataclass(frozen=True)
class Resources:
    """What a process needs for its tasks, made after the fork: connections and threads do not survive one."""

    #: The worker's name in the registry of workers, `HOST:PID` of its main process.
    node: str
    #: The client of Redis.
    redis: RedisClient
    #: The leases of this process, whose holder is `NODE/PID`.
    leases: Leases
    #: The records of jobs.
    records: Records
    #: The jobs' files in the store.
    files: Files
    #: The files of requests.
    request_files: StoredRequests
    #: The files that jobs name by URL.
    url_files: UrlFiles
    #: The folders of their results.
    output_folders: OutputFolders
    #: The plans of these jobs.
    plans: PlanRecords
    #: What shadows make of chunks.
    shadows: ShadowRecords
    #: The registry of workers.
    workers: WorkerRegistry
    #: The open models.
    models: ModelCache
    #: Shows the open models on the page of the queue.
    model_report: ModelReport
    #: The model of requests that name none.
    default_model: DefaultModel
    #: Predicts rows that are suspected of killing their process.
    isolated: IsolatedProcess
    #: Renews leases while the process works.
    watchdog: LeaseWatchdog
    #: For the size of chunks, and the limits of files.
    settings: Settings
    #: Begins the spans of traces.
    tracer: Tracer
    #: The log, bound to the holder's name.
    log: Any

    def warm_up(self) -> None:
        """Opens the default model, if it belongs to this worker's pool, so that the first job does not wait for it.

        A model that cannot be opened is reported by the job that asks for it.
        """
        try:
            manifest = self.default_model.resolve()
            if self._serves(manifest.name):
                self.models.get(manifest.name, manifest.version)
        except NoDefaultModel:
            pass
        except RowcastError as error:
            self.log.warning("default_model_not_loaded", reason=error.detail)
        self._report_unopenable_models()
        self.model_report.send_if_due()
        self.log.info("process_ready")

    def _serves(self, model: str) -> bool:
        """Returns whether jobs for this model come to this worker's pool."""
        return read_pools(self.settings.pools).of_model(model) == self.settings.pool

    def _report_unopenable_models(self) -> None:
        """Lets `/ready` name the models that jobs may ask for and that this environment cannot open."""
        try:
            self.workers.report_unopenable(self.node, self.models.unopenable(self._serves))
        except RowcastError as error:
            self.log.warning("unopenable_models_not_reported", reason=error.detail)

    def span(self, name: str, lease: ChunkLease | ConversionLease) -> Span:
        """Begins the span of one attempt at leased work, below that of the request that made the job."""
        if not self.tracer.is_on:
            return self.tracer.begin(name, "consumer", lease.origin.traceparent)
        about: dict[str, Attribute] = {
            "rowcast.job.id": lease.id,
            "rowcast.attempt": lease.attempt,
            "rowcast.worker": self.leases.holder,
            "rowcast.model": lease.spec.known_as,
        }
        if isinstance(lease, ChunkLease) and not lease.is_parquet:
            about |= {"rowcast.chunk": lease.chunk, "rowcast.rows": lease.planned.rows}
        return self.tracer.begin(name, "consumer", lease.origin.traceparent, about)

    def postpone(self, leases: Sequence[Lease], error: Unavailable, log: Any) -> None:
        """Releases the leases because Redis, the store or the registry failed.

        The work is tried again after a pause, as often as necessary: its rows are not to blame.
        """
        pause_seconds = min(LONGEST_PAUSE_SECONDS, 2 ** min(max(lease.attempt for lease in leases), 8) / 2)
        log.warning("work_postponed", reason=error.detail, pause_seconds=pause_seconds)
        self.watchdog.release(leases, error.recorded(), strikes=0, delay_seconds=pause_seconds)


def open_resources(settings: Settings, node: str, fork_server: ForkServer, image_files: ImageFiles) -> Resources:
    """Opens what a process of the worker `node` needs. All processes of the worker have the same image files."""
    connections = ProcessConnections(node, os.getpid())
    redis = connect(settings.redis_url, on_connect=connections.register)
    scripts = Scripts(redis, settings)
    holder = f"{node}/{os.getpid()}"
    leases = Leases(scripts, holder, settings.pool)
    registry = Registry(Storage(settings.models), signing_key(settings))
    shared = SharedModels(image_files, registry)
    models = ModelCache(registry, settings.model_versions, fast_trees=settings.fast_trees, shared=shared)
    workers = WorkerRegistry(redis)
    storage = Storage(settings.store, on_error=partial(count_store_error, redis, "worker"), syncs=settings.store_sync)
    return Resources(
        node=node,
        redis=redis,
        leases=leases,
        records=Records(scripts, settings),
        files=Files(storage),
        request_files=StoredRequests(storage),
        output_folders=OutputFolders(settings.output_prefixes, syncs=settings.store_sync),
        plans=PlanRecords(scripts),
        shadows=ShadowRecords(scripts),
        url_files=UrlFiles(settings.input_prefixes),
        workers=workers,
        models=models,
        model_report=ModelReport(models, workers, node, connections),
        default_model=DefaultModel(registry, settings),
        isolated=IsolatedProcess(models.files, settings.chunk_timeout_seconds, fork_server),
        watchdog=LeaseWatchdog(leases, settings.lease_seconds, settings.chunk_timeout_seconds),
        settings=settings,
        tracer=open_tracer("worker"),
        log=logger("worker").bind(worker=holder),
    )
