"""Copies of scikit-learn's estimators, of a subclass that predicts or transforms faster."""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sklearn.base import clone

from rowcast.trees.shallow_copy import shallow_copy

if TYPE_CHECKING:
    _Base = Any
else:
    _Base = object

_ATTRIBUTE = "_rowcast_fast"


class FastCopy(_Base):
    """What all fast copies have in common. Copies, clones and pickles of one are plain estimators."""

    plain_class: type

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Protocol 2 and later insist on the class of the object itself.
        return plain(self).__reduce_ex__(1)

    def __sklearn_clone__(self) -> Any:
        """Returns an unfitted estimator of scikit-learn's own class."""
        return clone(plain(self))


def fast_copy_of(estimator: Any, mixin: type[FastCopy], addition: Any) -> Any:
    """Returns a copy of the subclass that the mixin makes. It has the addition; what was fitted is shared."""
    fast = shallow_copy(estimator, _fast_class(cast(Any, mixin), cast(Any, type(estimator))))
    vars(fast)[_ATTRIBUTE] = addition
    return fast


def addition_of(estimator: Any) -> Any:
    """Returns what `fast_copy_of` added to the copy; None if it was removed since."""
    return vars(estimator).get(_ATTRIBUTE)


def plain(estimator: Any) -> Any:
    """Returns a copy of scikit-learn's own class, or the given estimator if it is not a fast one."""
    if not isinstance(estimator, FastCopy):
        return estimator
    copied = shallow_copy(estimator, type(estimator).plain_class)
    vars(copied).pop(_ATTRIBUTE, None)
    return copied


def plain_class(estimator: Any) -> type:
    """Returns scikit-learn's class of the estimator."""
    return type(estimator).plain_class if isinstance(estimator, FastCopy) else type(estimator)


def empty_fast_copy(mixin: Any, plain_class: Any) -> Any:
    """Returns a fast copy without attributes."""
    return object.__new__(_fast_class(mixin, plain_class))


@cache
def _fast_class(mixin: Any, plain_class: Any) -> Any:
    """Returns the subclass. It has the name of scikit-learn's class, which is what `repr` shows."""
    return type(plain_class.__name__, (mixin, plain_class), {"plain_class": plain_class, "__module__": __name__})
