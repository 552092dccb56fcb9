"""The services that views use. `create_app` builds them once, and `current_services()` returns them."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from api.input.live_upload import LiveUploads
from api.input.open_uploads import OpenUploads
from api.metrics.gateway_metrics import GatewayMetrics
from api.notifications import Notifications
from api.rate_limiter import RateLimiter
from api.receipts.receipt_signer import ReceiptSigner
from api.threaded_storage import RegistryBucket, ThreadedStorage
from api.webhooks.webhook_guard import WebhookGuard
from rowcast.api_keys import KeyRing
from rowcast.errors import RowcastError
from rowcast.jobs.actions.jobs import Jobs
from rowcast.jobs.actions.resume_upload import ResumableJobs
from rowcast.jobs.job import Job, ModelRef
from rowcast.jobs.job_files import Files
from rowcast.jobs.progress.row_options import RowOptions
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.resumable_uploads import ResumableUploads
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.jobs.request import Shadowing
from rowcast.jobs.request_files.request_file import StoredRequests
from rowcast.jobs.request_files.request_files import RequestFiles
from rowcast.logs import logger
from rowcast.models.default_model import DefaultModel
from rowcast.models.generated_key import signing_key
from rowcast.models.model_set import ModelSet
from rowcast.models.registry import Registry
from rowcast.models.shadow.shadowing import shadow_of
from rowcast.pools import read_pools
from rowcast.settings import Settings
from rowcast.storage import Storage
from rowcast.tracing.export import open_tracer
from rowcast.tracing.spans import Tracer


@dataclass(frozen=True)
class Services:
    """The gateway's dependencies. `keys` is None if the gateway is open, that is, needs no API keys."""

    settings: Settings
    redis: RedisClient
    records: Records
    files: Files
    request_files: RequestFiles
    registry: Registry
    default_model: DefaultModel
    workers: WorkerRegistry
    row_options: RowOptions
    jobs: Jobs
    notifications: Notifications
    keys: KeyRing | None
    limiter: RateLimiter
    live_uploads: LiveUploads
    resumable: ResumableJobs
    open_uploads: OpenUploads
    scripts: Scripts
    webhook_guard: WebhookGuard
    receipts: ReceiptSigner
    metrics: GatewayMetrics
    tracer: Tracer

    def models(self, text: str | None) -> ModelSet:
        """Returns the models that the option `model` names; None means the default model.

        Raises:
            Those of `ModelSet.resolve`, `Registry.resolve` and `DefaultModel.resolve`.
        """
        if text is None:
            return ModelSet((self.default_model.resolve(),))
        return ModelSet.resolve(text, self.registry.resolve)

    def shadowing(self, text: str | None, models: ModelSet) -> Shadowing | None:
        """Returns the shadow of jobs with these models, which the option `model` names. It never raises."""
        if models.is_pair:
            return None
        try:
            reference = self.default_model.choose()[0] if text is None else text.strip()
            found = shadow_of(self.registry, reference, models.first, read_pools(self.settings.pools))
        except RowcastError as error:
            logger("gateway").warning("shadow_not_read", model=models.reference, reason=error.detail)
            return None
        if found is None:
            return None
        name, _, version = found.model.rpartition("@")
        return Shadowing(model=ModelRef(name=name, version=version), share=found.share)

    def models_of(self, job: Job) -> ModelSet:
        """Returns the models that a job is pinned to. Raises as `Registry.manifest`."""
        return ModelSet(tuple(self.registry.manifest(one.name, one.version) for one in job.spec.models))


def build(settings: Settings) -> Services:
    """Opens the store and the registry. Redis is connected at the first call.

    Raises:
        BadReceiptKey: the file of keys for receipts cannot be used.
    """
    redis = connect(settings.redis_url)
    scripts = Scripts(redis, settings)
    records = Records(scripts, settings)
    metrics = GatewayMetrics()
    storage = ThreadedStorage(settings.store, on_error=metrics.count_store_error, syncs=settings.store_sync)
    metrics.show_disk(storage.disk)
    files = Files(storage)
    registry = Registry(_models(settings.models), signing_key(settings))
    uploads = Uploads(scripts, settings)
    resumable = ResumableJobs(records, uploads, ResumableUploads(scripts, settings), files, settings)
    return Services(
        settings=settings,
        redis=redis,
        records=records,
        files=files,
        request_files=RequestFiles(StoredRequests(storage), scripts, settings),
        registry=registry,
        default_model=DefaultModel(registry, settings),
        workers=WorkerRegistry(redis),
        row_options=RowOptions(WorkerRegistry(redis)),
        jobs=Jobs(records, uploads, files, settings),
        notifications=Notifications(settings.redis_url),
        keys=KeyRing(Path(settings.api_keys_file)) if settings.api_keys_file else None,
        limiter=RateLimiter(settings.redis_url, settings.rate_limit),
        live_uploads=LiveUploads(),
        resumable=resumable,
        open_uploads=OpenUploads(resumable, registry.resolve, settings),
        scripts=scripts,
        webhook_guard=WebhookGuard(settings),
        receipts=ReceiptSigner(settings.receipt_key_file),
        metrics=metrics,
        tracer=open_tracer("gateway"),
    )


def _models(location: str) -> Storage:
    """Returns the storage of the registry. A folder is read at once, because each request reads a small file there."""
    storage = Storage(location)
    return storage if storage.is_folder else RegistryBucket(location)


def current_services() -> Services:
    """Returns the services of the application that handles the present request."""
    return cast(Services, current_app.extensions["rowcast"])
