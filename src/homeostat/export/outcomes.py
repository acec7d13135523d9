"""What became of one request, the same for every transport, and what the answers of OTLP mean. It knows no connection.

Source: https://opentelemetry.io/docs/specs/otlp/, sections on failures, throttling and partial success.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from homeostat.buffer import Record
from homeostat.export.wire import Malformed, fields, signed

RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses after which the same request may be taken; all others that are no success are final."""

_TEXT_CHARACTERS_MAX: Final = 200
_PARTIAL_SUCCESS: Final = 1
_RETRY_AFTER_S_MAX: Final = 3600.0


class Verdict(Enum):
    """Say what became of a request."""

    TAKEN = auto()
    """It is delivered, but for the items that the backend refused."""
    REFUSED = auto()
    """It will never be taken."""
    NOT_NOW = auto()
    """It may be taken later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold what became of a request.

    Args:
        verdict: whether it was taken.
        reason: a short word for what went wrong, for the counts.
        message: what the backend said about it, cut.
        refused_items: how many items of a request that was taken were refused.
        retry_after_s: how long the backend asked to be left alone.
    """

    verdict: Verdict
    reason: str = ""
    message: str = ""
    refused_items: int = 0
    retry_after_s: float | None = None


class Transport(Protocol):
    """Carry requests to a backend, one at a time. It is used by one thread at a time and survives being closed."""

    def send(self, record: Record, *, timeout_s: float) -> Outcome:
        """Deliver a request and return what became of it; it never raises."""
        ...

    def close(self) -> None:
        """End connections; the next `send` opens new ones."""
        ...

    def before_fork(self) -> None:
        """End what cannot live in two processes."""
        ...

    def abandon(self) -> None:
        """Forget, in the child, connections that are the parent's, without a word on them."""
        ...


def outcome_of_http(status: int, body: bytes, *, retry_after: str | None, wall_s: Callable[[], float]) -> Outcome:
    """Return what an HTTP answer means."""
    if 200 <= status < 300:
        return taken(body)
    verdict = Verdict.NOT_NOW if status in RETRYABLE_STATUSES else Verdict.REFUSED
    return Outcome(
        verdict=verdict,
        reason=f"http_{status}",
        message=_status_message(body),
        retry_after_s=retry_after_s(retry_after, wall_s=wall_s),
    )


def taken(body: bytes) -> Outcome:
    """Return what the body of a success means: an `Export*ServiceResponse`, which is empty when all is well."""
    try:
        for number, content in fields(body):
            if number == _PARTIAL_SUCCESS and isinstance(content, bytes):
                return _partly_taken(content)
    except Malformed:  # a success is one, whatever a proxy put into it
        pass
    return Outcome(verdict=Verdict.TAKEN)


def retry_after_s(value: str | None, *, wall_s: Callable[[], float]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3): a number, or a date."""
    if value is None:
        return None
    value = value.strip()
    try:
        seconds = float(value) if value.isdecimal() else _date_s(value) - wall_s()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _RETRY_AFTER_S_MAX)


def _date_s(value: str) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - brings a package along that few answers need

    return parsedate_to_datetime(value).timestamp()


def cut(message: str) -> str:
    """Return the beginning of a message, on one line."""
    line = " ".join(message.split())
    return line if len(line) <= _TEXT_CHARACTERS_MAX else f"{line[:_TEXT_CHARACTERS_MAX]}…"


def _partly_taken(content: bytes) -> Outcome:
    refused, message = 0, ""
    for number, value in fields(content):
        if number == 1 and isinstance(value, int):
            refused = max(signed(value), 0)
        elif number == 2 and isinstance(value, bytes):
            message = cut(value.decode("utf-8", "replace"))
    return Outcome(
        verdict=Verdict.TAKEN, reason="refused_partly" if refused else "", message=message, refused_items=refused
    )


def _status_message(body: bytes) -> str:
    """Return the message of a `google.rpc.Status`, or the text itself where a proxy answered."""
    try:
        for number, value in fields(body):
            if number == 2 and isinstance(value, bytes):
                return cut(value.decode())
    except (Malformed, UnicodeDecodeError):
        pass
    return cut(body.decode("utf-8", "replace")) if body.isascii() else ""
