"""`homeostat run -- COMMAND`: what a program's interpreter is told, and what is done in it. It starts no process.

Every Python that the command starts, and every Python that those start, is configured from its environment before its
own code runs; applications of FastAPI, Starlette and Flask are hooked as they are made.
"""

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from homeostat.integrations.applications import Applications
from homeostat.start.configuration import configure, running_process

INJECTED: Final = Path(__file__).resolve().parent / "injected"
"""A folder with nothing in it but a module that Python imports at its start."""

_FIRST: Final = "HOMEOSTAT_RUN_FIRST"
"""Set for the first interpreter, which alone prints the five lines."""

_FRAMEWORKS: Final = (
    ("fastapi.applications", "FastAPI"),
    ("starlette.applications", "Starlette"),
    ("flask.app", "Flask"),
)


def launched_environment(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which a command is configured without a change of its code.

    Args:
        environment: of the command as it is.
        settings: values by setting name, that were given on the command line.
    """
    before = environment.get("PYTHONPATH")
    paths = [path for path in (before or "").split(os.pathsep) if path and Path(path) != INJECTED]
    given = {f"HOMEOSTAT_{name.upper()}": value for name, value in settings.items()}
    return {**environment, **given, "PYTHONPATH": os.pathsep.join([str(INJECTED), *paths]), _FIRST: "1"}


def configure_launched() -> None:
    """Configure this interpreter from its environment, and hook every application that it will make."""
    is_first = os.environ.pop(_FIRST, None) is not None
    if is_first:
        configure()
    else:
        configure(greeting="off")
    running = running_process()
    hooked = None if running is None else running.instrumented
    if hooked is not None:
        for module, name in _FRAMEWORKS:
            hooked.imports.call_when_imported(module, partial(_hook_class, hooked.applications, module, name))


def _hook_class(applications: Applications, module: str, name: str) -> None:
    applications.hook_class(getattr(sys.modules[module], name))
