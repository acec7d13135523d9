"""The settings table as options of a command, and errors as a person reads them. It knows no single setting.

Every option's value stays text until `load_settings` reads it, so that a flag, a variable and a file are judged alike.
"""

import os
from collections.abc import Callable

import click

from homeostat.settings.rows import Setting
from homeostat_server.exceptions import HomeostatError
from homeostat_server.runtime.settings import SETTINGS, SETTINGS_BY_NAME, Settings
from homeostat_server.runtime.settings_loading import load_settings, unknown_variables


class Refusal(click.ClickException):
    """Print an error of the tree as attempted, value and hint, without a traceback; exit with 2."""

    exit_code = 2

    def __init__(self, error: HomeostatError) -> None:
        """Take the error to print."""
        shown = error.shown_value()
        lines = [f"cannot {error.attempted}" if shown is None else f"cannot {error.attempted}: {shown}"]
        super().__init__("\n".join([*lines, *([f"  {error.hint}"] if error.hint else []), f"  [{error.code}]"]))


class ServerCommand(click.Command):
    """Run a command and print errors of the tree for a person."""

    def invoke(self, ctx: click.Context) -> object:
        """Run it."""
        try:
            return super().invoke(ctx)
        except HomeostatError as error:
            raise Refusal(error) from error


def setting_options(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command one option for each setting; the values arrive as keyword arguments, None when not given."""
    for setting in reversed(SETTINGS):
        function = _option(setting)(function)
    return function


def setting_options_named(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Give a command the options of these settings only; the others still come from variables and the file."""

    def add(function: Callable[..., object]) -> Callable[..., object]:
        for name in reversed(names):
            function = _option(SETTINGS_BY_NAME[name])(function)
        return function

    return add


def _option(setting: Setting) -> Callable[[Callable[..., object]], Callable[..., object]]:
    default = setting.show(setting.default) or "none"
    return click.option(
        setting.flag,
        setting.name,
        default=None,
        metavar=setting.kind.name.upper(),
        help=f"{setting.help}  [{setting.variable}; default: {default}]",
    )


def settings_of_process(flags: dict[str, object | None]) -> Settings:
    """Return the settings of this process and tell on stderr about variables that nobody reads."""
    for sentence in unknown_variables(os.environ):
        click.echo(f"warning: {sentence}", err=True)
    return load_settings(flags, environment=os.environ)
