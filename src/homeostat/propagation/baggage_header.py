"""The `baggage` header as text, after W3C Baggage; it knows neither carriers nor who may see what.

Source: https://www.w3.org/TR/baggage/. Values are percent-encoded UTF-8, keys are tokens and are not decoded, and
properties behind a semicolon travel on as they came.
"""

import re
from collections.abc import Iterable
from typing import Final, Self
from urllib.parse import quote, unquote

BAGGAGE: Final = "baggage"

MEMBERS_MAX: Final = 64
CHARACTERS_MAX: Final = 8192
"""What every implementation has to carry (section 3.3.2); this one carries no more, in or out."""

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's word for a name
_OCTETS: Final = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
_MEMBER: Final = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_OCTETS})[ \t]*(?:;(.*))?")
_PROPERTY: Final = re.compile(rf"[ \t]*{_TOKEN}[ \t]*(?:=[ \t]*{_OCTETS}[ \t]*)?")
_KEY: Final = re.compile(_TOKEN)
_PLAIN: Final = re.compile(r"[\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


class BaggageValue(str):
    """A value that came with properties, which go out again with it.

    It is the decoded value in every other respect, so that programs that read baggage see a plain string.
    """

    __slots__ = ("properties",)

    properties: str

    @classmethod
    def of(cls, value: str, *, properties: str) -> Self:
        """Return a value with the text that followed its first semicolon."""
        made = cls(value)
        made.properties = properties
        return made


def parse_baggage(text: str) -> tuple[dict[str, str], int]:
    """Return the members of a `baggage` header, and how many were left out.

    A malformed member is left out alone; so is what lies beyond the bounds of members and characters. Of two members
    with one key the later counts. Bytes that are no UTF-8 become U+FFFD.
    """
    parts = text.split(",") if len(text) <= CHARACTERS_MAX else _within_bounds(text)
    members: dict[str, str] = {}
    dropped = 0 if len(text) <= CHARACTERS_MAX else 1
    for part in parts:
        member = part.strip(" \t")
        if not member:
            continue
        read = _read_member(member) if len(members) < MEMBERS_MAX else None
        if read is None:
            dropped += 1
        else:
            members[read[0]] = read[1]
    return members, dropped


def render_baggage(members: Iterable[tuple[str, object]]) -> tuple[str, int]:
    """Return the `baggage` header of some members, empty where none can go, and how many were left out.

    A key that is no token cannot be written and is left out; so is each member that does not fit into the bounds.
    """
    written: list[str] = []
    length = dropped = 0
    for key, value in members:
        member = _write_member(key, value)
        if member is None or len(written) >= MEMBERS_MAX or length + len(member) > CHARACTERS_MAX:
            dropped += 1
            continue
        written.append(member)
        length += len(member) + 1
    return ",".join(written), dropped


def _within_bounds(text: str) -> list[str]:
    whole = text[: CHARACTERS_MAX + 1].rpartition(",")[0]
    return whole.split(",") if whole else []


def _read_member(member: str) -> tuple[str, str] | None:
    found = _MEMBER.fullmatch(member)
    if found is None:
        return None
    key, raw, properties = found.groups()
    value = unquote(raw, errors="replace") if "%" in raw else raw
    if properties is None:
        return key, value
    if not all(_PROPERTY.fullmatch(part) for part in properties.split(";")):
        return None
    return key, BaggageValue.of(value, properties=properties)


def _write_member(key: str, value: object) -> str | None:
    if _KEY.fullmatch(key) is None:
        return None
    text = str(value)
    written = text if _PLAIN.fullmatch(text) else quote(text, safe=_SAFE, errors="replace")
    if isinstance(value, BaggageValue):
        return f"{key}={written};{value.properties}"
    return f"{key}={written}"
