"""What a setting's value can be: each kind turns text (or a TOML value) into a value and back. It knows no setting.

Invariant: `kind.parse(kind.show(value)) == value` for every value that `parse` can return.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * KIBIBYTE
GIBIBYTE: Final = 1024 * MEBIBYTE

_BYTES_PER_SUFFIX: Final = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": KIBIBYTE,
    "mib": MEBIBYTE,
    "gib": GIBIBYTE,
    "tib": 1024 * GIBIBYTE,
}
_BYTES: Final = re.compile(r"(\d{1,18})\s*([a-z]{0,3})", re.IGNORECASE | re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,252})?", re.ASCII)
_DSN: Final = re.compile(r"[a-z][a-z0-9+.-]*://.*", re.IGNORECASE | re.ASCII)
_PASSWORD: Final = re.compile(r"(://[^:/?#]*):.*@")
_PASSWORD_PARAMETER: Final = re.compile(r"([?&](?:password|secret|token|key)=)[^&]*", re.IGNORECASE)
_SWITCH_WORDS: Final = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}
_PORT_MAX: Final = 65_535
# What separates the entries of a list of pairs has to be quoted, and `%` itself; the rest stays legible.
_UNQUOTED: Final = " !\"#$&'()*+-./:;<>?@[\\]^_`{|}~"


@unique
class LogLevel(StrEnum):
    """Name how much the process says about itself."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Address:
    """Hold where to listen; port 0 asks the operating system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return HOST:PORT, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Describe one kind of value.

    `parse` takes text or a TOML value and raises ValueError for what it cannot read; `show` gives text that `parse`
    reads back; `expected` completes "Give …"; `mask` makes the text safe to print.
    """

    name: str
    parse: Callable[[object], Any]
    show: Callable[[Any], str]
    expected: str
    mask: Callable[[str], str] = str


def mask_password(dsn: str) -> str:
    """Return the DSN with its password, and parameters that look like secrets, replaced by stars."""
    return _PASSWORD_PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1:***@", dsn))


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal, whatever was wrong with the value
    return value


def _parse_text(value: object) -> str:
    text = _as_text(value)
    if "\0" in text:
        raise ValueError(text)
    return text


def _parse_dsn(value: object) -> str:
    text = _parse_text(value)
    if text and not _DSN.fullmatch(text):
        raise ValueError(text)
    return text


def _parse_path(value: object) -> Path:
    text = _parse_text(value)
    if not text:
        raise ValueError(text)
    return Path(text).expanduser()


def _parse_optional_path(value: object) -> Path | None:
    return _parse_path(value) if value != "" else None


def _parse_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _as_text(value).strip()
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _parse_bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _BYTES.fullmatch(_as_text(value).strip())
    if match is None or match[2].lower() not in _BYTES_PER_SUFFIX:
        raise ValueError(value)
    return int(match[1]) * _BYTES_PER_SUFFIX[match[2].lower()]


def _show_bytes(value: int) -> str:
    for suffix, unit in (("GiB", GIBIBYTE), ("MiB", MEBIBYTE), ("KiB", KIBIBYTE)):
        if value and value % unit == 0:
            return f"{value // unit}{suffix}"
    return str(value)


def _parse_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal, whatever was wrong with the value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _parse_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _as_text(value).strip().lower()
    if word not in _SWITCH_WORDS:
        raise ValueError(value)
    return _SWITCH_WORDS[word]


def _parse_host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        return str(ipaddress.IPv6Address(text[1:-1]))
    if not _HOST.fullmatch(text):
        raise ValueError(text)
    return text


def _parse_address(value: object) -> Address:
    host, separator, port = _as_text(value).strip().rpartition(":")
    if not separator or not (port.isascii() and port.isdigit()) or int(port) > _PORT_MAX:
        raise ValueError(value)
    return Address(_parse_host(host), int(port))


def _show_optional_path(value: Path | None) -> str:
    return "" if value is None else str(value)


def _show_switch(value: object) -> str:
    return "on" if value else "off"


def _parse_log_level(value: object) -> LogLevel:
    return LogLevel(_as_text(value).strip().lower())


def _parse_optional_number(value: object) -> float | None:
    return None if value is None or value == "" else _parse_number(value)


def _show_optional_number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _parse_list(value: object) -> tuple[str, ...]:
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple | set | frozenset):
        raise ValueError(value)  # noqa: TRY004 - one kind of refusal, whatever was wrong with the value
    return tuple(text for entry in entries if (text := _parse_text(entry).strip()))


def _parse_rules(value: object) -> tuple[str, ...]:
    return _parse_list(re.split(r"[;\n]", value) if isinstance(value, str) else value)


def _parse_mapping(value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping):
        return {_parse_text(key): _parse_text(str(entry)) for key, entry in value.items()}
    pairs = [pair.partition("=") for pair in _parse_list(value)]
    if not all(separator and key.strip() for key, separator, _ in pairs):
        raise ValueError(value)
    return {unquote(key.strip()): unquote(entry.strip()) for key, _, entry in pairs}


def _show_mapping(value: Mapping[str, str]) -> str:
    return ",".join(f"{quote(key, safe=_UNQUOTED)}={quote(entry, safe=_UNQUOTED)}" for key, entry in value.items())


def _mask_mapping(text: str) -> str:
    pairs = [pair.partition("=") for pair in text.split(",")] if text else []
    # What is no pair may be a secret as a whole.
    return ",".join(f"{key}=***" if separator else "***" for key, separator, _ in pairs)


def _mask_secret(text: str) -> str:
    return "***" if text else ""


def choice(*words: str) -> Kind:
    """Return the kind of a value that is one of these words, in any case."""

    def parse(value: object) -> str:
        word = _as_text(value).strip().lower()
        if word not in words:
            raise ValueError(value)
        return word

    return Kind(name="|".join(words), parse=parse, show=str, expected=f"one of {', '.join(words)}")


TEXT: Final = Kind(name="text", parse=_parse_text, show=str, expected="text without NUL characters")
DSN: Final = Kind(
    name="DSN",
    parse=_parse_dsn,
    show=str,
    expected="a DSN such as scheme://user:password@host/name, or nothing for the default",
    mask=mask_password,
)
PATH: Final = Kind(name="path", parse=_parse_path, show=str, expected="a path")
OPTIONAL_PATH: Final = Kind(
    name="path", parse=_parse_optional_path, show=_show_optional_path, expected="a path, or nothing"
)
ADDRESS: Final = Kind(
    name="HOST:PORT", parse=_parse_address, show=str, expected="HOST:PORT such as 127.0.0.1:4318 or [::1]:4318"
)
INTEGER: Final = Kind(name="integer", parse=_parse_integer, show=str, expected="a whole number")
BYTES: Final = Kind(
    name="bytes", parse=_parse_bytes, show=_show_bytes, expected="a number of bytes such as 33554432, 32MiB or 2GiB"
)
NUMBER: Final = Kind(name="number", parse=_parse_number, show=repr, expected="a number")
SWITCH: Final = Kind(name="on|off", parse=_parse_switch, show=_show_switch, expected="on or off")
LOG_LEVEL: Final = Kind(
    name="|".join(LogLevel), parse=_parse_log_level, show=str, expected=f"one of {', '.join(LogLevel)}"
)
LIST: Final = Kind(name="list", parse=_parse_list, show=",".join, expected="a list, as text separated by commas")
RULES: Final = Kind(name="list", parse=_parse_rules, show="; ".join, expected="a list, as text separated by semicolons")
MAPPING: Final = Kind(
    name="key=value,…", parse=_parse_mapping, show=_show_mapping, expected="pairs such as key=value,other=value"
)
SECRETS: Final = Kind(
    name="key=value,…",
    parse=_parse_mapping,
    show=_show_mapping,
    expected="pairs such as key=value,other=value",
    mask=_mask_mapping,
)
SECRET: Final = Kind(
    name="secret", parse=_parse_text, show=str, expected="text without NUL characters", mask=_mask_secret
)
OPTIONAL_NUMBER: Final = Kind(
    name="number", parse=_parse_optional_number, show=_show_optional_number, expected="a number, or nothing"
)
