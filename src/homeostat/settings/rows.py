"""What a table of settings is made of: a dataclass whose annotated fields are its rows. It knows no single setting.

The service's table and the platform's are both made of this.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, get_type_hints

from homeostat.settings.kinds import Kind

DEFAULT_ORIGIN: Final = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """Say in a table what a field's annotation cannot: what it is for, how it is written, its bounds (inclusive)."""

    help: str
    kind: Kind
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Describe one setting: a row of a table."""

    name: str
    kind: Kind
    default: Any
    help: str
    minimum: float | None
    maximum: float | None

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it."""
        return f"HOMEOSTAT_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Return the command-line flag that sets it, where there is one."""
        return f"--{self.name.replace('_', '-')}"

    def show(self, value: Any) -> str:  # noqa: ANN401 - a value of this setting's own kind
        """Return the value as text that is safe to print."""
        return self.kind.mask(self.kind.show(value))


def settings_of(table: type) -> tuple[Setting, ...]:
    """Return the settings of a table in the order of its fields; a field without a row is none.

    Args:
        table: a dataclass that can be made without arguments; what it holds then are the defaults.
    """
    hints = get_type_hints(table, include_extras=True)
    blank = table()
    rows = [(entry.name, getattr(hints[entry.name], "__metadata__", ())) for entry in fields(table)]
    return tuple(
        Setting(
            name=name,
            kind=metadata[0].kind,
            default=getattr(blank, name),
            help=metadata[0].help,
            minimum=metadata[0].minimum,
            maximum=metadata[0].maximum,
        )
        for name, metadata in rows
        if metadata
    )


def bounds_text(setting: Setting) -> str:
    """Return the bounds of a setting for a reader, nothing when it has none."""
    if setting.minimum is None or setting.maximum is None:
        return ""
    return f"{setting.kind.show(setting.minimum)} to {setting.kind.show(setting.maximum)}"
