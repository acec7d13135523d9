"""What a table is and how its DDL reads. It knows no table by name (see `catalogue`) and runs nothing."""

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

DATABASE: Final = "telemetry"

DURABLE: Final = {"fsync_after_insert": "1", "fsync_part_directory": "1"}
"""A spool segment is deleted after the commit, so the commit has to be on the disk by then."""


LAYOUT: Final = {
    # In memory, so about that of a segment of 32 MiB: its part keeps all columns in one file, and 40 columns cost one
    # fsync, not 80. What merges make of it is wider, and is merged column by column at half the CPU.
    "min_bytes_for_wide_part": "67108864",
    # More parts wait for each merge than the 5 of the default: a third fewer rows are written again.
    "merge_selector_base": "8",
    # Lengths beside their texts compress with them: 7 bytes a span less than in a stream of their own.
    "string_serialization_version": "'single_stream'",
}
"""How every table lies on the disk; figures in docs/adr/0002-table-layout.md."""

DESCRIBING: Final = {"allow_dimensions_outside_sorting_key": "1"}
"""For derived tables whose other columns depend on the sorting key alone: whichever row a merge keeps is right."""


@unique
class Retention(StrEnum):
    """Name how the rows of a table leave it."""

    PARTITION = "partition"
    """By dropping partitions of (day of receipt, retention class): no mutation, and a changed setting acts at once."""
    LAST_SEEN = "last_seen"
    """By a TTL on `last_seen`: derived rows that describe others and must outlive them."""


@dataclass(frozen=True, slots=True)
class Column:
    """Hold a column's name, ClickHouse type and codec (ZSTD unless a comment beside the table says why not).

    `default` is what rows have that were written before there was the column; `block_bytes` the least that is
    compressed at once when it is not what the engine thinks best (64 KiB).
    """

    name: str
    type: str
    codec: str = "ZSTD(1)"
    default: str = ""
    block_bytes: int | None = None

    def definition(self) -> str:
        """Return the column as it stands in CREATE TABLE."""
        default = f" DEFAULT {self.default}" if self.default else ""
        blocks = "" if self.block_bytes is None else f" SETTINGS (min_compress_block_size = {self.block_bytes})"
        return f"`{self.name}` {self.type}{default} CODEC({self.codec}){blocks}"


@dataclass(frozen=True, slots=True)
class Index:
    """Hold a data skipping index."""

    name: str
    expression: str
    type: str
    granularity: int = 1

    def definition(self) -> str:
        """Return the index as it stands in CREATE TABLE."""
        return f"INDEX {self.name} {self.expression} TYPE {self.type} GRANULARITY {self.granularity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Hold one table of the telemetry database.

    Every table has the column `tenant`, first in its sorting key, and is under the row filter. Tables that are not
    `derived` have the column `segment`, so that a segment's rows can be taken back by its number; derived ones hold
    only idempotent aggregates, so that inserting twice changes nothing.
    """

    name: str
    subject: str
    columns: tuple[Column, ...]
    order_by: str
    retention: Retention
    derived: bool = False
    indexes: tuple[Index, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    def create_statement(self) -> str:
        """Return the table's CREATE TABLE statement."""
        parts = [*(column.definition() for column in self.columns), *(index.definition() for index in self.indexes)]
        engine = "AggregatingMergeTree" if self.derived else "MergeTree"
        settings = ", ".join(
            f"{name} = {value}" for name, value in sorted({**DURABLE, **LAYOUT, **self.settings}.items())
        )
        lines = [
            f"CREATE TABLE IF NOT EXISTS {DATABASE}.{self.name}",
            "(",
            ",\n".join(f"    {part}" for part in parts),
            ")",
            f"ENGINE = {engine}",
            *([f"PARTITION BY {PARTITION_KEY}"] if self.retention is Retention.PARTITION else []),
            f"ORDER BY {self.order_by}",
            f"SETTINGS {settings}",
            f"COMMENT '{self.subject}'",
        ]
        return "\n".join(lines)


PARTITION_KEY: Final = "(toYYYYMMDD(received), retention)"
"""The day of receipt, not of the sender's clock: wild clocks must not spread one segment over 100 partitions."""
