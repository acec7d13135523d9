import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.binding import Binder
from homeostat_server.query.jaeger.tags import TAGS_MAX, tag_conditions


@pytest.mark.parametrize(
    ("key", "value", "condition"),
    [
        ("error", "true", "(status_code = 2)"),
        ("error", "false", "(status_code != 2)"),
        ("span.kind", "client", "(kind = {value_0:Int64})"),
        ("otel.status_code", "OK", "(status_code = {value_0:Int64})"),
        ("otel.status_description", "no", "(status_message = {value_0:String})"),
        ("w3c.tracestate", "a=b", "(trace_state = {value_0:String})"),
    ],
)
def test_a_tag_that_jaeger_derives_is_what_it_was_derived_from(key: str, value: str, condition: str) -> None:
    """No attribute is read for it."""
    assert tag_conditions([(key, value)], Binder()) == [condition]


@pytest.mark.parametrize(("key", "value"), [("error", "maybe"), ("span.kind", "odd"), ("otel.status_code", "UNSET")])
def test_a_word_that_jaeger_never_derives_is_an_attributes(key: str, value: str) -> None:
    """Of the span, its resource, its scope or an event."""
    [condition] = tag_conditions([(key, value)], Binder())
    assert condition.count(" OR ") >= 3


def test_an_event_is_found_by_its_name_too() -> None:
    """The UI shows the name as a field called `event`."""
    [condition] = tag_conditions([("event", "exception")], Binder())
    assert "has(`events.name`" in condition


def test_so_many_tags_are_no_search() -> None:
    """Each is a look at several columns."""
    with pytest.raises(InvalidRequest, match="search by tags"):
        tag_conditions([(f"key{number}", "") for number in range(TAGS_MAX + 1)], Binder())
