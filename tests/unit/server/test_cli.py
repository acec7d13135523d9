from pathlib import Path

import pytest
from click.testing import CliRunner

from homeostat_server.exceptions import HomeostatError, InvalidRequest
from homeostat_server.runtime.settings import SETTINGS
from homeostat_server.server.cli import doctor, up
from homeostat_server.server.options import Refusal


def test_every_setting_is_an_option_of_up() -> None:
    """The help names flag, variable and default of each row of the table."""
    output = CliRunner().invoke(up, ["--help"]).output
    for setting in SETTINGS:
        assert setting.flag in output
        assert setting.variable in output


def test_a_bad_value_is_printed_without_a_traceback() -> None:
    """Attempted, value and hint are on lines of their own, and the exit code is 2."""
    result = CliRunner().invoke(up, ["--http", "nonsense"])
    assert result.exit_code == 2
    assert result.output == (
        "Error: cannot use the setting http from flag --http: nonsense\n"
        "  Give HOST:PORT such as 127.0.0.1:4318 or [::1]:4318.\n"
        "  [setting_invalid]\n"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InvalidRequest("do it"), "cannot do it\n  [invalid_request]"),
        (HomeostatError("do it", value=3, hint="Do not."), "cannot do it: 3\n  Do not.\n  [internal]"),
    ],
)
def test_an_error_is_printed_with_what_is_known(error: HomeostatError, text: str) -> None:
    """Nothing is printed for what is not there."""
    assert Refusal(error).message == text


def test_doctor_prints_every_setting_with_its_origin(tmp_path: Path) -> None:
    """A healthy machine ends with 0, and unknown variables are told."""
    arguments = ["--data", str(tmp_path), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    result = CliRunner().invoke(doctor, arguments, env={"HOMEOSTAT_NODE": "7", "HOMEOSTAT_NOODE": "8"})
    assert result.exit_code == 0, result.output
    assert "(variable HOMEOSTAT_NODE)" in result.output
    assert "(flag --data)" in result.output
    assert "HOMEOSTAT_NOODE is not a setting" in result.output
    assert all(f"\n{setting.name} " in f"\n{result.output}" for setting in SETTINGS)


def test_doctor_ends_with_1_when_up_would_not_start(tmp_path: Path) -> None:
    """A problem is marked and comes with what to do."""
    arguments = ["--data", str(tmp_path), "--http", "192.0.2.1:1", "--grpc", "127.0.0.1:0"]
    result = CliRunner().invoke(doctor, arguments)
    assert result.exit_code == 1
    assert "PROBLEM  http: 192.0.2.1:1" in result.output
    assert "give another address with --http" in result.output
