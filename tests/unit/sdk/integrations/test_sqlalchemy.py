from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from homeostat.integrations import sqlalchemy as integration
from homeostat.integrations.messaging import Messaging
from homeostat.propagation import Propagator
from homeostat.testing import Capture


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """Give an engine whose statements are spans."""
    integration.install(Messaging(Propagator()))
    integration.install(Messaging(Propagator()))
    made = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER, name TEXT)")
    yield made
    made.dispose()
    integration.uninstall()


def test_a_statement_is_one_span_with_what_it_is_about(engine: sa.Engine, capture: Capture) -> None:
    """Named by operation and table; of values nothing is left."""
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT name FROM orders WHERE id = :id AND name = 'x'"), {"id": 3}).all()
        connection.execute(sa.text('/* by hand */ DELETE FROM "orders" WHERE id = 42')).close()
    first, second = capture.spans
    assert (first.name, second.name) == ("SELECT orders", "DELETE orders")
    assert first.attributes["db.query.text"] == "SELECT name FROM orders WHERE id = ? AND name = 'x'"
    assert second.attributes["db.query.text"] == '/* by hand */ DELETE FROM "orders" WHERE id = ?'
    assert first.attributes["db.system.name"] == "sqlite"


def test_a_batch_says_its_size(engine: sa.Engine, capture: Capture) -> None:
    """From two on, as the conventions want it."""
    with engine.connect() as connection:
        insert = sa.text("INSERT INTO orders VALUES (:id, 'x')")
        connection.execute(insert, [{"id": 1}, {"id": 2}, {"id": 3}])
        connection.execute(insert, [{"id": 1}])
    sizes = [span.attributes.get("db.operation.batch.size") for span in capture.spans]
    assert sizes == [3, None]


def test_a_statement_that_fails_is_an_error(engine: sa.Engine, capture: Capture) -> None:
    """The program gets SQLAlchemy's own."""
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError):
        connection.execute(sa.text("SELECT * FROM nowhere"))
    (span,) = capture.spans
    assert span.status == "error"


def test_after_uninstall_there_are_no_spans(engine: sa.Engine, capture: Capture) -> None:
    """Everything is as it was."""
    integration.uninstall()
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1")).all()
    assert list(capture.spans) == []


class _Url:
    host, port, database = "db.example", 5432, "shop"


class _Engine:
    url = _Url()


class _Connection:
    engine = _Engine()


class _Dialect:
    name = "mssql"


class _Context:
    root_connection, dialect = _Connection(), _Dialect()


def test_a_server_is_named_as_the_conventions_have_it(capture: Capture) -> None:
    """Address, port, database, and systems that SQLAlchemy calls otherwise; what is no SQL is executed."""
    with integration.statement_span("(nonsense)", (), _Context()):
        pass
    (span,) = capture.spans
    assert span.name == "execute shop"
    assert {
        "db.system.name": "microsoft.sql_server",
        "db.namespace": "shop",
        "server.address": "db.example",
        "server.port": 5432,
    }.items() <= span.attributes.items()
