"""The server's commands: thin shells that read settings, call one function and print. No rule lives here."""

import sys

import click

from homeostat_server.runtime.allocator import bound_engine_memory
from homeostat_server.runtime.settings import SETTINGS, Settings
from homeostat_server.server.cli_keys import key
from homeostat_server.server.options import ServerCommand, setting_options, settings_of_process

__all__ = ["doctor", "key", "up"]


@click.command(cls=ServerCommand)
@setting_options
def up(**flags: object | None) -> None:
    """Start the platform and serve until it is told to stop."""
    settings = settings_of_process(flags)
    bound_engine_memory()
    # Here, not at the top: `homeostat --help` must not load the engine, and without the extra it still has to answer.
    from homeostat_server.server.wiring import serve  # noqa: PLC0415

    sys.exit(serve(settings))


@click.command(cls=ServerCommand)
@setting_options
def doctor(**flags: object | None) -> None:
    """Say what each setting is and where it comes from, and whether `homeostat up` would start."""
    # Here for the same reason as in `up`.
    from homeostat_server.runtime.resources import read_resources  # noqa: PLC0415
    from homeostat_server.server.doctor import examine  # noqa: PLC0415

    settings = settings_of_process(flags)
    _print_settings(settings)
    click.echo()
    findings = examine(settings, resources=read_resources())
    for finding in findings:
        click.echo(f"{finding.verdict:<8} {finding.subject}: {finding.detail}")
        if finding.hint:
            click.echo(f"         {finding.hint}")
    sys.exit(1 if any(finding.stops_start for finding in findings) else 0)


def _print_settings(settings: Settings) -> None:
    width = max(len(setting.name) for setting in SETTINGS)
    for setting in SETTINGS:
        shown = setting.show(getattr(settings, setting.name)) or "-"
        click.echo(f"{setting.name:<{width}}  {shown}  ({settings.origin(setting.name)})")
