"""Looks into caches. OpenTelemetry has no conventions for them but those of the database that may be behind one."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span
from homeostat.tracing.failures import FAILURES

HIT: Final = "cache.hit"
ITEM_SIZE: Final = "cache.item.size_bytes"

CACHE: Final = Family(
    "cache",
    "A look into a cache, or a change of it.",
    "the operation and the cache: `get prices`",
    (
        Declared("cache.name", Shape.TEXT, "Cache: what it holds, not where."),
        Declared("cache.operation", Shape.TEXT, "`get`, `set`, `delete`, `clear`."),
        Declared(HIT, Shape.SWITCH, "Whether what was looked for was there."),
        Declared("cache.key", Shape.TEXT, "Key, where it names nobody."),
        Declared("cache.keys.count", Shape.INTEGER, "Keys of one operation, where there are several."),
        Declared(ITEM_SIZE, Shape.INTEGER, "Size of the value in bytes."),
        Declared("cache.ttl_s", Shape.NUMBER, "How long the value may stay, in seconds."),
        Declared("db.system.name", Shape.TEXT, "Database behind it: `redis`, `memcached`.", Source.STABLE),
        Declared("server.address", Shape.TEXT, "Name or address of its server.", Source.STABLE),
        Declared("server.port", Shape.INTEGER, "Port of its server.", Source.STABLE),
    ),
)


def cache_span(
    operation: str,
    cache: str,
    *,
    key: str | None = None,
    system: str | None = None,
    ttl_s: float | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a look into a cache; `record_cache_lookup` says then what was found.

    Args:
        operation: `get`, `set`, `delete` and the like.
        cache: what the cache holds.
        key: of the value, only where it names nobody.
        system: database behind it; the span is a client's then, and internal without.
        ttl_s: how long the value may stay, in seconds.
        attributes: more of the family.
    """
    return family_span(
        CACHE,
        f"{operation} {cache}",
        kind=SpanKind.INTERNAL if system is None else SpanKind.CLIENT,
        values={
            "cache.operation": operation,
            "cache.name": cache,
            "cache.key": key,
            "cache.ttl_s": ttl_s,
            "db.system.name": system,
        },
        more=attributes,
    )


def record_cache_lookup(span: Span, *, hit: bool, size_bytes: int | None = None) -> None:
    """Say on a span whether what was looked for was there, and its size in bytes."""
    with FAILURES.contained("recording a look into a cache"):
        span.set_attribute(HIT, hit)
        if size_bytes is not None:
            span.set_attribute(ITEM_SIZE, size_bytes)
