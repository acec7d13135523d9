"""Numbers, durations and times as Go programs read them, with Go's own words where they cannot be read.

Clients of Jaeger and Tempo were written for servers in Go: what those accept is accepted, and people find the messages
that those give when they look for them. It knows no parameter.
"""

import re
from decimal import Decimal
from typing import Final

import orjson

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.times import parse_time

SHOWN_LENGTH_MAX: Final = 100

RFC_3339_LAYOUT: Final = "2006-01-02T15:04:05.999999999Z07:00"

_DATE: Final = re.compile(r"[0-9]{4}-", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,400}", re.ASCII)
_DURATION: Final = re.compile(r"([0-9]*\.?[0-9]*)([^0-9.]*)", re.ASCII)
_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
}
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def quoted(text: str) -> str:
    """Return a text in quotation marks, cut when it is long."""
    return orjson.dumps(text[:SHOWN_LENGTH_MAX]).decode()


def parse_integer(text: str, *, bits: int = 64, function: str = "ParseInt") -> int:
    """Return a whole number.

    Raises:
        InvalidRequest: it is none, or has more bits.
    """
    if not _INTEGER.fullmatch(text):
        raise InvalidRequest(f"strconv.{function}: parsing {quoted(text)}: invalid syntax")
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise InvalidRequest(f"strconv.{function}: parsing {quoted(text)}: value out of range")
    return number


def parse_boolean(text: str) -> bool:
    """Return a truth value.

    Raises:
        InvalidRequest: it is none.
    """
    if text not in _BOOLEANS:
        raise InvalidRequest(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")
    return _BOOLEANS[text]


def parse_go_duration(text: str) -> int:
    """Return a duration such as `1h30m` in nanoseconds; a negative one is read, too.

    Raises:
        InvalidRequest: it is none.
    """
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if body == "0":
        return 0
    total_ns = 0
    place = 0
    while place < len(body):
        part = _DURATION.match(body, place)
        number, unit = ("", "") if part is None else part.groups()
        if not number.strip(".") or number.count(".") > 1:
            raise InvalidRequest(f"time: invalid duration {quoted(text)}")
        if not unit:
            raise InvalidRequest(f"time: missing unit in duration {quoted(text)}")
        if unit not in _UNITS_NS:
            raise InvalidRequest(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
        total_ns += int(Decimal(number) * _UNITS_NS[unit])
        place += len(number) + len(unit)
    if not body or total_ns >= 2**63:
        raise InvalidRequest(f"time: invalid duration {quoted(text)}")
    return sign * total_ns


def parse_rfc_3339(text: str) -> int:
    """Return a moment in nanoseconds since the Unix epoch.

    Raises:
        InvalidRequest: it is none, or before 1970.
    """
    told = f'parsing time {quoted(text)} as "{RFC_3339_LAYOUT}"'
    if not text[:4].isdecimal():
        raise InvalidRequest(f'{told}: cannot parse {quoted(text)} as "2006"')
    if not _DATE.match(text):  # `parse_time` takes a number, too
        raise InvalidRequest(f'{told}: cannot parse {quoted(text[4:])} as "-"')
    try:
        return parse_time(text, name="time")
    except InvalidRequest as error:
        raise InvalidRequest(f"{told}: out of range or malformed") from error
