"""Where a list goes on: an opaque text that holds the question's window and the place of its last item.

Invariant: a cursor only says where, never whose or what; it is valid for the question it was made for and nothing else.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import xxhash

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.window import Window, parse_window

CURSOR_LENGTH_MAX: Final = 16_384
"""The name of a metric or an operation may be in it, and a long one of those has kilobytes."""

UINT64_BOUND: Final = 2**64

Place = tuple[int | str, ...]
"""The sorting key of the last item that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """Hold which list is asked for and where to begin (at its beginning when `place` is None)."""

    question: str
    window: Window
    place: Place | None

    def cursor(self, place: Place | None) -> str | None:
        """Return the cursor that goes on at a place of this list; no place, no cursor."""
        if place is None:
            return None
        content = [self.question, self.window.start_ns, self.window.end_ns, *place]
        return urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode("ascii")


def parse_list_request(
    *,
    start: str | None,
    end: str | None,
    cursor: str | None,
    asked: Sequence[str | int | None],
    shape: Sequence[type[int] | type[str]],
    now_ns: int,
) -> ListRequest:
    """Return which list is asked for.

    Args:
        start: begin of the window as the caller wrote it.
        end: end of the window as the caller wrote it.
        cursor: what the caller was given with the page before; the list's window is the one of its first page.
        asked: name of the list and everything else that decides what is in it.
        shape: types of the parts of a place in this list.
        now_ns: what time it is.

    Raises:
        InvalidRequest: the window is not one, or the cursor is not one of this list.
    """
    question = xxhash.xxh3_64_hexdigest(orjson.dumps([start, end, *asked]))
    if cursor is None:
        return ListRequest(question=question, window=parse_window(start, end, now_ns=now_ns), place=None)
    content = _content(cursor)
    if content is None or [type(part) for part in content] != [str, int, int, *shape] or not _fit(content[1:]):
        raise InvalidRequest(
            "read the cursor", value=cursor, hint="Send the next_cursor of the page before as it was given, or none."
        )
    if content[0] != question:
        raise InvalidRequest(
            "go on with the cursor of another list",
            hint="Repeat all parameters of the first page; only the limit may change.",
        )
    return ListRequest(question=question, window=Window(content[1], content[2]), place=tuple(content[3:]))


def _content(text: str) -> list[Any] | None:
    if len(text) > CURSOR_LENGTH_MAX:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        content = orjson.loads(urlsafe_b64decode(padded))
    except (binascii.Error, UnicodeEncodeError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, list) else None


def _fit(parts: Sequence[Any]) -> bool:
    """Say whether all numbers are ones that the engine takes."""
    return all(0 <= part < UINT64_BOUND for part in parts if isinstance(part, int))
