import subprocess
import sys
from pathlib import Path

import pytest

import homeostat

pytestmark = pytest.mark.e2e
HOMEOSTAT = Path(sys.executable).with_name("homeostat")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what the installed command answers."""
    return subprocess.run([HOMEOSTAT, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_command_says_its_version() -> None:
    """The entry point leads to the command."""
    assert run("version").stdout == f"{homeostat.__version__}\n"


def test_doctor_finds_the_engine_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In a folder that is not there all checks pass, and it is still not there."""
    data = tmp_path / "data"
    result = run("doctor", "--data", str(data), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    assert (result.returncode, result.stderr) == (0, "")
    assert "ok       engine: version 26.9" in result.stdout
    assert not data.exists()


def test_a_setting_that_cannot_be_used_ends_up_with_a_hint() -> None:
    """No traceback, exit code 2."""
    result = run("up", "--http", "nonsense")
    assert result.returncode == 2
    assert "Give HOST:PORT" in result.stderr
    assert "Traceback" not in result.stderr
