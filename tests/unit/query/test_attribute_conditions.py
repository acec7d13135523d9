from collections.abc import Iterator

import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.attributes import sql
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator, texts_of
from homeostat_server.query.binding import VALUES_MAX, Binder
from homeostat_server.query.rows import text
from homeostat_server.store.telemetry import catalogue
from homeostat_server.store.telemetry.embedded import ARROW_SETTINGS
from homeostat_server.store.telemetry.engine_config import ENGINE_SCOPE, SCOPE_SETTING
from homeostat_server.store.telemetry.session import Session
from tests import otlp
from tests.telemetry_store import filled_store

PARTS = 4


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a session that may explain, over parts of which each has another value."""
    folder = tmp_path_factory.mktemp("store")
    with filled_store(folder) as filled:
        for number in range(PARTS):
            attributes = otlp.attributes(1)
            attributes[0].key, attributes[0].value.string_value = "http.method", f"M{number}"
            filled.insert("shop", otlp.traces(otlp.span(attributes=attributes)))
        telemetry = folder / "telemetry"
        settings = {SCOPE_SETTING: ENGINE_SCOPE, **ARROW_SETTINGS}
        session = Session(telemetry, telemetry / "config" / "config.xml", settings)
        yield session
        session.close()


def equal(key: str, value: str) -> AttributeCondition:
    """Return the condition that a span's attribute has a value."""
    return AttributeCondition(scope=AttributeScope.SPAN, key=key, operator=Operator.EQUAL, value=value)


def plan(session: Session, *conditions: AttributeCondition) -> str:
    """Return how the engine would find the spans that fulfil one of the conditions."""
    binder = Binder()
    listed = " OR ".join(condition.sql(binder) for condition in conditions)
    rows = session.rows(f"EXPLAIN indexes = 1 SELECT span_id FROM telemetry.spans WHERE {listed}", binder.parameters)
    return "\n".join(text(row["explain"]) for row in rows)


@pytest.mark.parametrize("key", ["http.method", "http.request.method"])
def test_equality_reads_only_what_the_index_of_items_leaves(session: Session, key: str) -> None:
    """By the name that the spans have, and by one that is ORed with it."""
    shown = plan(session, equal(key, "M2"))
    assert "attribute_items" in shown
    assert f"Parts: 1/{PARTS}" in shown


def test_the_index_prunes_when_conditions_are_joined_by_or(session: Session) -> None:
    """A value with an equals sign, compared a second time, prunes too."""
    shown = plan(session, equal("http.method", "M2"), equal("app.filter", "size=10"))
    assert f"Parts: 1/{PARTS}" in shown


def test_the_expression_of_items_is_the_one_that_is_indexed() -> None:
    """The engine uses an index for exactly the expression that it was made of."""
    assert sql.ITEMS == catalogue.ITEMS


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("200", ("200",)),
        ("200.0", ("200.0", "200")),
        ("+007", ("+007", "7")),
        ("1e3", ("1e3", "1000")),
        (".5", (".5", "0.5")),
        ("1e-7", ("1e-7",)),
        ("0.0000125", ("0.0000125",)),
        ("1.50e300", ("1.50e300", "1.5e300")),
        ("1000000000000000000000", ("1000000000000000000000", "1e21")),
        ("0", ("0",)),
        ("1e999", ("1e999",)),
        ("0x10", ("0x10",)),
        ("true", ("true",)),
        ("", ("",)),
    ],
)
def test_a_value_is_asked_for_by_the_texts_that_it_is_stored_as(value: str, texts: tuple[str, ...]) -> None:
    """The text itself first."""
    assert texts_of("app.key", value) == texts


@pytest.mark.parametrize(
    ("key", "operator", "value"),
    [
        ("", Operator.EXISTS, ""),
        ("k" * 1_001, Operator.EXISTS, ""),
        ("k", Operator.EQUAL, "v" * 8_001),
        ("k", Operator.MATCHES, "v" * 1_001),
        ("k", Operator.LESS, "ten"),
        ("k", Operator.GREATER, "inf"),
        ("k", Operator.GREATER_OR_EQUAL, ""),
    ],
)
def test_what_cannot_be_asked_is_refused(key: str, operator: Operator, value: str) -> None:
    """With what was asked, and a hint."""
    with pytest.raises(InvalidRequest) as refusal:
        AttributeCondition(scope=AttributeScope.SPAN, key=key, operator=operator, value=value)
    assert refusal.value.hint


def test_a_binder_gives_equal_values_one_parameter_and_has_a_bound() -> None:
    """Text and number are two values."""
    binder = Binder()
    assert [binder.text("1"), binder.integer(1), binder.text("1"), binder.real(1)] == [
        "{value_0:String}",
        "{value_1:Int64}",
        "{value_0:String}",
        "{value_2:Float64}",
    ]
    with pytest.raises(InvalidRequest):
        [binder.text(f"text {number}") for number in range(VALUES_MAX)]
