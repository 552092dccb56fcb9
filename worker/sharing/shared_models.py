"""Shared models: the first process of a worker that opens a large model makes an image of it, which the others use.

So a model is loaded once for each worker, and its arrays are in memory once. A worker process that starts later finds
the image and need not load the model.
"""

import gc
from collections.abc import Callable

from rowcast.logs import logger
from rowcast.memory import MIB, return_freed_memory
from rowcast.models.loading.load import LoadedModel
from rowcast.models.loading.model_image import ModelImage, model_of_image
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.model_manifest import Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import check_golden, same_on_golden
from rowcast.wording.exception_text import one_line_with_type
from worker.sharing.image_files import Image, ImageFiles

LEAST_FILE_BYTES = 32 * MIB
"""Minimum length of a shared model's file. Loading a smaller one takes less time than waiting for another process."""

Load = Callable[[Manifest], LoadedModel]


class SharedModels:
    """The models that a worker process shares with the other processes of its worker."""

    def __init__(self, files: ImageFiles, registry: Registry, *, least_file_bytes: int = LEAST_FILE_BYTES) -> None:
        self._files, self._registry, self._least_file_bytes = files, registry, least_file_bytes

    def get(self, manifest: Manifest, load: Load) -> LoadedModel:
        """Returns the model. Calls `load`, unless another process has made an image of the model.

        A model without a golden sample is not shared, because there is nothing to compare with.

        Raises:
            NotFound, ModelRefused: as `load`.
        """
        if self._registry.model_file_bytes(manifest) < self._least_file_bytes:
            return load(manifest)
        golden = self._registry.golden_bytes(manifest)
        if golden is None:
            return load(manifest)
        key = f"{manifest.reference} {manifest.sha256}"
        with self._files.alone(key):
            image = self._files.find(key)
            if image is not None:
                model = self._of_image(image, manifest, load)
                check_golden(model, golden, "strict")
                return model
            loaded = load(manifest)
            shared = self._shared(key, loaded, golden, load)
        if shared is None:
            return loaded
        del loaded
        gc.collect()
        return_freed_memory()
        return shared

    def _shared(self, key: str, loaded: LoadedModel, golden: bytes, load: Load) -> LoadedModel | None:
        """Makes an image and returns the model in it; None if that is not possible, or not worth it."""
        log = logger("models").bind(model=loaded.manifest.reference)
        try:
            made = ModelImage(loaded)
            if made.shared_bytes < made.own_bytes:
                return None
            image = self._files.write(key, made.write)
            if image is None:
                return None
            model = self._of_image(image, loaded.manifest, load)
            same = same_on_golden(loaded, model, golden)
        except Exception as error:  # a class that cannot be pickled again
            log.warning("model_not_shared", reason=one_line_with_type(error, 300))
            return None
        if not same:
            log.warning("model_not_shared", reason="a copy predicts other bits for the golden sample")
            return None
        log.info("model_shared", bytes=made.shared_bytes)
        return model

    def _of_image(self, image: Image, manifest: Manifest, load: Load) -> LoadedModel:
        code = ModelCode(self._registry.code_files(manifest))
        return model_of_image(image.content, manifest, code, lambda: load(manifest))
