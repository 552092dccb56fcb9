"""Draws the pictures of the documentation: each docs/pictures/NAME.dot becomes docs/pictures/NAME.svg.

    python tools/draw.py            draws every picture whose text has changed (needs Graphviz's `dot`)
    python tools/draw.py --check    fails if a picture is older than its text (needs nothing)

A picture carries the SHA-256 of the text that it was drawn from, so a test can check that it is up to date.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
_MARK = "<!-- drawn from {} -->\n"


def main() -> int:
    """Draws what is out of date, or with `--check` only lists it. Returns the exit code."""
    stale = [text for text in sorted(FOLDER.glob("*.dot")) if not is_current(text)]
    for text in stale:
        print(f"{text.name}: {'out of date' if '--check' in sys.argv else 'drawn'}")
        if "--check" not in sys.argv:
            draw(text)
    return 1 if stale and "--check" in sys.argv else 0


def is_current(text: Path) -> bool:
    """Returns whether the picture was drawn from the text as it is now."""
    picture = text.with_suffix(".svg")
    return picture.exists() and mark(text) in picture.read_text()


def draw(text: Path) -> None:
    """Writes the picture. Graphviz's comments are left out, because they name its version."""
    svg = subprocess.run(["dot", "-Tsvg", text], check=True, capture_output=True, text=True).stdout
    svg = re.sub(r"<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    text.with_suffix(".svg").write_text(mark(text) + svg)


def mark(text: Path) -> str:
    """Returns the comment that ties a picture to its text."""
    return _MARK.format(hashlib.sha256(text.read_bytes()).hexdigest())


if __name__ == "__main__":
    sys.exit(main())
