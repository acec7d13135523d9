"""The one command `homeostat`: a group whose sub-commands are found by entry point. It imports none of them by name.

Any distribution adds commands by the entry-point group `homeostat.commands`. The server's are always announced, and say
what to install when the extra `server` is not there.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

import click

import homeostat
from homeostat.settings.table import SETTINGS_BY_NAME

COMMANDS_GROUP: Final = "homeostat.commands"
DOCTOR_GROUP: Final = "homeostat.doctor"

_OWN_PACKAGES: Final = ("homeostat", "homeostat_server")


class ExtraMissing(click.ClickException):
    """Say that a command needs packages that are not installed."""

    exit_code = 2

    def __init__(self, command: str, module: str) -> None:
        """Name the command that was asked for and the module it did not find."""
        super().__init__(
            f"`homeostat {command}` needs the server, and its module {module} is not installed.\n"
            'Install it with: pip install "homeostat[server]"'
        )


class DiscoveringGroup(click.Group):
    """Hold the commands that entry points announce beside its own."""

    def __init__(self, *args: object, announced: Mapping[str, EntryPoint] | None = None, **kwargs: object) -> None:
        """Take the announced commands; without them, those of the installed distributions."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments, passed through
        self._announced = announced

    @property
    def announced(self) -> Mapping[str, EntryPoint]:
        """Return the entry points by command name."""
        if self._announced is None:
            self._announced = {point.name: point for point in entry_points(group=COMMANDS_GROUP)}
        return self._announced

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, loading none."""
        return sorted({*super().list_commands(ctx), *self.announced})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loading it; one whose packages are missing becomes a command that says so."""
        if cmd_name not in self.announced:
            return super().get_command(ctx, cmd_name)
        try:
            command = self.announced[cmd_name].load()
        except ModuleNotFoundError as error:
            return _refusing(cmd_name, _missing_module(error))
        assert isinstance(command, click.Command)  # an entry point that is none is its author's mistake
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a package that turns out to be missing only then is told in the same words."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise ExtraMissing(ctx.invoked_subcommand or "", _missing_module(error)) from error


def _missing_module(error: ModuleNotFoundError) -> str:
    """Return what is missing; a module of our own that is missing is a fault, not an extra, and is raised again."""
    module = error.name or "?"
    if module.partition(".")[0] in _OWN_PACKAGES:
        raise error
    return module


def _refusing(name: str, module: str) -> click.Command:
    def refuse(**_: object) -> None:
        raise ExtraMissing(name, module)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        help='Not installed: pip install "homeostat[server]".',
    )


@click.group(cls=DiscoveringGroup)
def main() -> None:
    """Observability that closes the loop."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(homeostat.__version__)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--service", default=None, help="Name of the service.  [HOMEOSTAT_SERVICE]")
@click.option("--environment", default=None, help="Where it runs, such as production.  [HOMEOSTAT_ENVIRONMENT]")
@click.option("--endpoint", default=None, help="Where telemetry goes.  [HOMEOSTAT_ENDPOINT]")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other setting; may be repeated.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], others: tuple[str, ...], **named: str | None) -> None:
    """Run a command with its Python programs instrumented, without a change of their code.

    For example: homeostat run --service orders-api -- uvicorn orders:app
    """
    from homeostat.start.launching import launched_environment  # noqa: PLC0415 - `homeostat up` does without the SDK

    settings = {name: value for name, value in named.items() if value is not None} | dict(map(_pair, others))
    program = _program(command[0])
    try:
        # Its own path as its name: an interpreter finds its packages by it.
        os.execve(program, [program, *command[1:]], launched_environment(os.environ, settings))  # noqa: S606 - what it is for
    except OSError as error:
        raise click.ClickException(f"cannot run {command[0]}: {error.strerror}") from error


def _program(command: str) -> str:
    """Return the path of a command: what lies beside our own interpreter first, so no environment need be activated."""
    beside = Path(sys.executable).parent / command
    is_name = command == Path(command).name
    return str(beside) if is_name and beside.exists() else shutil.which(command) or command


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in SETTINGS_BY_NAME:
        raise click.BadParameter(f"{name} is not a setting; docs/sdk/settings.md lists them.", param_hint="--set")
    return name, value


class DoctorCommand(click.Command):
    """Look at a service, and then at whatever other installed parts announce for the doctor, with their options."""

    def __init__(self, *args: object, announced: Mapping[str, EntryPoint] | None = None, **kwargs: object) -> None:
        """Take the announced parts; without them, those of the installed distributions."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments, passed through
        self._announced = announced
        self._loaded: dict[str, click.Command] | None = None

    @property
    def parts(self) -> Mapping[str, click.Command]:
        """Return the commands of the other parts, those of them whose packages are installed."""
        if self._loaded is None:
            points = self._announced or {point.name: point for point in entry_points(group=DOCTOR_GROUP)}
            found = {name: _loaded_part(point) for name, point in points.items()}
            self._loaded = {name: command for name, command in found.items() if command is not None}
        return self._loaded

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the service's own options and those of the other parts."""
        more = [parameter for part in self.parts.values() for parameter in part.params]
        return [*self.params, *more, *super().get_params(ctx)[len(self.params) :]]

    def invoke(self, ctx: click.Context) -> object:
        """Look at the service, then at the other parts; exit with the highest code of all."""
        given = dict(ctx.params)
        own = {parameter.name for parameter in self.params}
        ctx.params = {name: value for name, value in given.items() if name in own}
        only = ctx.params["only"]
        codes = [0]
        if only in {None, "service"}:
            codes.append(int(super().invoke(ctx) or 0))
        for name, part in self.parts.items():
            if only in {None, name}:
                click.echo(f"\n{name}\n" if only is None else "", nl=False)
                codes.append(_run_part(ctx, name, part, given))
        ctx.exit(max(codes))


def _loaded_part(point: EntryPoint) -> click.Command | None:
    try:
        command = point.load()
    except ModuleNotFoundError as error:
        _missing_module(error)
        return None
    assert isinstance(command, click.Command)  # an entry point that is none is its author's mistake
    return command


def _run_part(ctx: click.Context, name: str, part: click.Command, given: Mapping[str, object]) -> int:
    with click.Context(part, parent=ctx, info_name=name) as below:
        below.params = {parameter.name: given[parameter.name] for parameter in part.params if parameter.name}
        try:
            part.invoke(below)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
    return 0


@main.command(cls=DoctorCommand)
@click.option("--only", default=None, metavar="PART", help="Look at one part only: service, or platform.")
@click.option("--app", default=None, metavar="MODULE[:NAME]", help="Import the service's program and look at it, too.")
def doctor(only: str | None, app: str | None) -> int:  # noqa: ARG001 - read by the command
    """Say what each setting is and where it comes from, what has no effect, and send a test span.

    Where the server is installed, it also says whether `homeostat up` would start.
    """
    from homeostat.doctor.command import look  # noqa: PLC0415 - `homeostat up` does without the SDK

    return look(app, say=click.echo)


@main.command()
@click.option(
    "--endpoint", default=None, metavar="URL", help="Where spans go; without it a receiver that keeps nothing."
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="How often each variant runs.")
@click.option("--requests", default=10_000, show_default=True, type=click.IntRange(1), help="Requests of one round.")
@click.option("--spans", default=100_000, show_default=True, type=click.IntRange(1), help="Spans of one round.")
@click.option(
    "--paced", default=10.0, show_default=True, type=click.FloatRange(0), help="Seconds at 100 requests a second."
)
@click.option("--json", "json_path", default=None, type=click.Path(path_type=Path), help="File for the figures.")
def overhead(
    *, endpoint: str | None, rounds: int, requests: int, spans: int, paced: float, json_path: Path | None
) -> None:
    """Measure what Homeostat costs on this machine: CPU of a request and of a span, time and memory of the start."""
    # Here, not at the top: `homeostat --help` does without all that is measured.
    from homeostat.overhead.command import overhead as measured  # noqa: PLC0415
    from homeostat.overhead.measurement import Scale  # noqa: PLC0415

    scale = Scale(rounds=rounds, requests=requests, spans=spans, paced_s=paced)
    measured(endpoint=endpoint, scale=scale, json_path=json_path, say=click.echo)
