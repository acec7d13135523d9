"""Small programs that configure the SDK, each in a process of its own: there is one configuration a process."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.served import environment


@dataclass(frozen=True, slots=True)
class Ended:
    """Hold what a program left."""

    code: int
    answer: Any
    """What it gave to `answer()`."""
    errors: str


def run_program(text: str, *, folder: Path, variables: Mapping[str, str] | None = None) -> Ended:
    """Run a program in a folder and return what it says.

    Args:
        text: the program; it calls `answer(value)` with what the test wants to see.
        folder: its working folder, and that of its buffer.
        variables: settings of it; it sees none of the tester's.
    """
    head = "import json, sys\ndef answer(value):\n    sys.stdout.write(json.dumps(value))\n"
    told = environment(HOMEOSTAT_BUFFER_FOLDER=str(folder / "buffer"), **(variables or {}))
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(text)],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, json.loads(done.stdout or "null"), done.stderr)
