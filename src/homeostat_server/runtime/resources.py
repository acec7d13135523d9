"""How much memory and CPU this process may use: the host's, or less when a cgroup says so. It changes nothing.

Everything is read under a root folder, so that a test can give any machine. Sources:
https://docs.kernel.org/admin-guide/cgroup-v2.html and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import psutil

_UNLIMITED_BYTES_MIN: Final = 1 << 60
"""cgroup v1 says "no limit" by a number near 2^63; no machine has 2^60 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Hold what the process may use, and which file or fact said so."""

    memory_bytes: int
    memory_origin: str
    cpus: float
    cpus_origin: str


def read_resources(root: Path = Path("/")) -> Resources:
    """Return the memory and CPUs that this process may use: the tightest of host, affinity and cgroups."""
    memory_bytes, memory_origin = min([_host_memory(root), *_cgroup_memory_limits(root)])
    cpus, cpus_origin = min([_host_cpus(root), *_cgroup_cpu_limits(root)])
    return Resources(memory_bytes=memory_bytes, memory_origin=memory_origin, cpus=cpus, cpus_origin=cpus_origin)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _field(text: str | None, name: str) -> str | None:
    """Return what follows `name:` at the start of a line."""
    lines = (text or "").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), None)


def _host_memory(root: Path) -> tuple[int, str]:
    total = _field(_read(root / "proc/meminfo"), "MemTotal")
    if total is None:
        return psutil.virtual_memory().total, "host"
    return int(total.split()[0]) * 1024, "host"


def _host_cpus(root: Path) -> tuple[float, str]:
    allowed = _field(_read(root / "proc/self/status"), "Cpus_allowed_list")
    if allowed is None:
        return float(os.cpu_count() or 1), "host"
    return float(sum(_range_length(part) for part in allowed.split(","))), "affinity"


def _range_length(part: str) -> int:
    first, _, last = part.partition("-")
    return int(last or first) - int(first) + 1


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the process's cgroup folder for a controller and all its parents, version 2 and version 1.

    Inside a container the path is often the host's and not there; the mount point itself, always the last, then holds
    the container's own limits.
    """
    mount = root / "sys/fs/cgroup"
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = mount / controller if controllers else mount
        inside = PurePosixPath(path.lstrip("/"))
        yield from (top / folder for folder in (inside, *inside.parents))


def _cgroup_memory_limits(root: Path) -> Iterator[tuple[int, str]]:
    for folder in _cgroup_folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text is not None and text.isdigit() and int(text) < _UNLIMITED_BYTES_MIN:
                yield int(text), str(folder / name)


def _cgroup_cpu_limits(root: Path) -> Iterator[tuple[float, str]]:
    for folder in _cgroup_folders(root, "cpu"):
        quota, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us") or ""
        period = period or _read(folder / "cpu.cfs_period_us") or ""
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            yield int(quota) / int(period), str(folder)
