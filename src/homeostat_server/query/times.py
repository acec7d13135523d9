"""Moments and durations as people write them, in nanoseconds. It does not know what time it is."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from homeostat_server.exceptions import InvalidRequest

NS_PER_S: Final = 1_000_000_000
TIME_NS_MAX: Final = 2**63 - 1
"""The last nanosecond that a time column holds, in the year 2262."""

TEXT_LENGTH_MAX: Final = 64
"""Longer than any moment or duration somebody means."""

_RFC_3339: Final = re.compile(
    # A plus sign that was not escaped in a query string arrives as a space.
    r"(\d{4})-(\d\d)-(\d\d)[Tt_ ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+\- ])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH: Final = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_EPOCH_UNITS: Final = ((10**11, NS_PER_S), (10**14, 1_000_000), (10**17, 1_000), (10**20, 1))
"""Below which value an epoch is in a unit of how many nanoseconds: seconds until the year 5138, milliseconds from 1973,
microseconds from 1973, nanoseconds from 1973."""

_DURATION_PART: Final = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_DURATION_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
}


def parse_time(text: str, *, name: str) -> int:
    """Return a moment in nanoseconds since the Unix epoch.

    Args:
        text: RFC 3339 with up to nine digits of a second, or a number since the epoch in seconds, milliseconds,
            microseconds or nanoseconds, which its size tells.
        name: what the moment is called where it came from, for the error.

    Raises:
        InvalidRequest: it is neither, or before 1970 or after 2262.
    """
    moment_ns = None
    if len(text) <= TEXT_LENGTH_MAX:
        moment_ns = _from_epoch(text) if _EPOCH.fullmatch(text) else _from_rfc_3339(text)
    if moment_ns is None or not 0 <= moment_ns <= TIME_NS_MAX:
        raise InvalidRequest(
            f"read {name} as a time",
            value=text,
            hint="Write RFC 3339 such as 2026-01-31T08:00:00Z, or seconds, ms, µs or ns since 1970; 1970 to 2262.",
        )
    return moment_ns


def parse_duration(text: str, *, name: str) -> int:
    """Return a duration such as `250ms`, `1.5s` or `1h30m` in nanoseconds.

    Raises:
        InvalidRequest: it is none, or longer than 292 years.
    """
    parts = _DURATION_PART.findall(text) if len(text) <= TEXT_LENGTH_MAX else []
    duration_ns = sum(int(Decimal(number) * _DURATION_UNITS_NS[unit]) for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text or duration_ns > TIME_NS_MAX:
        raise InvalidRequest(
            f"read {name} as a duration",
            value=text,
            hint="Write numbers with units ns, us, ms, s, m, h or d, such as 250ms, 1.5s or 1h30m.",
        )
    return duration_ns


def format_time(moment_ns: int) -> str:
    """Return a moment as RFC 3339 in UTC with nine digits of a second."""
    seconds, nanoseconds = divmod(moment_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _from_epoch(text: str) -> int:
    number = Decimal(text)
    unit_ns = next(unit_ns for bound, unit_ns in _EPOCH_UNITS if number < bound)
    return int(number * unit_ns)


def _from_rfc_3339(text: str) -> int | None:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, zulu, sign, offset_hours, offset_minutes = match.groups()[6:]
    try:
        zone = UTC if zulu else _zone(sign, int(offset_hours), int(offset_minutes))
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    whole_s = since_epoch.days * 86_400 + since_epoch.seconds
    return whole_s * NS_PER_S + int((fraction or "").ljust(9, "0"))


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    if minutes >= 60:
        raise ValueError("an hour has 60 minutes")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)
