"""The linker of Lua scripts: puts in front of a script what it uses of the shared code, and nothing else.

Redis runs the whole text of a script at each call. Shared functions and tables that the script does not use would take
several times as long as its commands.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_BEGIN = re.compile(r"^local (?:function (\w+)|([\w, ]+?) =)", re.MULTILINE)
"""The first line of a definition. Its further lines are indented, or close it: `end`, `}`."""

_COMMENT = re.compile(r"^ *--.*\n", re.MULTILINE)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class _Definition:
    """A function or variables at the top level of the shared code."""

    names: frozenset[str]
    text: str
    #: Every word in its text, among them the names that it uses.
    words: frozenset[str]


class LuaLinker:
    """Links scripts to shared code, which may use only what is defined before it."""

    def __init__(self, shared: str, names: Mapping[str, Mapping[str, str]]) -> None:
        """Takes the shared code, and tables of names: `{"F": {"rows": "'rows'"}}` makes `'rows'` of `F.rows`."""
        self._names = names
        self._pattern = re.compile(rf"\b({'|'.join(names)})\.(\w+(?:\(\))?)")
        self._definitions = list(_definitions(self._resolved(shared)))

    def link(self, script: str) -> str:
        """Returns the whole text of a script.

        Raises:
            LookupError: the script uses a name that its table does not have.
        """
        script = self._resolved(script)
        wanted, used = set(_WORD.findall(script)), []
        for definition in reversed(self._definitions):
            if not definition.names.isdisjoint(wanted):
                wanted |= definition.words
                used.append(definition.text)
        return "".join([*reversed(used), script])

    def _resolved(self, code: str) -> str:
        """Returns the code without lines of comments, and with values in place of the tables' names."""

        def value(found: re.Match[str]) -> str:
            try:
                return self._names[found[1]][found[2]]
            except KeyError:
                raise LookupError(f"A Lua script uses a name that does not exist: {found[0]}") from None

        return self._pattern.sub(value, _COMMENT.sub("", code))


def _definitions(code: str) -> Iterable[_Definition]:
    starts = list(_BEGIN.finditer(code))
    ends = [start.start() for start in starts[1:]] + [len(code)]
    for start, end in zip(starts, ends, strict=True):
        text = code[start.start() : end].rstrip() + "\n"
        names = frozenset(_WORD.findall(start[1] or start[2]))
        yield _Definition(names, text, frozenset(_WORD.findall(text)))
