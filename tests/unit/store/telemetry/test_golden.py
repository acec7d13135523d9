"""Generated SQL as files, so that a change of it shows in review.

`python -m tests.unit.store.telemetry.test_golden` writes the files again. A layout's file is written by hand and
once: a change of the catalogue is a new migration.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from homeostat_server.model.segment import NODE_BITS
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.engine_config import write_engine_config
from homeostat_server.store.telemetry.inserts import DERIVED, ROWS, TABLES
from homeostat_server.store.telemetry.tables import Retention
from homeostat_server.store.telemetry.wire import SCHEMAS
from tests.otlp import NOW_NS
from tests.unit.store.telemetry.conftest import BOUNDS

GOLDEN = Path(__file__).parents[3] / "golden" / "store"
NUMBER = NOW_NS // 1_000 << NODE_BITS
SEGMENT = Path("/spool/it's a segment")


def _statements() -> dict[str, str]:
    """Return every statement of every signal by the name of what makes it, broken into lines to be read."""
    made: dict[str, Callable[[int, Path], str]] = {
        statement.__name__: statement for statements in (*DERIVED.values(), *ROWS.values()) for statement in statements
    }
    return {name: _broken(statement(NUMBER, SEGMENT)) for name, statement in made.items()}


def _broken(sql: str) -> str:
    for word in (" SELECT ", " FROM ", " WHERE ", " GROUP BY ", " LIMIT "):
        sql = sql.replace(word, f"\n{word.strip()} ")
    return sql + "\n"


FILES = {
    **{f"{name}.sql": text for name, text in _statements().items()},
    **{f"otlp_{signal}.proto": schema for signal, schema in SCHEMAS.items()},
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_generated_is_in_the_golden_file(name: str) -> None:
    """Changed statements and schemas are seen as such."""
    assert FILES[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_golden_file_is_of_something() -> None:
    """None is left over."""
    assert {path.name for path in GOLDEN.iterdir()} == {*FILES, "users.xml", "functions.txt"}


def test_users_and_their_rights_are_in_the_golden_file(tmp_path: Path) -> None:
    """Row filters and grants come from the catalogue, one of each for every table."""
    users = write_engine_config(tmp_path, BOUNDS).with_name("users.xml").read_text(encoding="utf-8")
    assert users.replace("><", ">\n<") + "\n" == (GOLDEN / "users.xml").read_text(encoding="utf-8")
    for table in CATALOGUE:
        assert f"<{table.name}><filter>tenant = " in users
        assert f"GRANT SELECT ON telemetry.{table.name}<" in users


def test_every_table_keeps_tenants_apart_and_can_be_taken_back() -> None:
    """The tenant leads each sorting key; rows that are not derived carry their segment's number."""
    numbered = {table for tables in TABLES.values() for table in tables}
    for table in CATALOGUE:
        names = [column.name for column in table.columns]
        assert table.order_by.startswith("(tenant, ")
        assert (table.name in numbered) == ("segment" in names) == (not table.derived)
        assert ("last_seen" in names) == (table.retention is Retention.LAST_SEEN)


def test_derived_tables_hold_idempotent_aggregates_only() -> None:
    """Beyond the sorting key there is a minimum, a maximum, or what depends on the key alone."""
    for table in (table for table in CATALOGUE if table.derived):
        depends = "allow_dimensions_outside_sorting_key" in table.settings
        for column in table.columns:
            aggregated = column.type.startswith(("SimpleAggregateFunction(min", "SimpleAggregateFunction(max"))
            in_key = column.name in table.order_by or column.name in {"received", "retention"}
            assert aggregated or in_key or depends, f"{table.name}.{column.name}"


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    for file_name, content in FILES.items():
        (GOLDEN / PurePosixPath(file_name)).write_text(content, encoding="utf-8")
    with TemporaryDirectory() as scratch:
        written_users = write_engine_config(Path(scratch), BOUNDS).with_name("users.xml").read_text(encoding="utf-8")
    (GOLDEN / "users.xml").write_text(written_users.replace("><", ">\n<") + "\n", encoding="utf-8")
