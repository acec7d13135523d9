from pathlib import Path

import psutil
import pytest

from homeostat_server.runtime.resources import Resources, read_resources

GIB = 1024**3


def machine(root: Path, **files: str) -> Path:
    """Write a machine with 16 GiB and 8 CPUs; `files` are paths under it, with `__` for `/` and `DOT` for a dot."""
    given = {
        "proc__meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n",
        "proc__self__status": "Name:\tpython\nCpus_allowed_list:\t0-3,8,10-12\n",
        **files,
    }
    for name, text in given.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_cgroups_the_host_and_the_affinity_decide(tmp_path: Path) -> None:
    """Memory is the host's, CPUs are those that the process may run on."""
    found = read_resources(machine(tmp_path))
    assert found == Resources(memory_bytes=16 * GIB, memory_origin="host", cpus=8.0, cpus_origin="affinity")


def test_a_cgroup_of_version_2_limits_memory_and_cpu(tmp_path: Path) -> None:
    """A container that sees its own limits at the mount point is bounded by them."""
    found = read_resources(
        machine(
            tmp_path,
            proc__self__cgroup="0::/\n",
            sys__fs__cgroup__memoryDOTmax=f"{2 * GIB}\n",
            sys__fs__cgroup__cpuDOTmax="150000 100000\n",
        )
    )
    assert (found.memory_bytes, found.cpus) == (2 * GIB, 1.5)
    assert found.memory_origin.endswith("memory.max")


def test_the_tightest_of_nested_cgroups_decides(tmp_path: Path) -> None:
    """A parent's smaller limit binds its children."""
    found = read_resources(
        machine(
            tmp_path,
            proc__self__cgroup="0::/pods/mine\n",
            sys__fs__cgroup__pods__mine__memoryDOTmax=f"{4 * GIB}\n",
            sys__fs__cgroup__pods__memoryDOTmax=f"{1 * GIB}\n",
            sys__fs__cgroup__pods__mine__cpuDOTmax="max 100000\n",
        )
    )
    assert (found.memory_bytes, found.cpus) == (1 * GIB, 8.0)


def test_a_cgroup_of_version_1_limits_memory_and_cpu(tmp_path: Path) -> None:
    """The older files are read too, also when the path is the host's and not there."""
    found = read_resources(
        machine(
            tmp_path,
            proc__self__cgroup="4:memory:/docker/abc\n3:cpuset:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",
            sys__fs__cgroup__memory__memoryDOTlimit_in_bytes=f"{3 * GIB}\n",
            sys__fs__cgroup__cpu__cpuDOTcfs_quota_us="200000\n",
            sys__fs__cgroup__cpu__cpuDOTcfs_period_us="100000\n",
        )
    )
    assert (found.memory_bytes, found.cpus) == (3 * GIB, 2.0)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", "rubbish", ""])
def test_a_cgroup_without_a_limit_does_not_bind(tmp_path: Path, limit: str) -> None:
    """Both spellings of "no limit", and what nobody understands, leave the host's memory."""
    found = read_resources(
        machine(
            tmp_path,
            proc__self__cgroup="0::/\n",
            sys__fs__cgroup__memoryDOTmax=limit,
            sys__fs__cgroup__cpuDOTmax="-1 0",
        )
    )
    assert (found.memory_bytes, found.cpus_origin) == (16 * GIB, "affinity")


def test_a_limit_above_the_host_does_not_add_memory(tmp_path: Path) -> None:
    """The host is a bound as well."""
    found = read_resources(machine(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__memoryDOTmax=str(64 * GIB)))
    assert (found.memory_bytes, found.memory_origin) == (16 * GIB, "host")


def test_a_machine_without_proc_is_asked_through_its_own_calls(tmp_path: Path) -> None:
    """Where there is no /proc the operating system's answer is taken."""
    found = read_resources(tmp_path)
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.cpus >= 1
