"""The examples of the quick start, and a folder in which they run."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from programs import ROOT

QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text()


def block(mark: str) -> str:
    """Returns the block of the quick start below `<!-- mark -->`."""
    (found,) = re.findall(rf"<!-- {mark} -->\n```\w+\n(.*?)```", QUICKSTART, re.DOTALL)
    return str(found)


@dataclass
class Folder:
    """A user's folder, with a service that runs in another terminal."""

    path: Path
    environment: dict[str, str]
    url: str = ""

    def run(self, script: str) -> str:
        """Runs a script in the shell and returns what it printed."""
        return self._run(["bash", "-euo", "pipefail", "-c", script])

    def python(self, code: str) -> str:
        """Runs Python code and returns what it printed."""
        return self._run([sys.executable, "-c", code])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
