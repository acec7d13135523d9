"""Sentences: the templates of log messages by kind of span, and who says them how loudly.

Invariant: text only; braces name the facts of a record (`user`, `order`, `number`, `word`, `sku`, `peer`, `table`).
"""

from typing import Final

from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from benchmarks.realistic.landscape import Kind

DEBUG: Final = (SeverityNumber.SEVERITY_NUMBER_DEBUG, "DEBUG")
INFO: Final = (SeverityNumber.SEVERITY_NUMBER_INFO, "INFO")
WARN: Final = (SeverityNumber.SEVERITY_NUMBER_WARN, "WARN")
ERROR: Final = (SeverityNumber.SEVERITY_NUMBER_ERROR, "ERROR")
FATAL: Final = (SeverityNumber.SEVERITY_NUMBER_FATAL, "FATAL")

Severity = tuple["SeverityNumber.ValueType", str]

_SERVER: Final = (
    "{operation} answered {status} in {number} us",
    "request of {user} to {operation} accepted, session {word}",
    "user {user} authorized for {operation}, {count} scopes",
    "{operation} done: order {order}, {count} items, {number} us",
    "rate limit of {user}: {count} of 600 used",
    "cart of {user} holds {count} items, first {sku}",
    "price of {sku} for {user} is quoted, valid until epoch {number}",
    "order {order} moved to state {state} by {user}",
)
_CLIENT: Final = (
    "calling {peer} with request {word}",
    "{peer} answered after {number} us on connection {count}",
    "retry budget of {peer} at {count} percent",
)
_SQL: Final = (
    "statement on {table} took {number} us, {count} rows",
    "connection {count} taken from pool of {table}",
    "slow plan on {table}: sequential scan, {number} us, plan {word}",
)
_CACHE: Final = ("cache {state} for key {peer}:{number}", "evicted {count} keys of {peer}, {number} bytes freed")
_MESSAGING: Final = (
    "event {word} for order {order} on {table} at offset {number}",
    "consumer of {table} is {count} messages behind",
    "order {order} handed to {table}, partition {count}",
)
_INTERNAL: Final = (
    "{operation} finished in {number} us",
    "rule set {count} applied to {sku} for {user}",
    "feature {state} evaluated to variant {count} for {user}",
)
_FAILED: Final = (
    "{operation} failed for order {order} of {user}: request {word}",
    "giving up on {peer} after {count} attempts and {number} us",
    "unhandled error in {operation}, incident {word}",
)
WARNINGS: Final = (
    "{operation} is slow: {number} us, budget is {count} ms",
    "{peer} answered with a stale version, using copy {word}",
    "queue of {operation} holds {count} entries",
    "deprecated field in request {word} of {user}",
)
BACKGROUND: Final = (
    "heartbeat {number}: {count} workers alive",
    "configuration {word} loaded, {count} keys",
    "garbage collection freed {number} bytes in generation {count}",
    "health probe answered in {number} us",
)
FAILED: Final = _FAILED
BY_KIND: Final = {
    Kind.HTTP_SERVER: _SERVER,
    Kind.RPC_SERVER: _SERVER,
    Kind.HTTP_CLIENT: _CLIENT,
    Kind.RPC_CLIENT: _CLIENT,
    Kind.SQL: _SQL,
    Kind.CACHE: _CACHE,
    Kind.PRODUCER: _MESSAGING,
    Kind.CONSUMER: _MESSAGING,
    Kind.INTERNAL: _INTERNAL,
}
LOUDNESS: Final = {
    Kind.HTTP_SERVER: 2.0,
    Kind.RPC_SERVER: 1.5,
    Kind.HTTP_CLIENT: 0.6,
    Kind.RPC_CLIENT: 0.4,
    Kind.SQL: 0.6,
    Kind.CACHE: 0.3,
    Kind.PRODUCER: 1.5,
    Kind.CONSUMER: 3.0,
    Kind.INTERNAL: 1.0,
}
"""Records a span writes, relative to each other."""
STATES: Final = ("created", "hit", "paid", "packed", "shipped", "miss", "delivered", "returned")
"""Words for `{state}`, the first ones most often."""
