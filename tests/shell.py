"""One bash that is given commands piece by piece, as a person types them. It does not know what they are for."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_END: Final = "-- end of the answer --"


class Shell:
    """Hold a bash that stops at the first command that fails; variables live from piece to piece."""

    def __init__(self, process: "subprocess.Popen[str]", *, errors: Path) -> None:
        """Talk to a process that `opened` has started."""
        self._process = process
        self._errors = errors

    def run(self, text: str) -> str:
        """Return what a piece says on standard output; raise when a command of it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{text}\nprintf '\\n%s\\n' '{_END}'\n")
        self._process.stdin.flush()
        said: list[str] = []
        for line in self._process.stdout:
            if line.rstrip() == _END:
                return "".join(said)
            said.append(line)
        raise RuntimeError(f"it failed: {text}\n{''.join(said)}\n{self._errors.read_text()}")

    def run_python(self, text: str) -> str:
        """Return what a Python program says, run with the variables of the shell."""
        return self.run(f"python - <<'PYTHON_ENDS_HERE'\n{text}\nPYTHON_ENDS_HERE")


@contextmanager
def opened(folder: Path, variables: Mapping[str, str]) -> Iterator[Shell]:
    """Give a shell in a folder that sees these variables alone."""
    errors = folder / "errors.txt"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            ["/bin/bash"],
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            shell = Shell(process, errors=errors)
            shell.run("set -euo pipefail")
            yield shell
        finally:
            process.kill()
            process.communicate()
