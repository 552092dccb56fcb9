"""Pickles of accelerated models that hold the tables, and not scikit-learn's trees from which these were built.

The trees take several times the memory of the tables, and are only needed for calls that the tables do not serve. In
their place stands a `TreeElsewhere`, which reads the tree when something asks for it.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sklearn.tree._tree import Tree

from rowcast.trees.fast_copies import FastCopy, empty_fast_copy
from rowcast.trees.fast_estimators import FastEstimator, trees_replaced_by_tables

ReadTrees = Callable[[], Sequence[Any]]
"""Reads the trees that a pickle left out, in its order."""


def pickled_tables(model: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Returns the pickle of an accelerated model without its arrays, and the arrays."""
    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    pickler = _TablePickler(file, buffers.append)
    pickler.dump(model)
    return file.getvalue(), buffers


def unpickled_tables(data: bytes, buffers: Iterable[Any], read_trees: ReadTrees) -> Any:
    """Returns the model. Its arrays are the buffers themselves; trees are read by `read_trees`, if ever."""
    return _TableUnpickler(data, buffers, read_trees).load()


def trees_left_out(model: Any) -> list[Any]:
    """Returns the trees that `pickled_tables` leaves out of the model."""
    pickler = _TablePickler(_Nothing(), lambda _: None)
    pickler.dump(model)
    return pickler.left_out


class TreeElsewhere:
    """Stands for a tree of scikit-learn (`tree_`)."""

    def __init__(self, read_trees: ReadTrees, place: int) -> None:
        self._read_trees, self._place = read_trees, place

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # looked up by `copy` and others, which then take `__reduce__`
            raise AttributeError(name)
        return getattr(self._read_trees()[self._place], name)

    def __reduce__(self) -> Any:
        return self._read_trees()[self._place].__reduce__()


class _TablePickler(pickle.Pickler):
    def __init__(self, file: Any, keep_buffer: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(file, protocol=5, buffer_callback=lambda buffer: bool(keep_buffer(buffer)))
        self.left_out: list[Any] = []
        self._replaced: set[int] = set()
        self._places: dict[int, int] = {}

    def reducer_override(self, value: Any) -> Any:
        """Keeps the class and the tables of a fast copy, whose other pickles are plain ones."""
        if not isinstance(value, FastCopy):
            return NotImplemented
        if isinstance(value, FastEstimator):
            self._replaced |= set(map(id, trees_replaced_by_tables(value)))
        kind: Any = type(value)
        return empty_fast_copy, (kind.__mro__[1], kind.plain_class), vars(value), None, None, _set_attributes

    def persistent_id(self, value: Any) -> int | None:
        """Returns the place of a tree that is left out."""
        if type(value) is not Tree or id(value) not in self._replaced:
            return None
        if id(value) not in self._places:
            self._places[id(value)] = len(self.left_out)
            self.left_out.append(value)
        return self._places[id(value)]


class _TableUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, buffers: Iterable[Any], read_trees: ReadTrees) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self._read_trees = read_trees
        self._trees: dict[int, TreeElsewhere] = {}

    def persistent_load(self, place: int) -> TreeElsewhere:
        """Returns the same object for the same tree, because fast estimators compare them by identity."""
        return self._trees.setdefault(place, TreeElsewhere(self._read_trees, place))


class _Nothing:
    def write(self, data: Any) -> int:
        return len(data)


def _set_attributes(value: Any, attributes: dict[str, Any]) -> None:
    vars(value).update(attributes)
