import sys
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner

import homeostat
from homeostat.cli import COMMANDS_GROUP, DOCTOR_GROUP, DiscoveringGroup, DoctorCommand, main


@click.command()
def late() -> None:
    """Need a module that is not installed, once it runs."""
    raise ModuleNotFoundError("No module named 'fastapi.x'", name="fastapi.x")


@click.command()
def broken() -> None:
    """Miss a module of our own."""
    raise ModuleNotFoundError("No module named 'homeostat_server.x'", name="homeostat_server.x")


def group_with(**targets: str) -> DiscoveringGroup:
    """Return a group whose commands are announced by these entry points."""
    announced = {name: EntryPoint(name, target, COMMANDS_GROUP) for name, target in targets.items()}
    return DiscoveringGroup("homeostat", announced=announced)


def test_version_prints_the_version() -> None:
    """Nothing else is on the line."""
    assert CliRunner().invoke(main, ["version"]).output == f"{homeostat.__version__}\n"


def test_the_installed_commands_are_listed() -> None:
    """The server's commands are found by entry point, the SDK's own are there too."""
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(f"  {name} " in output for name in ("doctor", "key", "overhead", "run", "up", "version"))


def test_an_announced_command_runs() -> None:
    """A command of another distribution runs like our own."""
    assert CliRunner().invoke(group_with(v="homeostat.cli:version"), ["v"]).output == f"{homeostat.__version__}\n"


def test_a_command_nobody_has_is_a_usage_error() -> None:
    """Click says so itself."""
    assert "No such command" in CliRunner().invoke(group_with(), ["fly"]).output


@pytest.mark.parametrize("arguments", [["up"], ["up", "--http", "127.0.0.1:0", "more"]])
def test_a_command_whose_extra_is_missing_says_what_to_install(arguments: list[str]) -> None:
    """Whatever its options, the answer is the line to type, and exit code 2."""
    result = CliRunner().invoke(group_with(up="no_such_module_here.cli:up"), arguments)
    assert result.exit_code == 2
    assert "its module no_such_module_here is not installed" in result.output
    assert 'pip install "homeostat[server]"' in result.output


def test_a_missing_extra_does_not_spoil_the_help() -> None:
    """The other commands are still listed, and the one that cannot run says why."""
    output = CliRunner().invoke(group_with(up="no_such_module_here:up", v="homeostat.cli:version"), ["--help"]).output
    assert "Print the version." in output
    assert "Not installed: pip install" in output


def test_a_module_that_is_missing_only_when_the_command_runs_is_told_alike() -> None:
    """The lazy import of a command is covered as well."""
    result = CliRunner().invoke(group_with(late=f"{__name__}:late"), ["late"])
    assert result.exit_code == 2
    assert "`homeostat late` needs the server, and its module fastapi.x is not installed." in result.output


@pytest.mark.parametrize("target", ["homeostat_server.no_such_room:up", f"{__name__}:broken"])
def test_a_missing_module_of_our_own_is_a_fault_and_not_an_extra(target: str) -> None:
    """A broken installation is not explained away."""
    result = CliRunner().invoke(group_with(up=target), ["up"])
    assert isinstance(result.exception, ModuleNotFoundError)


@click.command()
@click.option("--data")
@click.option("--code", type=int, default=0)
def part(data: str | None, code: int) -> None:
    """Look at something else, and exit."""
    click.echo(f"data {data}")
    sys.exit(code)


@click.command()
def silent() -> None:
    """Look at something else, and return."""


def doctor_with(**targets: str) -> DoctorCommand:
    """Return a doctor with these other parts."""
    announced = {name: EntryPoint(name, target, DOCTOR_GROUP) for name, target in targets.items()}

    def look(only: str | None) -> int:
        click.echo(f"service {only}")
        return 0

    option = click.Option(["--only"])
    return DoctorCommand("doctor", announced=announced, callback=look, params=[option])


PART = f"{__name__}:part"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let entry points find this module, which pytest has not put where imports look."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--data", "x"], ["service None", "", "platform", "data x"], 0),
        (["--data", "x", "--code", "3"], ["service None", "", "platform", "data x"], 3),
        (["--only", "service"], ["service service"], 0),
        (["--only", "platform"], ["data None"], 0),
    ],
)
def test_the_doctor_has_the_options_of_all_parts(arguments: list[str], said: list[str], code: int) -> None:
    """Each part gets its own, and the worst exit code counts."""
    result = CliRunner().invoke(doctor_with(platform=PART), arguments)
    assert (result.output.splitlines(), result.exit_code) == (said, code)
    assert "--data" in CliRunner().invoke(doctor_with(platform=PART), ["--help"]).output


def test_a_part_that_returns_is_well() -> None:
    """And one whose packages are missing is not there."""
    command = doctor_with(platform=f"{__name__}:silent", other="no_such_module_here:part")
    result = CliRunner().invoke(command, [])
    assert (result.output.splitlines(), result.exit_code) == (["service None", "", "platform"], 0)


def test_run_needs_a_command_that_is_there_and_settings_that_are_known() -> None:
    """Otherwise it says what is wrong."""
    missing = CliRunner().invoke(main, ["run", "--", "no-such-program-here"])
    assert (missing.exit_code, "cannot run no-such-program-here" in missing.output) == (1, True)
    unknown = CliRunner().invoke(main, ["run", "--set", "nonsense=1", "--", "true"])
    assert (unknown.exit_code, "nonsense is not a setting" in unknown.output) == (2, True)
    assert CliRunner().invoke(main, ["run"]).exit_code == 2
