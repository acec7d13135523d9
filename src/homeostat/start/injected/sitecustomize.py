"""Configures the SDK when an interpreter starts under `homeostat run`, before the program's own code.

Python imports a module of this name at its start ("site"). One that the environment had before is found and run as if
this one were not there.
"""

import importlib
import os
import sys


def _run_the_hidden_one() -> None:
    """Import the `sitecustomize` that ours hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH120, PTH100 - pathlib is slow to import, here it counts
    ours = sys.modules.pop("sitecustomize", None)
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if os.path.abspath(entry) != here]  # noqa: PTH100 - the same
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.path[:] = path
        if ours is not None:
            sys.modules.setdefault("sitecustomize", ours)


def _configure() -> None:
    try:
        from homeostat.start.launching import configure_launched  # noqa: PLC0415 - it may not be installed
    except ModuleNotFoundError as error:
        sys.stderr.write(f"homeostat run: {sys.executable} does not have it: {error}\n")
    else:
        configure_launched()


_run_the_hidden_one()
_configure()
