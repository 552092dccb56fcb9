"""Draws the README's picture of a terminal: types docs/pictures/session.txt into one, and writes session.svg.

    python tools/terminal.py

It starts a separate service on a free port, and a file of a million passengers, so it takes half a minute.
The output in the picture is what the commands print; only the port is written as 5000.
"""

import os
import pty
import re
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent.parent))
from tools.draw import FOLDER, mark
from tools.example_service import ROOT, TITANIC, example_service

SESSION = FOLDER / "session.txt"
COLUMNS = 96
COPIES_OF_THE_FILE = 764
"""Copies of the 1,309 passengers that make a file of a million rows."""

_CONTROL = re.compile(r"\x1b\[\??(\d*)([A-KSTfhlsu])|\r\n|\r|\n")


def main() -> None:
    """Runs the session and writes the picture."""
    with tempfile.TemporaryDirectory() as name, example_service() as url:
        folder = Path(name)
        _write_passengers(folder / "passengers.csv")
        screen = Text()
        for command in SESSION.read_text().splitlines():
            screen.append_text(Text.assemble(("$ ", "bold green"), (command, "bold"), "\n"))
            screen.append_text(Text.from_ansi(_run(command, folder, url)))
            screen.append("\n\n")
    SESSION.with_suffix(".svg").write_text(mark(SESSION) + _svg(screen[:-1]))


def shown(output: str) -> str:
    """Returns what a terminal shows in the end, with its colors: progress bars are overwritten until they are full."""
    lines, row, position = [""], 0, 0
    for control in _CONTROL.finditer(output):
        lines[row] += output[position : control.start()]
        position = control.end()
        if control[0] == "\r\n" or control[0] == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif control[0] == "\r" or control[2] == "K":
            lines[row] = ""
        elif control[2] == "A":
            row = max(0, row - int(control[1] or 1))
    lines[row] += output[position:]
    return "\n".join(lines).rstrip()


def _run(command: str, folder: Path, url: str) -> str:
    """Runs the command in a terminal and returns what it shows."""
    address = url.removeprefix("http://")
    environment = {
        "COLUMNS": COLUMNS,
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": ROOT,
        "ROWCAST_URL": url,
    }
    pieces: list[bytes] = []

    def read(descriptor: int) -> bytes:
        pieces.append(os.read(descriptor, 65536))
        return pieces[-1]

    exports = "".join(f"export {name}='{value}'; " for name, value in environment.items())
    script = f"cd '{folder}'; {exports}{command.replace('localhost:5000', address)}"
    if code := pty.spawn(["bash", "-c", script], read):
        sys.exit(f"{command}: exit code {code}")
    return shown(b"".join(pieces).decode()).replace(address, "localhost:5000")


def _write_passengers(path: Path) -> None:
    header, _, rows = TITANIC.read_text().partition("\n")
    path.write_text(f"{header}\n{rows * COPIES_OF_THE_FILE}")


def _svg(screen: Text) -> str:
    """Returns the picture of a terminal. It refers to no font of another server."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, legacy_windows=False)
    console.print(screen, soft_wrap=False)
    svg = console.export_svg(title="rowcast", theme=DIMMED_MONOKAI, unique_id="terminal")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    main()
