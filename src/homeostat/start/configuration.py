"""`configure()`: once a process, from anywhere, any number of times. It builds nothing itself.

Invariant: it never raises and never waits: no connection is made and no thread started before there is something to
send.
"""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Unpack

from homeostat.exceptions import HomeostatError, SettingInvalid
from homeostat.integrations.applications import Applications
from homeostat.integrations.clients import Clients
from homeostat.integrations.late import Imports
from homeostat.integrations.libraries import LIBRARIES, Libraries, chosen
from homeostat.integrations.messaging import Messaging
from homeostat.settings.loading import Loaded, load, parsed
from homeostat.settings.table import SETTINGS_BY_NAME, Settings
from homeostat.start.arguments import Arguments
from homeostat.start.assembly import Assembly, assemble, ratio_of
from homeostat.start.greeting import greeting, is_wanted
from homeostat.start.handle import Handle
from homeostat.start.inheritance import Inheritance, bequeath
from homeostat.start.middlewares import wrap_asgi, wrap_wsgi
from homeostat.start.running import IDENTIFYING, Instrumented, Running

_LOG: Final = logging.getLogger("homeostat")


class _Process:
    """Hold what a process has once. The only global state of the SDK."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.running: Running | None = None
        # A child that is forked while another thread configures would wait for that thread for ever.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self.lock = threading.RLock()


_PROCESS: Final = _Process()


def configure(service: str | None = None, *, app: Any = None, **settings: Unpack[Arguments]) -> Handle:  # noqa: ANN401 - any application
    """Start Homeostat in this process, and return a handle to it.

    Every setting can come from elsewhere too; from the lowest: default, `[tool.homeostat]` in pyproject.toml, the file
    that `OTEL_CONFIG_FILE` names, `OTEL_*` variables, `HOMEOSTAT_*` variables, arguments. Values that cannot be read
    are told and passed over. A second call returns the same handle: it may add an application, and say what the service
    is called if nobody had (under `homeostat run`, say), and nothing else.

    It never raises, never blocks, and needs no backend: what cannot be delivered waits, within bounds.

    Args:
        service: name of the service.
        app: a FastAPI, Starlette or Flask application to hook; for other ASGI and WSGI callables use
            `instrument(app)`, which returns them wrapped.
        settings: any setting by its name; `docs/sdk/settings.md` has the list.
    """
    arguments = {"service": service, **settings}
    with _PROCESS.lock:
        running = _PROCESS.running
        if running is None:
            running = _PROCESS.running = _started(arguments, app)
        else:
            _again(running, arguments, app)
        return Handle(running)


def current_handle() -> Handle | None:
    """Return a handle to this process, None before `configure()`."""
    return None if _PROCESS.running is None else Handle(_PROCESS.running)


def running_process() -> Running | None:
    """Return what this process is configured with, for the rooms above; None before `configure()`."""
    return _PROCESS.running


def instrument(app: Any) -> Any:  # noqa: ANN401 - any ASGI or WSGI application
    """Return an application that makes a span a request: the same object where it can be hooked in place.

    FastAPI, Starlette and Flask applications are hooked in place, other ASGI and WSGI callables are wrapped. Before
    `configure()`, which it calls without arguments when nobody has, nothing is lost.
    """
    return configure().instrument(app)


def configure_child(arguments: Mapping[str, Any]) -> None:
    """Configure a child that `multiprocessing` started afresh, as its parent was, and silently."""
    configure(**{**arguments, "greeting": "off"})


def _again(running: Running, arguments: Mapping[str, Any], app: Any) -> None:  # noqa: ANN401
    running.identify({name: arguments[name] for name in IDENTIFYING if arguments.get(name) is not None})
    changed = [name for name, value in arguments.items() if value is not None and _differs(running, name, value)]
    if changed:
        running.tell(f"configure() was called again with other values, which have no effect: {', '.join(changed)}.")
    if app is not None:
        _hook(running, app)


def _differs(running: Running, name: str, value: object) -> bool:
    if name not in SETTINGS_BY_NAME:
        return True
    try:
        return bool(parsed(SETTINGS_BY_NAME[name], value, "argument") != getattr(running.settings, name))
    except SettingInvalid:
        return True


def _started(arguments: Mapping[str, Any], app: Any) -> Running:  # noqa: ANN401
    loaded = Loaded(settings=Settings(enabled=False), problems=(), overruled=())
    try:
        loaded = load(arguments, environment=os.environ, folder=Path.cwd())
        return _assembled(loaded, arguments, app)
    except HomeostatError as error:
        _LOG.warning("homeostat: could not start, and does nothing: cannot %s", error)
        return Running(loaded, parts=None, instrumented=None)
    except Exception as error:
        _LOG.warning("homeostat: could not start, and does nothing: %s: %s", type(error).__name__, error, exc_info=True)
        return Running(loaded, parts=None, instrumented=None)


def _assembled(loaded: Loaded, arguments: Mapping[str, Any], app: Any) -> Running:  # noqa: ANN401
    settings = loaded.settings
    for problem in loaded.problems:
        _LOG.warning("homeostat: %s", problem)
    if not (settings.enabled and settings.traces):
        running = Running(loaded, parts=None, instrumented=None)
    else:
        problems: list[str] = []
        parts = assemble(settings, problems)
        running = Running(loaded, parts=parts, instrumented=_instrumented(parts))
        for problem in problems:
            running.tell(problem)
        if parts.is_provider_foreign:
            running.tell(
                "another tracer provider was set before configure(): its spans are sent to our receiver as well, "
                "and its sampler decides. Remove the other set-up, or call configure() first."
            )
        running.start_hooks()
        atexit.register(running.shutdown)
        _bequeath_late(running, arguments)
    if app is not None:
        _hook(running, app)
    _greet(running)
    return running


def _instrumented(parts: Assembly) -> Instrumented:
    settings = parts.settings
    imports = Imports()
    imports.start()
    libraries = Libraries(imports)
    libraries.start(
        chosen(LIBRARIES, wanted=settings.instrument, unwanted=settings.instrument_not), named=settings.instrument
    )
    clients = Clients(imports, Messaging(parts.propagator))
    clients.start(wanted=settings.instrument, unwanted=settings.instrument_not)
    applications = Applications(
        wrap_asgi=lambda app: wrap_asgi(app, parts), wrap_wsgi=lambda app: wrap_wsgi(app, parts)
    )
    return Instrumented(imports=imports, libraries=libraries, clients=clients, applications=applications)


def _hook(running: Running, app: Any) -> None:  # noqa: ANN401
    if running.is_active and running.instrument(app) is not app:
        running.tell(
            f"app={type(app).__name__} cannot be hooked in place: use app = homeostat.instrument(app) instead."
        )


def _bequeath_late(running: Running, arguments: Mapping[str, Any]) -> None:
    """Let children that are started afresh be configured too, as soon as the program has what starts them."""
    given = {name: value for name, value in arguments.items() if value is not None}
    inheritance = Inheritance(configure_child, given)
    hooked = running.instrumented
    if hooked is not None:
        hooked.imports.call_when_imported("multiprocessing.process", lambda: _bequeath(inheritance))


def _bequeath(inheritance: Inheritance) -> None:
    bequeath(inheritance)


def _greet(running: Running) -> None:
    stream = sys.stderr
    if not is_wanted(running.settings, stream):
        return
    hooked = running.instrumented
    lines = greeting(
        running.settings,
        ratio=ratio_of(running.settings),
        instrumented=() if hooked is None else hooked.names,
        waiting=() if hooked is None else hooked.waiting,
        problems=running.problems,
    )
    try:
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()
    except (OSError, ValueError):  # closed, or a pipe that nobody reads
        return
