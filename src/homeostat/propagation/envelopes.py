"""Messages of a WebSocket that carry what a header would: a JSON object around the payload; it knows no socket.

The format is open, so that a browser or another language can write and read it:

    {"homeostat": {"traceparent": "00-…-…-01", "x-correlation-id": "…", "baggage": "…"}, "payload": …}

`homeostat` holds the headers of HTTP with their names in lower case and their values as text; readers ignore members
that they do not know. A document that is no such object is a payload without context.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.propagate import inject

HEADERS_MEMBER: Final = "homeostat"
PAYLOAD_MEMBER: Final = "payload"


class Envelope(NamedTuple):
    """Hold an opened message: what was sent, and the headers that came with it (empty where none did)."""

    payload: Any
    headers: Mapping[str, str]

    def pairs(self) -> Iterator[tuple[str, object]]:
        """Return the headers as `Propagator.extract_message` takes them."""
        return iter(self.headers.items())


def enveloped(payload: object, *, context: Context | None = None) -> dict[str, object]:
    """Return a document that carries a payload together with the current context, or the given one.

    Args:
        payload: Anything that JSON can hold.
        context: What to carry instead of the current context.

    Example:
        >>> enveloped({"order": 7})["payload"]
        {'order': 7}
    """
    headers: dict[str, str] = {}
    inject(headers, context)
    return {HEADERS_MEMBER: headers, PAYLOAD_MEMBER: payload}


def opened(document: object) -> Envelope:
    """Return the payload and headers of a document that `enveloped` or another program made.

    Whatever is no envelope is the payload itself; headers that are no text are left out.
    """
    if not isinstance(document, dict) or document.keys() != {HEADERS_MEMBER, PAYLOAD_MEMBER}:
        return Envelope(document, {})
    headers = document[HEADERS_MEMBER]
    if not isinstance(headers, dict):
        return Envelope(document, {})
    texts = {name: value for name, value in headers.items() if isinstance(name, str) and isinstance(value, str)}
    return Envelope(document[PAYLOAD_MEMBER], texts)
