"""Bring a telemetry database to the layout of this version: versioned, idempotent, checksummed. It drops nothing.

A migration is a list of statements that may run twice. What ran is a row of `migrations` with the checksum of its
text; a checksum that changed means that the folder was written by a program that is not an ancestor of this one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from homeostat_server.exceptions import MigrationMismatch
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry.tables import DATABASE, DURABLE

JOURNAL: Final = (
    f"CREATE TABLE IF NOT EXISTS {DATABASE}.migrations (`version` UInt32, `name` String, `checksum` String,"
    " `applied` DateTime('UTC') DEFAULT now()) ENGINE = MergeTree ORDER BY version SETTINGS "
    + ", ".join(f"{name} = {value}" for name, value in DURABLE.items())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Hold one step of the layout's history; once released, its statements never change."""

    version: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the statements."""
        return hashlib.sha256(";\n".join(self.statements).encode()).hexdigest()


class Engine(Protocol):
    """What a migration needs of a session."""

    def execute(self, sql: str) -> None:
        """Run a statement."""
        ...

    def rows(self, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Answer a question."""
        ...


def migrate(engine: Engine, migrations: Sequence[Migration]) -> tuple[int, ...]:
    """Apply what is missing, in order, and return the versions that were applied now.

    Raises:
        MigrationMismatch: a migration that ran is unknown to this program or had another text.
        StoreUnavailable: a statement failed; what ran before it stays, and the next start goes on from there.
    """
    if not engine.rows(f"SELECT 1 FROM system.tables WHERE database = '{DATABASE}' AND name = 'migrations'", {}):
        engine.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        engine.execute(JOURNAL)
    applied = {row["version"]: row for row in engine.rows(f"SELECT * EXCEPT applied FROM {DATABASE}.migrations", {})}
    known = {migration.version: migration for migration in migrations}
    for version, row in applied.items():
        _check(known.get(_integer(version)), row)
    missing = [migration for migration in migrations if migration.version not in applied]
    for migration in missing:
        _apply(engine, migration)
    return tuple(migration.version for migration in missing)


def _integer(value: object) -> int:
    assert isinstance(value, int)  # the journal's column is UInt32
    return value


def _check(migration: Migration | None, row: Row) -> None:
    if migration is None:
        raise MigrationMismatch(
            "open the telemetry store",
            value=f"migration {row['version']}",
            hint="It was written by a newer version of Homeostat: run that one, or restore a backup.",
        )
    if migration.checksum.encode() != row["checksum"]:
        raise MigrationMismatch(
            "open the telemetry store",
            value=f"migration {migration.version} ({migration.name})",
            hint="It ran with another text than this program has: run the version that wrote the folder.",
        )


def _apply(engine: Engine, migration: Migration) -> None:
    for statement in migration.statements:
        engine.execute(statement)
    engine.execute(
        f"INSERT INTO {DATABASE}.migrations (version, name, checksum) VALUES"
        f" ({migration.version}, '{migration.name}', '{migration.checksum}')"
    )
