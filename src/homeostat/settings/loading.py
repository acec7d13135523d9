"""How settings get their values, each from the highest origin that has one. It names no single setting.

From the lowest: default, `[tool.homeostat]` of the nearest pyproject.toml, the declarative file that `OTEL_CONFIG_FILE`
names, `OTEL_*` variables, `HOMEOSTAT_*` variables, arguments of `configure()`. A value that cannot be read is told and
passed over for the next lower one: a service must start whatever its settings are. Nothing is passed over silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from homeostat.exceptions import HomeostatError, SettingInvalid
from homeostat.settings.declarative import read_declarative
from homeostat.settings.opentelemetry import Given, from_variables
from homeostat.settings.rows import Setting, bounds_text
from homeostat.settings.table import SETTINGS, SETTINGS_BY_NAME, Settings

_PYPROJECT: Final = "pyproject.toml"
_TABLE_MARK: Final = b"tool.homeostat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overruled:
    """Hold a value that has no effect because a higher origin has another one."""

    setting: str
    value: str
    origin: str
    winner: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{self.setting} = {self.value} from {self.origin} has no effect: {self.winner} says otherwise."


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Hold the settings, and what was found on the way that somebody should know."""

    settings: Settings
    problems: tuple[str, ...]
    overruled: tuple[Overruled, ...]


def load(arguments: Mapping[str, object | None], *, environment: Mapping[str, str], folder: Path) -> Loaded:
    """Return the settings, each with its origin; it never raises for a value.

    Args:
        arguments: of `configure()`, by setting name; None for one that was not given.
        environment: the process's variables; an empty variable counts as one that was not given.
        folder: where the search for pyproject.toml begins, upwards.
    """
    problems: list[str] = []
    given = [
        *_from_pyproject(folder, problems),
        *_from_declarative(environment, problems),
        *from_variables(environment, problems),
        *_from_own_variables(environment),
        *_from_arguments(arguments, problems),
    ]
    values: dict[str, tuple[Any, str]] = {}
    overruled: list[Overruled] = []
    for entry in given:
        _take(entry, values, overruled, problems)
    settings = Settings(
        **{name: value for name, (value, _) in values.items()},
        origins={name: origin for name, (_, origin) in values.items()},
    )
    return Loaded(settings=settings, problems=tuple(problems), overruled=tuple(overruled))


def _take(entry: Given, values: dict[str, tuple[Any, str]], overruled: list[Overruled], problems: list[str]) -> None:
    setting = SETTINGS_BY_NAME[entry.setting]
    try:
        value = parsed(setting, entry.value, entry.origin)
    except SettingInvalid as error:
        problems.append(f"Cannot {error}; it was ignored.")
        return
    if entry.setting in values and setting.kind.name != "key=value,…":
        before, origin = values[entry.setting]
        if before != value and origin != entry.origin:
            shown = setting.show(before)
            overruled.append(Overruled(setting=entry.setting, value=shown, origin=origin, winner=entry.origin))
    elif entry.setting in values:
        value = {**values[entry.setting][0], **value}
    values[entry.setting] = (value, entry.origin)


def _from_arguments(arguments: Mapping[str, object | None], problems: list[str]) -> list[Given]:
    problems += [
        f"configure() has no argument {name}.{nearest(name)}" for name in arguments if name not in SETTINGS_BY_NAME
    ]
    return [
        Given(name, value, f"argument {name}")
        for name, value in arguments.items()
        if value is not None and name in SETTINGS_BY_NAME
    ]


def _from_own_variables(environment: Mapping[str, str]) -> list[Given]:
    return [
        Given(setting.name, environment[setting.variable], f"variable {setting.variable}")
        for setting in SETTINGS
        if environment.get(setting.variable)
    ]


def _from_declarative(environment: Mapping[str, str], problems: list[str]) -> list[Given]:
    name = environment.get("OTEL_CONFIG_FILE")
    if not name:
        return []
    try:
        return read_declarative(Path(name), environment, problems)
    except HomeostatError as error:
        problems.append(f"Cannot {error}; it was ignored.")
        return []


def _from_pyproject(folder: Path, problems: list[str]) -> list[Given]:
    try:
        path = next((place / _PYPROJECT for place in (folder, *folder.parents) if (place / _PYPROJECT).is_file()), None)
        content = b"" if path is None else path.read_bytes()
    except OSError as error:
        problems.append(f"Cannot read pyproject.toml: {error}; it was ignored.")
        return []
    # Parsing costs more than all the rest of the start, and most files have no such table.
    return [] if path is None or _TABLE_MARK not in content else _from_table(path, content, problems)


def _from_table(path: Path, content: bytes, problems: list[str]) -> list[Given]:
    import tomllib  # noqa: PLC0415 - 5 ms that only who has such a table pays

    try:
        table = tomllib.loads(content.decode()).get("tool", {}).get("homeostat", {})
    except ValueError as error:
        problems.append(f"Cannot read {path}: {error}; it was ignored.")
        return []
    known = {name: value for name, value in table.items() if name in SETTINGS_BY_NAME}
    # A table below ours belongs to another tool, as `[tool.homeostat.gates]` does in our own repository.
    unknown = [name for name in table if name not in known and not isinstance(table[name], dict)]
    problems += [f"{path}: no setting is called {name}; it was ignored.{nearest(name)}" for name in unknown]
    return [Given(name, value, f"file {path}") for name, value in known.items()]


def parsed(setting: Setting, value: object, origin: str) -> Any:  # noqa: ANN401 - a value of the setting's own kind
    """Return a value of the setting's kind.

    Raises:
        SettingInvalid: it cannot be read, or is out of bounds.
    """
    attempted = f"use the setting {setting.name} from {origin}"
    shown = setting.kind.mask(value if isinstance(value, str) else repr(value))
    try:
        result = setting.kind.parse(value if not isinstance(value, Path) else str(value))
    except (ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: `~user` of nobody here
        raise SettingInvalid(attempted, value=shown, hint=f"Give {setting.kind.expected}") from error
    if not _is_within(setting, result):
        raise SettingInvalid(attempted, value=shown, hint=f"Give {bounds_text(setting)}")
    return result


def _is_within(setting: Setting, value: float | None) -> bool:
    low, high = setting.minimum, setting.maximum
    return value is None or low is None or high is None or low <= value <= high


def nearest(name: str, *, cutoff: float = 0.6) -> str:
    """Return a sentence that names the setting most like a name, nothing when none is as like as the cut-off says."""
    import difflib  # noqa: PLC0415 - only who mistyped a name needs it

    near = difflib.get_close_matches(name, SETTINGS_BY_NAME, n=1, cutoff=cutoff)
    return f" Did you mean {near[0]}?" if near else ""
