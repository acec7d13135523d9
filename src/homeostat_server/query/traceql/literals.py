"""Constants between their text and their value: texts in quotes, numbers, durations, names of attributes."""

import re
from decimal import Decimal
from typing import Final

NS_PER_S: Final = 1_000_000_000
INTEGER_MAX: Final = 2**63 - 1

UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
    "w": 7 * 86_400 * NS_PER_S,
    "y": 365 * 86_400 * NS_PER_S,
}
_WRITTEN: Final = (("h", UNITS_NS["h"]), ("m", UNITS_NS["m"]), ("s", NS_PER_S), ("ms", 1_000_000), ("us", 1_000))
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h|d|w|y)")
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_ESCAPED: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_SHOWN: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN_KEY: Final = re.compile(r'[^\s{}()=~!<>&|^,"]+')
_KEY_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^"]+)', re.DOTALL)


def unquote(text: str) -> str:
    """Return what a text in double quotes or backticks says.

    Raises:
        ValueError: it has an escape that there is not; the message names it.
    """
    if text.startswith("`"):
        return text[1:-1].replace("\r", "")
    return _ESCAPE.sub(_unescape, text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if len(code) == 1:
        if code not in _ESCAPED:
            raise ValueError(f"\\{code}")
        return _ESCAPED[code]
    number = int(code, 8) if code[0] in "01234567" else int(code[1:], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise ValueError(f"\\{code}")
    return chr(number)


def quote(text: str) -> str:
    """Return a text in double quotes that says it."""
    shown = "".join(_SHOWN.get(character) or _shown(character) for character in text)
    return f'"{shown}"'


def _shown(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def duration_ns(text: str) -> int:
    """Return a duration such as `1h30m` in nanoseconds."""
    return sum(int(Decimal(number) * UNITS_NS[unit]) for number, unit in _PART.findall(text))


def show_duration(nanoseconds: int) -> str:
    """Return a duration as text, in the largest units that say it exactly."""
    sign, rest, shown = ("-" if nanoseconds < 0 else ""), abs(nanoseconds), ""
    for unit, size_ns in _WRITTEN:
        count, rest = divmod(rest, size_ns)
        shown += f"{count}{unit}" if count else ""
    return sign + (shown + (f"{rest}ns" if rest or not shown else ""))


def parse_key(text: str) -> str:
    """Return an attribute's name without the quotes of its parts.

    Raises:
        ValueError: a part in quotes has an escape that there is not.
    """
    return "".join(
        plain or _ESCAPE.sub(_unescape_key, quoted)
        for quoted, plain in (m.groups("") for m in _KEY_PART.finditer(text))
    )


def _unescape_key(match: re.Match[str]) -> str:
    if match.group(1) not in {"\\", '"'}:
        raise ValueError(match.group(0))
    return match.group(1)


def show_key(key: str) -> str:
    """Return an attribute's name as it is written behind its scope."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
