"""How settings get their values: flag, variable, file, default, in this order. It names no setting but `config`.

Nothing is ignored silently: an unknown key in the file is an error; an unknown `HOMEOSTAT_*` variable, which may belong
to another program, is a warning. Both name what is nearest.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from homeostat.settings.rows import Setting, bounds_text
from homeostat.settings.table import SETTINGS as SERVICE_SETTINGS
from homeostat_server.exceptions import SettingInvalid
from homeostat_server.runtime.settings import SETTINGS, SETTINGS_BY_NAME, Settings

VARIABLE_PREFIX: Final = "HOMEOSTAT_"


def load_settings(flags: Mapping[str, object | None], *, environment: Mapping[str, str]) -> Settings:
    """Return the settings, each with its origin.

    Args:
        flags: values from the command line by setting name; None for a flag that was not given.
        environment: the process's variables; an empty variable counts as one that was not given.

    Raises:
        SettingInvalid: a value cannot be read, is out of bounds, contradicts another, or the file cannot be read.
    """
    given = {**_from_environment(environment), **_from_flags(flags)}
    config = _parsed(SETTINGS_BY_NAME["config"], *given["config"]) if "config" in given else None
    given = {**_from_file(config), **given}
    values = {name: _parsed(SETTINGS_BY_NAME[name], value, origin) for name, (value, origin) in given.items()}
    settings = Settings(**values, origins={name: origin for name, (_, origin) in given.items()})
    _check_together(settings)
    return settings


def unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return one sentence for each `HOMEOSTAT_*` variable that no setting has, those of services included."""
    known = [setting.variable for setting in SETTINGS]
    others = {setting.variable for setting in SERVICE_SETTINGS}
    return tuple(
        f"The variable {name} is not a setting of the server and was ignored.{_nearest(name, known)}"
        for name in sorted(environment)
        if name.startswith(VARIABLE_PREFIX) and name not in known and name not in others
    )


_Given = dict[str, tuple[object, str]]


def _from_flags(flags: Mapping[str, object | None]) -> _Given:
    return {name: (value, f"flag {SETTINGS_BY_NAME[name].flag}") for name, value in flags.items() if value is not None}


def _from_environment(environment: Mapping[str, str]) -> _Given:
    return {
        setting.name: (environment[setting.variable], f"variable {setting.variable}")
        for setting in SETTINGS
        if environment.get(setting.variable)
    }


def _from_file(path: Path | None) -> _Given:
    if path is None:
        return {}
    known = [setting.name for setting in SETTINGS if setting.name != "config"]
    keys = _read_toml(path)
    for key in keys:
        if key not in known:
            raise SettingInvalid(
                "read the settings file",
                value=f"{path}: {key}",
                hint=f"No setting has this name.{_nearest(key, known)}",
            )
    return {key: (value, f"file {path}") for key, value in keys.items()}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = f"{error.strerror}. Name a TOML file that can be read with --config or HOMEOSTAT_CONFIG."
        raise SettingInvalid("read the settings file", value=str(path), hint=hint) from error
    except ValueError as error:  # both TOMLDecodeError and UnicodeDecodeError
        raise SettingInvalid("read the settings file", value=str(path), hint=f"It is not TOML: {error}.") from error


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _parsed(setting: Setting, value: object, origin: str) -> Any:  # noqa: ANN401 - a value of the setting's own kind
    try:
        parsed = setting.kind.parse(value)
    except (ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: `~user` of nobody here
        raise _invalid(setting, value, origin, f"Give {setting.kind.expected}.") from error
    below = setting.minimum is not None and parsed < setting.minimum
    above = setting.maximum is not None and parsed > setting.maximum
    if below or above:
        raise _invalid(setting, value, origin, f"Give {bounds_text(setting)}.")
    return parsed


def _invalid(setting: Setting, value: object, origin: str, hint: str) -> SettingInvalid:
    shown = setting.kind.mask(value if isinstance(value, str) else repr(value))
    return SettingInvalid(f"use the setting {setting.name} from {origin}", value=shown, hint=hint)


def _check_together(settings: Settings) -> None:
    _check_tls(settings)
    _check_order(settings, "ingest_body_bytes_max", "ingest_inflight_bytes_max")
    _check_order(settings, "spool_segment_bytes_max", "spool_bytes_max")
    _check_order(settings, "retention_ordinary_days", "retention_valued_days")


def _check_tls(settings: Settings) -> None:
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        missing = "tls_key" if settings.tls_key is None else "tls_certificate"
        raise SettingInvalid(
            f"use TLS without {missing}",
            hint=f"Set {SETTINGS_BY_NAME[missing].variable} too: a certificate and its key are given together.",
        )
    if settings.tls_client_ca is not None and settings.tls_certificate is None:
        raise SettingInvalid(
            "demand client certificates without TLS", hint="Set HOMEOSTAT_TLS_CERTIFICATE and HOMEOSTAT_TLS_KEY too."
        )


def _check_order(settings: Settings, smaller: str, larger: str) -> None:
    low, high = getattr(settings, smaller), getattr(settings, larger)
    if low > high:
        row = SETTINGS_BY_NAME[smaller]
        raise SettingInvalid(
            f"use the setting {smaller} from {settings.origin(smaller)}",
            value=row.show(low),
            hint=f"It may not exceed {larger}, which is {row.show(high)} from {settings.origin(larger)}.",
        )
