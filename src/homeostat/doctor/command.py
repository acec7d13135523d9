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
from homeostat.start.configuration import running_process
from homeostat.start.running import Running


def look(app: str | None, *, say: Callable[[str], object]) -> int:
    """Print the settings and the findings, and return the exit code: 1 when telemetry would not arrive.

    Args:
        app: the program to import, `module` or `module:attribute`; None to look from outside only.
        say: prints a line.
    """
    failed: list[Finding] = []
    running = _imported(app, failed) if app else None
    loaded = load({}, environment=os.environ, folder=Path.cwd()) if running is None else running.loaded
    for line in show_settings(loaded.settings):
        say(line)
    say("")
    findings = [*failed, *examine(_without_told(loaded, running), environment=os.environ, running=running)]
    for finding in findings:
        for line in finding.lines():
            say(line)
    return 1 if any(finding.verdict is Verdict.PROBLEM for finding in findings) else 0


def _imported(app: str, failed: list[Finding]) -> Running | None:
    """Import the program from the working folder, as servers do, and return its running."""
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
    running = running_process()
    if running is None:
        failed.append(problem("program", f"{module} does not call homeostat.configure()", "Or use `homeostat run`."))
    return running


def _without_told(loaded: Loaded, running: Running | None) -> Loaded:
    """Leave out what the program's own problems say again."""
    return loaded if running is None else Loaded(settings=loaded.settings, problems=(), overruled=loaded.overruled)
