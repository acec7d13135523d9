"""The public API is typed for the strictest checkers, as a program that uses all of it sees it."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.api_snapshot import MODULES, public_names
from tools.sources import ROOT

CONSUMER = Path(__file__).parent / "types" / "consumer.py"
NOT_USED = {"Arguments"}
"""What a program never names: its members are arguments."""
DOWNLOAD_S = 240


@pytest.fixture(scope="module")
def pyright() -> str:
    """Return pyright; its package fetches it at the first run, and may not be able to."""
    command = Path(sys.executable).with_name("pyright")
    if not command.exists() or shutil.which("node") is None:
        pytest.skip("pyright needs its package and Node")
    asked = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
    if asked.returncode != 0:
        pytest.skip(f"pyright could not be fetched: {asked.stderr[-200:]}")
    return str(command)


def checked(*command: object) -> "subprocess.CompletedProcess[str]":
    """Run a checker that finds the package as an installed one."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )


def test_the_consumer_uses_every_public_name() -> None:
    """What it does not use would not be checked."""
    text = CONSUMER.read_text(encoding="utf-8")
    names = [name for module in MODULES for name in public_names(importlib.import_module(module))]
    assert [name for name in names if name not in NOT_USED and not re.search(rf"\b{name}\b", text)] == []


def test_mypy_finds_nothing_in_strict_mode(tmp_path: Path) -> None:
    """Without this repository's settings: those of a reader count."""
    done = checked(
        sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", tmp_path, CONSUMER
    )
    assert done.returncode == 0, done.stdout


def test_pyright_finds_nothing_in_strict_mode(pyright: str, tmp_path: Path) -> None:
    """Neither an error nor a warning, with everything reported that it can report."""
    config = {"include": [str(CONSUMER)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    done = checked(pyright, "--project", tmp_path, "--warnings")
    assert done.returncode == 0, done.stdout


def test_every_type_of_the_package_is_known(pyright: str) -> None:
    """Of all symbols that can be imported, none has an unknown or an ambiguous type."""
    done = checked(pyright, "--verifytypes", "homeostat", "--ignoreexternal")
    wrong = [line.strip() for line in done.stdout.splitlines() if " - error: " in line]
    assert wrong == []
    assert "Type completeness score: 100%" in done.stdout
