"""The service's part of the command: loads, looks, and says. It knows no other part."""

import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from homeostat.doctor.examination import examine, show_settings
from homeostat.doctor.findings import Finding, Verdict, problem
from homeostat.settings.loading import Loaded, load
from homeostat.start.configuration import current_handle
from homeostat.start.handle import Handle


def look(app: str | None, *, say: Callable[[str], object]) -> int:
    """Print the settings and the findings, and return the exit code: 1 when telemetry would not arrive.

    Args:
        app: the program to import, `module` or `module:attribute`; None to look from outside only.
        say: prints a line.
    """
    failed: list[Finding] = []
    handle = _imported(app, failed) if app else None
    loaded = load({}, environment=os.environ, folder=Path.cwd()) if handle is None else handle.loaded
    for line in show_settings(loaded.settings):
        say(line)
    say("")
    findings = [*failed, *examine(_without_told(loaded, handle), environment=os.environ, handle=handle)]
    for finding in findings:
        for line in finding.lines():
            say(line)
    return 1 if any(finding.verdict is Verdict.PROBLEM for finding in findings) else 0


def _imported(app: str, failed: list[Finding]) -> Handle | None:
    """Import the program from the working folder, as servers do, and return its handle."""
    logging.getLogger("homeostat").addHandler(logging.NullHandler())
    logging.getLogger("homeostat").propagate = False
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = app.partition(":")
    try:
        found = importlib.import_module(module)
        if attribute:
            getattr(found, attribute)
    except Exception as error:
        failed.append(problem("program", f"{app} cannot be imported: {type(error).__name__}: {error}"))
        return None
    handle = current_handle()
    if handle is None:
        failed.append(problem("program", f"{module} does not call homeostat.configure()", "Or use `homeostat run`."))
    return handle


def _without_told(loaded: Loaded, handle: Handle | None) -> Loaded:
    """Leave out what the program's own problems say again."""
    return loaded if handle is None else Loaded(settings=loaded.settings, problems=(), overruled=loaded.overruled)
