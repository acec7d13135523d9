"""Where a list goes on: an opaque text that holds the list's window and the place of the last item that was given.

Invariant: a cursor only says where, never whose or what; it is valid for the list it was made for and nothing else.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import orjson
import xxhash

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.window import Window, parse_window

CURSOR_LENGTH_MAX: Final = 16_384
"""The name of a metric or an operation may be in it, and a long one of those has kilobytes."""

NUMBERS: Final = range(-(2**63), 2**64)
"""Those that the engine has a type for."""

PlaceT = TypeVar("PlaceT", bound=tuple[int | str, ...])
"""The sorting key of an item, a NamedTuple of numbers and texts."""


class NamePlace(NamedTuple):
    """Hold the place of an item in a list that is ordered by name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest(Generic[PlaceT]):
    """Hold which list is asked for and after which place to begin (at the beginning when it is None)."""

    question: str
    window: Window
    after: PlaceT | None

    def cursor(self, place: PlaceT | None) -> str | None:
        """Return the cursor that goes on after a place of this list; no place, no cursor."""
        if place is None:
            return None
        content = [self.question, self.window.start_ns, self.window.end_ns, *place]
        return urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode("ascii")


def parse_list_request(
    place_type: type[PlaceT],
    *,
    start: str | None,
    end: str | None,
    length: str | None = None,
    cursor: str | None,
    asked: object,
    now_ns: int,
) -> ListRequest[PlaceT]:
    """Return which list is asked for.

    Args:
        place_type: the NamedTuple that is a place in this list.
        start: begin of the window as the caller wrote it.
        end: end of the window as the caller wrote it.
        length: how long it is, as the caller wrote it instead of a start.
        cursor: what the caller was given with the page before; the list's window is the one of its first page.
        asked: everything that decides what is in the list, of types that JSON has.
        now_ns: what time it is.

    Raises:
        InvalidRequest: the window is not one, or the cursor is not one of this list.
    """
    question = xxhash.xxh3_64_hexdigest(orjson.dumps([start, end, length, asked]))
    if cursor is None:
        return ListRequest(question=question, window=parse_window(start, end, length=length, now_ns=now_ns), after=None)
    content = _content(cursor, shape=tuple(place_type.__annotations__.values()))
    if content[0] != question:
        raise InvalidRequest(
            "go on with the cursor of another list",
            hint="Repeat all parameters of the first page; only the limit may change.",
        )
    window = Window(content[1], content[2])
    return ListRequest(question=question, window=window, after=place_type(*content[3:]))


def _content(cursor: str, *, shape: Sequence[object]) -> list[Any]:
    content = _decoded(cursor)
    if content is None or [type(part) for part in content] != [str, int, int, *shape] or not _fit(content):
        raise InvalidRequest(
            "read the cursor", value=cursor, hint="Send the next_cursor of the page before as it was given, or none."
        )
    return content


def _decoded(cursor: str) -> list[Any] | None:
    if len(cursor) > CURSOR_LENGTH_MAX:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        content = orjson.loads(urlsafe_b64decode(padded))
    except (binascii.Error, UnicodeEncodeError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, list) else None


def _fit(parts: Sequence[object]) -> bool:
    """Say whether all numbers are ones that the engine takes."""
    return all(part in NUMBERS for part in parts if isinstance(part, int))
