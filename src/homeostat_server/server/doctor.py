"""Would `homeostat up` start here? Looks at everything outside the process and changes nothing that was there.

Each check answers with a finding; a finding that would stop the start says what to do.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from homeostat.settings.kinds import GIBIBYTE, MEBIBYTE, Address
from homeostat_server.exceptions import HomeostatError
from homeostat_server.runtime.clock import Clock, SystemClock
from homeostat_server.runtime.data_folder import DataFolder
from homeostat_server.runtime.resources import Resources
from homeostat_server.runtime.settings import SETTINGS_BY_NAME, Settings
from homeostat_server.security.binding import examine_binding, refuse_unsafe_binding
from homeostat_server.security.tls import load_tls
from homeostat_server.store.state.api_keys import ApiKeyRecords
from homeostat_server.store.state.database import connect_state
from homeostat_server.store.state.dsn import default_state_dsn, is_state_there, parse_state_dsn

FREE_DISK_WARNING_BYTES: Final = 5 * GIBIBYTE
"""About a day of a small team's telemetry; below it somebody should look."""

MEMORY_WARNING_BYTES: Final = 512 * MEBIBYTE
"""The process needs about this much at rest with the engine's caches at their smallest."""

ENGINE_TIMEOUT_S: Final = 60.0
"""A cold import of the engine from a slow disk takes some seconds; a minute is a hang."""

CERTIFICATE_WARNING_DAYS: Final = 14
"""Half of what automatic renewal usually leaves (30 days): by then it has failed."""

_NS_PER_S: Final = 1_000_000_000
_SECONDS_PER_DAY: Final = 86_400
_EARLIEST_NOW_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01: no machine that runs this release is older


@unique
class Verdict(StrEnum):
    """Name how bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Tell what was looked at, what was seen, and what to do about it."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""

    @property
    def stops_start(self) -> bool:
        """Say whether `homeostat up` would refuse to start."""
        return self.verdict is Verdict.PROBLEM


def examine(settings: Settings, *, resources: Resources, clock: Clock | None = None) -> tuple[Finding, ...]:
    """Return the findings of all checks, in the order in which `up` would meet them."""
    clock = clock or SystemClock()
    return (
        check_data_folder(settings),
        check_disk(settings),
        check_memory(resources),
        check_clock(settings, clock=clock),
        check_engine(),
        check_address("http", settings.http),
        check_address("grpc", settings.grpc),
        check_tls(settings, clock=clock),
        check_access(settings),
    )


def check_data_folder(settings: Settings) -> Finding:
    """Say whether the data folder can be written, or made, and nobody else owns it."""
    path = settings.data_folder
    if not path.exists():
        return _check_folder_can_be_made(path)
    try:
        DataFolder.claim(path).release()
    except HomeostatError as error:
        return Finding(subject="data folder", verdict=Verdict.PROBLEM, detail=f"{path}: {error.code}", hint=error.hint)
    return Finding(subject="data folder", verdict=Verdict.OK, detail=f"{path} can be written and is free")


def _check_folder_can_be_made(path: Path) -> Finding:
    parent = _nearest_existing(path)
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir():
        return Finding(subject="data folder", verdict=Verdict.OK, detail=f"{path} is not there and will be made")
    hint = f"Make {parent} writable for this user, or name another folder with --data."
    return Finding(subject="data folder", verdict=Verdict.PROBLEM, detail=f"{path} cannot be made", hint=hint)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


def check_disk(settings: Settings, *, free_bytes: Callable[[Path], int] = _free_bytes) -> Finding:
    """Say how much disk is left for the data folder."""
    free = free_bytes(_nearest_existing(settings.data_folder))
    detail = f"{free / GIBIBYTE:.1f} GiB free"
    if free < settings.spool_segment_bytes_max:
        hint = "There is no room for one segment: free some, or name another folder with --data."
        return Finding(subject="disk", verdict=Verdict.PROBLEM, detail=detail, hint=hint)
    if free < FREE_DISK_WARNING_BYTES:
        hint = "Free some, or lower HOMEOSTAT_RETENTION_ORDINARY_DAYS."
        return Finding(subject="disk", verdict=Verdict.WARNING, detail=detail, hint=hint)
    return Finding(subject="disk", verdict=Verdict.OK, detail=detail)


def check_memory(resources: Resources) -> Finding:
    """Say what memory and CPU the process may use."""
    detail = (
        f"{resources.memory_bytes / GIBIBYTE:.1f} GiB memory ({resources.memory_origin}), "
        f"{resources.cpus:g} CPUs ({resources.cpus_origin})"
    )
    if resources.memory_bytes < MEMORY_WARNING_BYTES:
        hint = "Queries will meet their memory bound early: give the process 1 GiB or more."
        return Finding(subject="resources", verdict=Verdict.WARNING, detail=detail, hint=hint)
    return Finding(subject="resources", verdict=Verdict.OK, detail=detail)


def check_clock(settings: Settings, *, clock: Clock) -> Finding:
    """Say whether the clock can be right: not before this release, nor before what is already stored."""
    now_ns = clock.now_ns()
    newest_ns = max((path.stat().st_mtime_ns for path in settings.spool_folder.glob("*/*.segment")), default=0)
    if now_ns < max(_EARLIEST_NOW_NS, newest_ns):
        hint = "Set the clock (NTP): rows are kept and found by the time they were received."
        detail = f"{now_ns} ns since 1970 is before what is known to have happened"
        return Finding(subject="clock", verdict=Verdict.WARNING, detail=detail, hint=hint)
    return Finding(subject="clock", verdict=Verdict.OK, detail="plausible")


def _run_engine() -> subprocess.CompletedProcess[str]:
    code = "import chdb; print(chdb.engine_version)"
    return subprocess.run(  # noqa: S603 - our own interpreter with the constant above
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=ENGINE_TIMEOUT_S, check=False
    )


def check_engine(run: Callable[[], subprocess.CompletedProcess[str]] = _run_engine) -> Finding:
    """Say whether the engine loads, in a process of its own: one built for another CPU kills, it does not raise."""
    result = run()
    if result.returncode == 0:
        return Finding(subject="engine", verdict=Verdict.OK, detail=f"version {result.stdout.strip()}")
    reason = (result.stderr.strip().splitlines() or [f"killed by signal {-result.returncode}"])[-1]
    hint = 'Install it with: pip install "homeostat[server]"'
    return Finding(subject="engine", verdict=Verdict.PROBLEM, detail=reason, hint=hint)


def check_address(name: str, address: Address) -> Finding:
    """Say whether the address can be listened on."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
    except OSError as error:
        hint = f"Stop what listens there, or give another address with {SETTINGS_BY_NAME[name].flag}."
        return Finding(subject=name, verdict=Verdict.PROBLEM, detail=f"{address}: {error.strerror}", hint=hint)
    return Finding(subject=name, verdict=Verdict.OK, detail=f"{address} is free")


def check_tls(settings: Settings, *, clock: Clock) -> Finding:
    """Say whether the TLS files can be used, and until when."""
    try:
        files = {"key": settings.tls_key, "client_ca": settings.tls_client_ca}
        identity = load_tls(settings.tls_certificate, **files, clock=clock)
    except HomeostatError as error:
        detail = f"cannot {error.attempted}: {error.shown_value()}"
        return Finding(subject="TLS", verdict=Verdict.PROBLEM, detail=detail, hint=error.hint)
    if identity is None:
        return Finding(subject="TLS", verdict=Verdict.OK, detail="off")
    left_days = (identity.expires_at.timestamp() - clock.now_ns() / _NS_PER_S) / _SECONDS_PER_DAY
    detail = f"the certificate is valid for {left_days:.0f} days"
    if left_days < CERTIFICATE_WARNING_DAYS:
        return Finding(subject="TLS", verdict=Verdict.WARNING, detail=detail, hint="Renew it.")
    return Finding(subject="TLS", verdict=Verdict.OK, detail=detail)


def check_access(settings: Settings) -> Finding:
    """Say who can reach it, and whether a key is there when others can."""
    try:
        binding = examine_binding([settings.http.host, settings.grpc.host])
        has_keys = _has_active_keys(settings)
        refuse_unsafe_binding(binding, has_active_keys=has_keys)
    except HomeostatError as error:
        detail = f"cannot {error.attempted}: {error.shown_value()}"
        return Finding(subject="access", verdict=Verdict.PROBLEM, detail=detail, hint=error.hint)
    reach = "this machine only" if binding.is_loopback else "other machines too"
    detail = f"reachable from {reach}; {'a key is needed' if has_keys else 'open, no key is needed'}"
    return Finding(subject="access", verdict=Verdict.OK, detail=detail)


def _has_active_keys(settings: Settings) -> bool:
    """Look for a key without migrating what is there: a doctor changes nothing."""
    dsn = settings.state or default_state_dsn(settings.data)
    if not is_state_there(dsn):
        return False
    database = connect_state(parse_state_dsn(dsn))
    try:
        return bool(ApiKeyRecords(database).newest(active_max=1, revoked_max=0))
    finally:
        database.close()


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
