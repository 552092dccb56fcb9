"""The prose lint: counts what our style rules forbid in docstrings, comments, messages and Markdown.

    python tools/prose.py            fails if a count is not the one in tools/prose_budget.json
    python tools/prose.py --list     shows every place (with paths as arguments: only in those)
    python tools/prose.py --lower    writes the present counts into the budget; it refuses to raise one

It holds the part of the style that can be measured: words of a private dialect, sentences of more than 35 words,
and functions whose docstring has no verb.
"""

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
BUDGET = Path(__file__).with_name("prose_budget.json")
MOST_WORDS = 35

DIALECT = {
    "who (programs have names)": r"\bwho(m|ever)?\b",
    "somebody, nobody": r"\b(somebody|nobody)\b",
    "is none, is no X (write: is not a, there is no)": r"(?<!there )\b(is|are|was|were) (none|no)\b(?! longer)",
    "alone (write: only)": r"\balone\b",
    "beside (write: next to, besides, as well as)": r"\bbeside\b",
    "of ours, of one's own (write: our, its own)": r"\bof (ours|ones own|one's own|theirs|its own|their own)\b",
    "hear, tell, doubt, forget (programs do not)": r"\b(hears?|heard|tells?|told|doubts?|forgets?|forgotten)\b",
    "Answers, Gives (write: Returns)": r"(?:^|[.;] )(Answers|Gives) (?!back)|; (answers|gives) (?!back)",
    "so many (name the number)": r"\bso (many|much)\b",
    "comes of, came of (write: results from)": r"\b(comes?|came) of\b",
    "all else, all that": r"\ball (else|that)\b",
    "anew (write: again)": r"\banew\b",
    "lest, for want of, what for": r"\b(lest|for want of|whereupon|wherein|thereof|therein|whence)\b",
    "where it is / there is none (write: if)": r"\bwhere (it|there|that|nothing|one|none) (is|are|has|was)\b",
}
_FINITE = re.compile(
    r"\b(is|are|was|were|has|have|had|does|do|did|can|could|may|must|will|would|should|cannot|needs?|gets?|"
    r"makes?|takes?|means?|holds?|keeps?|comes?|goes|raises?|returns?|stays?|becomes?|follows?|works?)\b"
)
_NOUNS_IN_S = {"rows", "this", "its", "yes", "jobs", "columns", "values", "names", "parts", "chunks", "bytes", "as"}


_COMMANDS = ("rowcast/cli/commands/", "rowcast/cli/model_care/", "rowcast/cli/operation/")
"""The docstrings there are the help of commands, in the imperative: "Cancel a job."."""


class Place(NamedTuple):
    """One thing that the lint found."""

    rule: str
    file: str
    line: int
    text: str


class Text(NamedTuple):
    """A piece of prose."""

    line: int
    text: str
    is_function: bool = False
    """Whether it is the docstring of a function that must have a verb."""


def main() -> int:
    """Compares the counts with the budget, or lists the places, or lowers the budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", help="only files that start with one of these")
    parser.add_argument("--list", action="store_true", help="show every place")
    parser.add_argument("--lower", action="store_true", help="write lower counts into the budget")
    chosen = parser.parse_args()
    places = [place for file in _files(chosen.paths) for place in check(file)]
    if chosen.list or chosen.paths:
        for place in places:
            print(f"{place.file}:{place.line}: [{place.rule}] {place.text}")
        print(f"{len(places)} places", file=sys.stderr)
        return 0
    return _compare(Counter(place.rule for place in places), may_lower=chosen.lower)


def _compare(counts: Counter[str], *, may_lower: bool) -> int:
    budget = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    over = {rule: count for rule, count in counts.items() if count > budget.get(rule, 0)}
    if over and BUDGET.exists():
        for rule, count in over.items():
            print(f"{rule}: {count} places, and the budget is {budget.get(rule, 0)}", file=sys.stderr)
        print("See them with: python tools/prose.py --list", file=sys.stderr)
        return 1
    if may_lower:
        BUDGET.write_text(json.dumps(dict(sorted(counts.items())), indent=2, ensure_ascii=False) + "\n")
    elif sum(counts.values()) < sum(budget.values()):
        print("There are fewer places than the budget allows. Lower it: python tools/prose.py --lower", file=sys.stderr)
        return 1
    return 0


def check(file: Path) -> Iterator[Place]:
    """Finds what one file has that the style forbids."""
    source = file.read_text()
    name = str(file.relative_to(ROOT))
    texts = _of_markdown(source) if file.suffix == ".md" else _of_python(source)
    for line, text, is_function in texts:
        plain = re.sub(r"`[^`]*`", "`x`", text)
        for rule, pattern in DIALECT.items():
            for found in re.finditer(pattern, plain):
                yield Place(rule, name, line, plain[max(0, found.start() - 40) : found.end() + 30].replace("\n", " "))
        for sentence in _sentences(plain):
            if len(sentence.split()) > MOST_WORDS:
                yield Place(f"over {MOST_WORDS} words in a sentence", name, line, sentence[:90])
        if is_function and not name.startswith(_COMMANDS) and not _has_verb(plain):
            yield Place("no verb in a function's docstring", name, line, plain.split("\n")[0][:90])


def _files(prefixes: list[str]) -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        is_wanted = not prefixes or name.startswith(tuple(prefixes))
        if is_wanted and not name.startswith(("CHANGELOG", "tools/prose")) and (ROOT / name).exists():
            yield ROOT / name


def _of_python(source: str) -> Iterator[Text]:
    docstrings = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            decorators = " ".join(ast.unparse(one) for one in node.decorator_list)
            needs_verb = not re.search(r"property|fixture", decorators)  # those are things, not actions
            docstrings.add(node.body[0].value)  # type: ignore[attr-defined]
            yield Text(node.lineno, ast.get_docstring(node) or "", is_function=needs_verb)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in docstrings:
            continue
        if node.value.count(" ") >= 3:
            yield Text(node.lineno, node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], token.string.lstrip("# "))


def _of_markdown(source: str) -> Iterator[Text]:
    without_code = re.sub(r"^```.*?^```", lambda found: "\n" * found[0].count("\n"), source, flags=re.M | re.S)
    line = 1
    for paragraph in re.split(r"(\n\s*\n|\n(?=[-*|#>] |\d+\. ))", without_code):
        if paragraph.strip():
            for cell in paragraph.split("|") if paragraph.lstrip().startswith("|") else [paragraph]:
                yield Text(line, cell.strip())
        line += paragraph.count("\n")


def _sentences(text: str) -> list[str]:
    paragraphs = re.split(r"\n\s*\n|\n\s*[-*] |:\n", text)
    return [one for paragraph in paragraphs for one in re.split(r"(?<=[.!?:;])\s+", paragraph.replace("\n", " "))]


def _has_verb(docstring: str) -> bool:
    first = re.split(r"(?<=[.:])\s", docstring.strip(), maxsplit=1)[0]
    word = re.match(r"\W*(\w+)", first)
    opening = word[1].lower() if word else ""
    is_verb = opening.endswith("s") and opening not in _NOUNS_IN_S and opening not in ("the", "a")
    return is_verb or bool(_FINITE.search(first.lower()))


if __name__ == "__main__":
    sys.exit(main())
