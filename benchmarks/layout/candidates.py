"""The candidates: the catalogue's table of spans with one thing changed. It runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from homeostat_server.store.telemetry.catalogue import ATTRIBUTE_INDEX, ITEMS, KIND, SPANS
from homeostat_server.store.telemetry.tables import Column, Index, Table

BY_TRACE: Final = SPANS.order_by
BY_SERVICE: Final = "(tenant, service, toStartOfFiveMinutes(ts), ts)"
BY_TIME_AND_OPERATION: Final = "(tenant, toStartOfFiveMinutes(ts), service, name, ts)"
TRACE_INDEX: Final = Index("trace_id", "trace_id", "bloom_filter(0.01)")
"""What a table that is not sorted by trace needs to find one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Hold a table and what it is made to show.

    Attributes:
        name: as it is printed.
        table: the table; its name is its own, so that all can stand in one database.
        kinds_as_array: whether the kinds of attributes are an array of enumeration values, not a word.
        asked: whether the questions are put to it; codecs change sizes only.
    """

    name: str
    table: Table
    kinds_as_array: bool = False
    asked: bool = True


def orders() -> tuple[Candidate, ...]:
    """Return the sort orders."""
    return (
        _candidate("by trace", order_by=BY_TRACE),
        _candidate("by service", order_by=BY_SERVICE, indexes=(*_without("service"), TRACE_INDEX)),
        _candidate("by time, operation", order_by=BY_TIME_AND_OPERATION, indexes=(*SPANS.indexes, TRACE_INDEX)),
    )


def indexes() -> tuple[Candidate, ...]:
    """Return the ways to find a value of an attribute."""
    rest = _without(ATTRIBUTE_INDEX.name)
    text = Index(ATTRIBUTE_INDEX.name, ITEMS, "text(tokenizer = 'array')")
    return (
        _candidate("no attribute index", indexes=rest),
        _candidate("text index on items", indexes=(text, *rest)),
        *(
            _candidate(f"bloom filter {rate}", indexes=(replace(ATTRIBUTE_INDEX, type=f"bloom_filter({rate})"), *rest))
            for rate in ("0.1", "0.01")
        ),
    )


def encodings() -> tuple[Candidate, ...]:
    """Return other types, codecs and settings; how they answer is not asked."""
    changes: tuple[tuple[str, Mapping[str, str], Mapping[str, str], Mapping[str, str]], ...] = (
        ("strings with a stream of sizes", {}, {}, {"string_serialization_version": "'with_size_stream'"}),
        ("source as UInt64", {"source": "UInt64"}, {}, {}),
        ("attributes ZSTD(1)", {}, {"attributes": "ZSTD(1)"}, {}),
        ("attributes ZSTD(6)", {}, {"attributes": "ZSTD(6)"}, {}),
        ("attributes ZSTD(9)", {}, {"attributes": "ZSTD(9)"}, {}),
        ("attribute values plain", {"attributes": "Map(LowCardinality(String), String)"}, {}, {}),
        ("blocks of 64 KiB", {}, {}, {"min_compress_block_size": "65536"}),
        ("blocks of 4 MiB", {}, {}, {"max_compress_block_size": "4194304", "min_compress_block_size": "4194304"}),
        ("map in buckets", {}, {}, BUCKETS),
        ("duration without T64", {}, {"duration_ns": "ZSTD(1)"}, {}),
        ("ts DoubleDelta", {}, {"ts": "DoubleDelta, ZSTD(1)"}, {}),
        ("wide parts from the start", {}, {}, {"min_bytes_for_wide_part": "0"}),
    )
    kinds = {column.name: f"Array({KIND})" for column in SPANS.columns if column.name == "attribute_kinds"}
    return (
        _candidate("kinds Array(Enum8)", types=kinds, kinds_as_array=True, asked=False),
        *(
            _candidate(name, types=types, codecs=codecs, settings=settings, asked=False)
            for name, types, codecs, settings in changes
        ),
    )


BUCKETS: Final = {"map_serialization_version": "'with_buckets'", "map_buckets_min_avg_size": "0"}


def _candidate(
    name: str,
    *,
    order_by: str = BY_TRACE,
    indexes: tuple[Index, ...] = SPANS.indexes,
    types: Mapping[str, str] | None = None,
    codecs: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    kinds_as_array: bool = False,
    asked: bool = True,
) -> Candidate:
    word = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    table = replace(
        SPANS,
        name=f"spans_{word}",
        order_by=order_by,
        indexes=indexes,
        columns=tuple(_changed(column, types or {}, codecs or {}) for column in SPANS.columns),
        settings={**SPANS.settings, **(settings or {})},
    )
    return Candidate(name=name, table=table, kinds_as_array=kinds_as_array, asked=asked)


def _changed(column: Column, types: Mapping[str, str], codecs: Mapping[str, str]) -> Column:
    return replace(column, type=types.get(column.name, column.type), codec=codecs.get(column.name, column.codec))


def _without(name: str) -> tuple[Index, ...]:
    return tuple(index for index in SPANS.indexes if index.name != name)
