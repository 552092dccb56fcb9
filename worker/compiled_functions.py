"""The compiled functions of a worker: loaded once, before its processes are forked."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rowcast.compiled_cache import CacheFolder, cache_folder, compile_all, compile_into
from rowcast.logs import logger
from rowcast.wording.exception_text import one_line_with_type


@contextmanager
def compiled_functions(*, trees: bool) -> Iterator[None]:
    """Compiles or loads the functions that read numbers and predict trees, for this process and those that it forks.

    So they are in memory once for all processes of a worker. If that fails, the worker does without them. Those for
    trees are left out unless `trees` is set.
    """
    with cache_folder() as folder:
        try:
            _compile(folder, trees=trees)
        except Exception as error:
            reason = one_line_with_type(error, 300)
            logger("worker").warning("fast_path_unavailable", reason=reason)
        yield


def _compile(folder: CacheFolder | None, *, trees: bool) -> None:
    """Loads the functions. Compiles those that the folder does not have, and logs that with whether they are kept."""
    started, log = perf_counter(), logger("worker")
    if folder is None:
        compile_all(trees=trees)
        log.warning(
            "functions_compiled", reason="no folder can be written, so this is repeated at each start", kept=False
        )
        return
    compiled = compile_into(folder.path, trees=trees)
    if compiled:
        place, seconds = folder.copy_of or folder.path, round(perf_counter() - started, 6)
        kept = folder.copy_of is None
        log.info("functions_compiled", folder=str(place), functions=compiled, seconds=seconds, kept=kept)
