from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.tenant import Tenant, parse_tenant
from tests import otlp
from tests.contract.store.conftest import Adapter, World
from tests.segment_files import write_segment
from tests.store_attacks import ATTACKER, OWN_ROWS, REFUSED, ROWS_OF_ATTACKER, ROWS_OF_VICTIM, SECRET, VICTIM

STATEMENTS = [sql for group in REFUSED.values() for sql in group]
TABLES = ("spans", "logs", "samples", "sources", "series", "trace_bounds")


@pytest.fixture(scope="module")
def shared(adapter: Adapter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a store with rows of both, in the same segments and so in the same parts."""
    folder = tmp_path_factory.mktemp("shared")
    world = World(adapter(folder), folder)
    resource = otlp.traces(otlp.span()).resource_spans[0].resource
    resource.attributes.add(key="secret").value.string_value = SECRET
    secret = {"key": "secret", "value": {"string_value": SECRET}}
    mine, theirs = [ATTACKER] * ROWS_OF_ATTACKER, [VICTIM] * ROWS_OF_VICTIM
    requests = (
        (
            otlp.traces(otlp.span()),
            otlp.traces(otlp.span(name=SECRET, trace_id=b"victims trace id"), resource=resource),
        ),
        (otlp.logs(otlp.record()), otlp.logs(otlp.record(body={"string_value": SECRET}), resource=resource)),
        (
            otlp.metrics(otlp.metric(otlp.number())),
            otlp.metrics(otlp.metric(otlp.number(attributes=[secret]), name=SECRET), resource=resource),
        ),
    )
    for own, others in requests:
        sent = [*((tenant, own) for tenant in mine), *((tenant, others) for tenant in theirs)]
        world.store.insert_segment(write_segment(folder, sent, number=next(world.numbers)))
    yield world
    world.store.close()


@pytest.fixture(autouse=True)
def unharmed(shared: World) -> Iterator[None]:
    """After each attempt, both see what they saw."""
    yield
    assert shared.counts(ATTACKER, *TABLES) == (1, 1, 1, 1, 1, 1)
    assert shared.counts(VICTIM, *TABLES) == (ROWS_OF_VICTIM, ROWS_OF_VICTIM, ROWS_OF_VICTIM, 1, 1, 1)
    assert not list(shared.folder.glob("stolen*"))


@pytest.mark.parametrize("sql", STATEMENTS)
def test_what_reaches_beyond_ones_own_rows_is_refused(shared: World, sql: str) -> None:
    """It is refused as something that the asker may not ask, and changes nothing."""
    parameters = {"table": "system.parts", "column": "tenant"}
    with pytest.raises(InvalidRequest):
        shared.store.read(ATTACKER, sql.replace("{folder}", str(shared.folder)), parameters)


@pytest.mark.parametrize(("sql", "expected"), OWN_ROWS)
def test_what_is_allowed_sees_ones_own_rows(shared: World, sql: str, expected: int) -> None:
    """However the question is put, other tenants' rows do not exist for it."""
    assert shared.store.read(ATTACKER, sql, {}) == [{"n": expected}]


@pytest.mark.parametrize("table", TABLES)
def test_no_table_shows_the_secret(shared: World, table: str) -> None:
    """All columns of all tables, and it is nowhere; the victim does see it."""
    sql = f"SELECT * FROM telemetry.{table}"
    assert SECRET not in repr(shared.store.read(ATTACKER, sql, {}))
    assert (SECRET in repr(shared.store.read(VICTIM, sql, {}))) == (table != "trace_bounds")


NAMES = [
    "",
    "/engine",
    "nobody",
    "MALLORY",
    f"{ATTACKER}' OR '1'='1",
    f"{ATTACKER}') OR (1",
    f"x\\' OR tenant = \\'{VICTIM}",
    "x\\",
    "'",
    "''",
    "%",
    "*",
    f"{VICTIM}\\0",
    f"{VICTIM} ",
    f" {VICTIM}",
    f"{VICTIM}\n",
    f"'; SET log_comment = '{VICTIM}'; --",
    "!-_.*'()",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_tenants_name_is_a_name_whatever_is_in_it(shared: World, name: str) -> None:
    """No name lets its bearer see what another stored; one that no tenant can have is refused here too."""
    try:
        assert shared.count(Tenant(name), "spans") == 0
    except InvalidRequest:
        with pytest.raises(InvalidRequest):
            parse_tenant(name)


@pytest.mark.parametrize("name", ["/engine", "", "a/b", "x\\"])
def test_a_name_that_no_tenant_can_have_is_refused(shared: World, name: str) -> None:
    """One of them is what the store's own sessions are called, and those see all rows."""
    with pytest.raises(InvalidRequest):
        shared.count(Tenant(name), "spans")


def test_a_parameter_is_a_value_whatever_is_in_it(shared: World, tmp_path: Path) -> None:
    """Text that would be SQL stays text."""
    sql = "SELECT count() AS n FROM telemetry.spans WHERE tenant = {tenant:String}"
    for value in (f"{VICTIM}", f"x' OR '1'='1' {tmp_path}", f"') UNION ALL SELECT 7 -- {VICTIM}"):
        assert shared.store.read(ATTACKER, sql, {"tenant": value}) == [{"n": 0}]
