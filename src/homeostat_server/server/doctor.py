"""Would `homeostat up` start here? Looks at everything outside the process and changes nothing that was there.

Each check answers with a finding; a finding that would stop the start says what to do.
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from homeostat_server.exceptions import HomeostatError
from homeostat_server.runtime.clock import Clock, SystemClock
from homeostat_server.runtime.data_folder import DataFolder
from homeostat_server.runtime.resources import Resources
from homeostat_server.runtime.setting_kinds import GIBIBYTE, MEBIBYTE, Address
from homeostat_server.runtime.settings import SETTINGS_BY_NAME, Settings

FREE_DISK_WARNING_BYTES: Final = 5 * GIBIBYTE
"""About a day of a small team's telemetry; below it somebody should look."""

MEMORY_WARNING_BYTES: Final = 512 * MEBIBYTE
"""The process needs about this much at rest with the engine's caches at their smallest."""

ENGINE_TIMEOUT_S: Final = 60.0
"""A cold import of the engine from a slow disk takes some seconds; a minute is a hang."""

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
    return (
        check_data_folder(settings),
        check_disk(settings),
        check_memory(resources),
        check_clock(settings, clock=clock or SystemClock()),
        check_engine(),
        check_address("http", settings.http),
        check_address("grpc", settings.grpc),
        check_tls(settings),
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


def check_tls(settings: Settings) -> Finding:
    """Say whether the TLS files can be read and belong together."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return Finding(subject="TLS", verdict=Verdict.OK, detail="off")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        if settings.tls_client_ca is not None:
            context.load_verify_locations(settings.tls_client_ca)
    except OSError as error:  # SSLError is one
        hint = "Give PEM files that this user can read; the key has to be the certificate's own, without a password."
        return Finding(subject="TLS", verdict=Verdict.PROBLEM, detail=str(error), hint=hint)
    return Finding(subject="TLS", verdict=Verdict.OK, detail=f"certificate {settings.tls_certificate}")


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
