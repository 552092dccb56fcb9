"""The image of a model: its arrays and the rest as bytes, from which other processes of the machine make it again.

The arrays are not copied: they stay in the memory in which the image is, so that several processes can share it. For a
model with the fast path, the image has the tables and not scikit-learn's trees.

    pickle and arrays, each at a multiple of 64 bytes
    index: JSON with the length of the pickle, and the place and length of each array
    length of the index, 8 bytes
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, BinaryIO

from rowcast.models.loading.load import LoadedModel, unpickle
from rowcast.models.loading.own_code import ModelCode
from rowcast.models.model_manifest import Manifest
from rowcast.trees.table_pickling import pickled_tables, trees_left_out, unpickled_tables

_ALIGNMENT = 64
_LENGTH_BYTES = 8


class ModelImage:
    """A model, ready to be written as an image."""

    def __init__(self, model: LoadedModel) -> None:
        """Pickles the model. What that raises depends on the model's classes."""
        attributes = (model.estimator, model.container, model.file_bytes, model.fast)
        with model.code.active():
            self._pickle, self._buffers = pickled_tables(attributes)
        #: Memory that processes can share.
        self.shared_bytes = sum(buffer.raw().nbytes for buffer in self._buffers)
        #: About the memory that each process needs in addition.
        self.own_bytes = len(self._pickle)

    def write(self, file: BinaryIO) -> None:
        """Writes the image at the place at which the file is."""
        start, places = file.tell(), []
        file.write(self._pickle)
        for buffer in self._buffers:
            raw = buffer.raw()
            place = file.seek(-(-(file.tell()) // _ALIGNMENT) * _ALIGNMENT)
            places.append((place - start, raw.nbytes))
            file.write(raw)
        index = json.dumps([len(self._pickle), places]).encode()
        file.write(index)
        file.write(len(index).to_bytes(_LENGTH_BYTES, "big"))


def model_of_image(
    image: memoryview, manifest: Manifest, code: ModelCode, original: Callable[[], LoadedModel]
) -> LoadedModel:
    """Returns the model, whose arrays are parts of the image.

    Args:
        image: What `ModelImage.write` wrote in a process of this user.
        manifest: The model's manifest.
        code: The model's own modules.
        original: Loads the model as the process did that made the image. It is called if a tree is needed that the
            image does not have.
    """

    @cache
    def trees() -> list[Any]:
        with code.active():
            return trees_left_out(original().estimator)

    index_end = len(image) - _LENGTH_BYTES
    index_length = int.from_bytes(image[index_end:], "big")
    pickle_length, places = json.loads(bytes(image[index_end - index_length : index_end]))
    buffers = [image[start : start + length] for start, length in places]
    attributes, _ = unpickle(
        bytes(image[:pickle_length]), read=lambda data: unpickled_tables(data, buffers, trees), code=code
    )
    estimator, container, file_bytes, fast = attributes
    return LoadedModel(manifest, estimator, container, code, file_bytes, fast)
