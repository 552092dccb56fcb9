"""Why a pickle cannot be loaded, in sentences that say what to do."""

import re
from collections.abc import Sequence

from rowcast.models.loading.own_code import ModelCode
from rowcast.models.loading.pickle_scan import MAIN
from rowcast.models.loading.requirements import PIP_NAMES, is_installed
from rowcast.wording.nearest import if_nearest

_NO_ATTRIBUTE = re.compile(r"Can't get (?:local )?attribute '([^']+)' on <module '([^']+)'")
"""How pickle says that a module has no such class or function."""


def why_unreadable(error: Exception, code: ModelCode) -> str:
    """Returns sentences for the user about an exception that was raised while a model was loaded."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return lacks_modules([error.name], code)
    found = _NO_ATTRIBUTE.search(str(error)) if isinstance(error, AttributeError) else None
    if found is None:
        return f"{type(error).__name__}: {error}"
    name, module = found[1], found[2]
    is_main = module.rpartition(".")[2] == MAIN  # `python -m worker` calls its own `worker.__main__`
    return lacks_main([name]) if is_main else _lacks_name(name, module, code)


def lacks_main(names: Sequence[str]) -> str:
    """Returns the explanation for classes and functions of `__main__`."""
    named = ", ".join(sorted(names))
    were = "were" if len(names) > 1 else "was"
    return (
        f"{named} {were} defined in a notebook or a script, and a pickle holds only the name. Either move the "
        "definition into a module, for example mytransforms.py, import it from there, fit and pickle the model again, "
        "and register it with --code mytransforms.py; or pickle it with cloudpickle, which stores the definition too: "
        "cloudpickle.dump(model, file)."
    )


def lacks_modules(modules: Sequence[str], code: ModelCode) -> str:
    """Returns the explanation for modules that are not here; there is at least one."""
    return " ".join(dict.fromkeys(_lacks_module(module, code) for module in modules))


def _lacks_module(module: str, code: ModelCode) -> str:
    top, _, inner = module.partition(".")
    if top in PIP_NAMES:
        return f"The model needs {PIP_NAMES[top]}, which is not installed here: pip install {PIP_NAMES[top]}."
    if code.owns(module):
        there = ", ".join(code.modules[:20])
        return f"The model needs the module {module!r}, and the code given by --code has only {there}."
    if is_installed(top):
        return f"The model needs the module {module!r}, which the installed {top!r} does not have: install its version."
    option = f"--code {top}" if inner else f"--code {top}.py"
    what = f"the folder of the package {top!r}" if inner else "the file"
    return (
        f"The model needs the module {module!r}, which is not here. If it is your own code, register the model with "
        f"{option} ({what}). If it is a package, install it here and where the workers run."
    )


def _lacks_name(name: str, module: str, code: ModelCode) -> str:
    if not code.owns(module):
        return (
            f"The module {module!r} that is installed here has no {name!r}: the model was pickled with another "
            "version of it. Install that version, or register the version that the model needs with --code."
        )
    source = code.source(module) or b""
    there = re.findall(r"^(?:class|def) (\w+)", source.decode(errors="replace"), re.MULTILINE)
    return f"The module {module!r} given by --code has no {name!r}{if_nearest(name, there)}."
