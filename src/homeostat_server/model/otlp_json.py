"""OTLP messages as OTLP/JSON and back. It knows the format's rules for ids, not what a message is for.

OTLP/JSON is protobuf's JSON mapping with two changes (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding):
trace and span ids are hexadecimal instead of base64, and enums are numbers. Objects of OTLP/JSON are messages, never
maps keyed by a sender, so a key called `traceId` is an id wherever it stands.

What senders get wrong has one outcome each: of two equal keys (or two spellings of one) the last counts; an unknown key
is ignored; text or an empty list in the place of an object is an empty object; an id that is not hexadecimal becomes
one that no check accepts, so that its item is refused and not its neighbours; all else
(not JSON, nested deeper than protobuf may be, a bare NaN, a number too large for its field, a wrong kind of value, two
members of a oneof) makes the whole text invalid.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, Final, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from homeostat_server.exceptions import InvalidRequest

MessageT = TypeVar("MessageT", bound=Message)

_ID_KEYS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})

_IMPOSSIBLE_ID: Final = "AA=="
"""One byte: neither a trace id (16) nor a span id (8), and not empty."""


def from_otlp_json(text: bytes, *, into: MessageT) -> MessageT:
    """Fill the message from OTLP/JSON and return it.

    Args:
        text: UTF-8, any size; bound it before, this takes about 250 ns a byte.
        into: an empty message of the type that the text should be.

    Raises:
        InvalidRequest: the text is not JSON, or not this message.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("decode the body as JSON", value=str(error)) from error
    if not isinstance(document, dict):
        raise InvalidRequest("decode the body as OTLP/JSON", hint="The outermost value has to be an object.")
    _rewrite_ids(document, rewrite=_base64_of_hex)
    try:
        return json_format.ParseDict(document, into, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        # The parser repeats itself for every level it leaves; the last part is what was wrong.
        innermost = str(error).rpartition(" field: ")[2]
        raise InvalidRequest("decode the body as OTLP/JSON", value=innermost) from error


def to_otlp_json(message: Message) -> dict[str, Any]:
    """Return the message as OTLP/JSON: lowerCamelCase keys, hexadecimal ids, 64-bit integers as strings."""
    document: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=True)
    _rewrite_ids(document, rewrite=_hex_of_base64)
    return document


def _rewrite_ids(document: dict[str, Any], *, rewrite: Callable[[Any], str | None]) -> None:
    # A stack of its own: the nesting is the sender's choice, Python's recursion is not.
    pending: list[Any] = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key in _ID_KEYS & node.keys():
                node[key] = rewrite(node[key])
            node = node.values()
        pending.extend(child for child in node if isinstance(child, dict | list))


def _base64_of_hex(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON can hold
    if value is None:
        return None
    if not isinstance(value, str):
        return _IMPOSSIBLE_ID
    try:
        return b64encode(binascii.unhexlify(value)).decode("ascii")
    except ValueError:
        return _IMPOSSIBLE_ID


def _hex_of_base64(value: str) -> str:
    return b64decode(value).hex()
