"""What there is to say about a service's set-up, each check a finding. It prints nothing."""

import os
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from homeostat.doctor.findings import Finding, ok, problem, warning
from homeostat.doctor.trial import send_test_span
from homeostat.integrations.clients import CLIENTS
from homeostat.integrations.late import is_installed
from homeostat.integrations.libraries import LIBRARIES, chosen
from homeostat.settings.loading import Loaded, nearest
from homeostat.settings.opentelemetry import ineffective_variables
from homeostat.settings.table import SETTINGS, Settings
from homeostat.start.assembly import buffer_folder, ratio_of, traces_address
from homeostat.start.resource import UNKNOWN_SERVICE, service_name
from homeostat.start.running import Running

_PREFIX: Final = "HOMEOSTAT_"

_FREE_BYTES_WARNING: Final = 256 * 1024**2
"""As much as the buffer may take by default."""

OTHER_TRACERS: Final = ("ddtrace", "newrelic", "elasticapm", "logfire", "scout_apm")
"""Packages that instrument a program by themselves; two of them in one process time each other."""


def examine(loaded: Loaded, *, environment: Mapping[str, str], running: Running | None = None) -> Iterator[Finding]:
    """Yield the findings of all checks.

    Args:
        loaded: the settings and what was found on the way.
        environment: the process's variables.
        running: of the program that was looked at, None when none was.
    """
    settings = loaded.settings
    yield check_service(settings)
    yield from check_settings(loaded)
    yield from check_variables(environment)
    yield from check_libraries(settings)
    yield from check_others(environment)
    if running is not None:
        yield from check_program(running)
    yield check_buffer(settings)
    yield send_test_span(settings) if settings.enabled and settings.traces else warning("test span", "traces are off")


def check_service(settings: Settings) -> Finding:
    """Say whether the service has a name."""
    name = service_name(settings)
    if name.startswith(UNKNOWN_SERVICE):
        hint = 'Set HOMEOSTAT_SERVICE, or configure("name") in the program, which is not seen here.'
        return warning("service", f"it has no name and would be called {name}", hint)
    return ok("service", f"{name} ({settings.environment})")


def check_settings(loaded: Loaded) -> Iterator[Finding]:
    """Say which values could not be read and which have no effect because another one wins."""
    for sentence in loaded.problems:
        yield warning("setting", sentence)
    for overruled in loaded.overruled:
        yield warning("setting", str(overruled), "Take one of the two away.")


def check_variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say which variables are read by nobody."""
    for sentence in ineffective_variables(environment):
        yield warning("variable", sentence)
    known = {setting.variable for setting in SETTINGS}
    for name in sorted(environment):
        # Others of this prefix may be settings of the platform, which warns about its own.
        near = nearest(name.removeprefix(_PREFIX).lower(), cutoff=0.9) if name.startswith(_PREFIX) else ""
        if near and name not in known:
            yield warning("variable", f"{name} is not a setting of a service.{near}")


def check_libraries(settings: Settings) -> Iterator[Finding]:
    """Say which installed libraries make spans, and which would with another package."""
    wanted = chosen(LIBRARIES, wanted=settings.instrument, unwanted=settings.instrument_not)
    there = [library for library in wanted if is_installed(library.module)]
    able = dict.fromkeys(library.name for library in there if is_installed(library.package))
    able |= dict.fromkeys(name for name, library in CLIENTS.items() if is_installed(library))
    if able:
        yield ok("libraries", f"instrumented when the program imports them: {', '.join(able)}")
    unable = dict.fromkeys(library.name for library in there if not is_installed(library.package))
    common = [name for name in unable if name not in {"sqlite3", "urllib"}]
    if common:
        hint = 'Install it with: pip install "homeostat[instrumentation]"'
        yield warning("libraries", f"installed, but without their contrib package: {', '.join(common)}", hint)
    if settings.protocol == "grpc" and not is_installed("grpc"):
        yield problem("protocol", "grpc needs grpcio", 'Install it with: pip install "homeostat[grpc]"')


def check_others(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say what else would instrument the same program."""
    if "auto_instrumentation" in environment.get("PYTHONPATH", "") or environment.get("OTEL_PYTHON_CONFIGURATOR"):
        hint = "Start the program with `homeostat run` or with `opentelemetry-instrument`, not with both."
        yield warning("duplicate", "opentelemetry-instrument is at work: two tracer providers", hint)
    for package in OTHER_TRACERS:
        if find_spec(package) is not None:
            yield warning("duplicate", f"{package} {_version(package)} is installed, and may trace the same program")


def check_program(running: Running) -> Iterator[Finding]:
    """Say what a program that was imported has set up."""
    for sentence in running.problems:
        yield warning("program", sentence)
    provider, parts, hooked = trace.get_tracer_provider(), running.parts, running.instrumented
    if parts is None or hooked is None:
        yield warning("program", "Homeostat is off in it")
        return
    if provider is not parts.provider:
        yield problem("duplicate", f"the global tracer provider is {type(provider).__qualname__}, not ours")
    if isinstance(provider, TracerProvider):
        for name in _exporting_processors(provider):
            yield warning("duplicate", f"{name} exports the same spans, too", "Remove it, or keep it on purpose.")
    for kind in hooked.applications.foreign:
        yield warning("duplicate", f"a {kind} application is instrumented by contrib's package and was left to it")
    for name in hooked.libraries.foreign:
        yield warning("duplicate", f"{name} was instrumented by somebody else before")
    yield ok("program", f"applications: {', '.join(hooked.applications.hooked) or 'none'}")


def check_buffer(settings: Settings) -> Finding:
    """Say whether what cannot be delivered can be kept."""
    folder = buffer_folder(settings)
    if folder is None:
        return warning("buffer", "off: what cannot be delivered is lost when the process ends")
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return warning("buffer", f"{folder} cannot be written", "Set HOMEOSTAT_BUFFER_FOLDER to a folder that can.")
    waiting = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
    free = shutil.disk_usage(place).free
    detail = f"{folder}, {waiting} bytes waiting, {free // 1024**2} MiB free"
    return warning("buffer", detail, "The disk is nearly full.") if free < _FREE_BYTES_WARNING else ok("buffer", detail)


def _exporting_processors(provider: TracerProvider) -> Iterator[str]:
    """Yield the processors of the SDK that send somewhere themselves; the SDK has no public way to ask."""
    active = getattr(provider, "_active_span_processor", None)
    for processor in getattr(active, "_span_processors", ()):
        if type(processor).__name__ in {"BatchSpanProcessor", "SimpleSpanProcessor"}:
            yield f"a {type(processor).__name__}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def show_settings(settings: Settings) -> Iterator[str]:
    """Yield a line for each setting: its value, masked where it is a secret, and its origin.

    Where a default depends on other settings, what is in effect is shown.
    """
    width = max(len(setting.name) for setting in SETTINGS)
    in_effect = derived(settings)
    for setting in SETTINGS:
        shown = setting.show(getattr(settings, setting.name))
        origin = settings.origin(setting.name)
        if not shown and setting.name in in_effect:
            shown, origin = in_effect[setting.name]
        yield f"{setting.name:<{width}}  {shown or 'none'}  ({origin})"


def derived(settings: Settings) -> Mapping[str, tuple[str, str]]:
    """Return what is in effect where nobody set a value and it follows from others, each with what it follows from."""
    folder = buffer_folder(settings)
    return {
        "service": (service_name(settings), "derived: the program"),
        "endpoint": (settings.target, f"derived: {settings.protocol}"),
        "sampling_ratio": (f"{ratio_of(settings):g}", f"derived: {settings.environment}"),
        "buffer_folder": ("none" if folder is None else str(folder), "derived: the service"),
        "traces_endpoint": (traces_address(settings), "derived: endpoint"),
    }
