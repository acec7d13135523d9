import json
import subprocess
from pathlib import Path

import pytest

from tests.receiver import receiving
from tests.served import BIN, environment

pytestmark = pytest.mark.e2e

PROGRAM = """
import json, os, subprocess, sys
from opentelemetry import trace
import homeostat
with trace.get_tracer("t").start_as_current_span("work"):
    found = [homeostat.current_handle().settings.service, homeostat.current_handle().settings.environment]
if len(sys.argv) == 1:
    found.append(json.loads(subprocess.check_output([sys.executable, __file__, "child"])))
    found.append(getattr(sys.modules["sitecustomize"], "MINE", None))
print(json.dumps(found))
"""


def test_a_program_and_its_children_are_instrumented_without_a_change(tmp_path: Path) -> None:
    """Settings of the command line reach all of them, the five lines are said once, and what it had stays."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sitecustomize.py").write_text("MINE = 7\n")
    with receiving() as receiver:
        told = environment(
            HOMEOSTAT_GREETING="on", HOMEOSTAT_BUFFER_FOLDER=str(tmp_path / "b"), PYTHONPATH=str(tmp_path / "mine")
        )
        options = [
            "--service",
            "orders",
            "--environment",
            "test",
            "--endpoint",
            receiver.url,
            "--set",
            "compression=gzip",
        ]
        words = [str(BIN / "homeostat"), "run", *options, "--", "python", "program.py"]
        done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=60, check=False)
        assert json.loads(done.stdout or "null") == ["orders", "test", ["orders", "test"], 7], done.stderr
        spans = receiver.wait_for(2, timeout_s=5)
    assert len({span.instance for span in spans}) == 2
    assert done.stderr.count("homeostat doctor") == 1


NAMING = """
import homeostat, sys
from opentelemetry import trace
with trace.get_tracer("t").start_as_current_span("before it was named"):
    handle = homeostat.configure("inside", environment="test")
sys.stdout.write(str(handle.settings.service) + "|" + "|".join(handle.problems))
"""


@pytest.mark.parametrize(("outside", "name"), [("", "inside"), ("outside", "outside")])
def test_a_program_may_say_its_name_if_nobody_did(tmp_path: Path, outside: str, name: str) -> None:
    """What was said outside stays, what has no effect is told, and spans from before the name have it, too."""
    (tmp_path / "program.py").write_text(NAMING)
    with receiving() as receiver:
        told = environment(HOMEOSTAT_ENDPOINT=receiver.url, HOMEOSTAT_BUFFER="off", HOMEOSTAT_SERVICE=outside)
        words = [str(BIN / "homeostat"), "run", "--", "python", "program.py"]
        done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=60, check=False)
        (span,) = receiver.wait_for(1, timeout_s=5)
    unheard = "environment" if name == "inside" else "service, environment"
    assert done.stdout == f"{name}|configure() was called again with other values, which have no effect: {unheard}."
    assert span.resource["service.name"] == name


@pytest.mark.parametrize("command", [str(BIN / "python"), "./program"])
def test_a_command_may_be_a_path(tmp_path: Path, command: str) -> None:
    """Absolute or relative: it is that program, wherever we are installed."""
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec {BIN / "python"} "$@"\n')
    program.chmod(0o755)
    told = environment(HOMEOSTAT_SERVICE="orders", HOMEOSTAT_ENDPOINT="http://127.0.0.1:9", HOMEOSTAT_BUFFER="off")
    code = "import homeostat; print(homeostat.current_handle().settings.service)"
    words = [str(BIN / "homeostat"), "run", "--", command, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "orders\n", done.stderr
