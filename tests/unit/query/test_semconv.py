import re
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv import _incubating

from homeostat_server.query.semconv import (
    GRPC_CODES,
    RENAMED,
    RENAMED_PREFIXES,
    RENAMED_VALUES,
    newest,
    same_as,
    same_values,
)

NAMES = [*RENAMED, *(old for olds in RENAMED.values() for old in olds)]
ENDINGS = st.text("abc-_.x", min_size=1, max_size=8)
PREFIXES = [
    *RENAMED_PREFIXES,
    *(old for olds in RENAMED_PREFIXES.values() for old in olds),
    "http.request.header.",
    "http.response.header.",
    "plain.",
]
ANY_NAME = st.one_of(st.sampled_from(NAMES), st.builds(lambda p, e: p + e, st.sampled_from(PREFIXES), ENDINGS))


def test_every_name_is_in_one_group() -> None:
    """A name in two groups would make two different attributes one."""
    assert len(NAMES) == len(set(NAMES))


@given(ANY_NAME)
def test_names_of_a_group_are_the_same_whichever_is_asked_for(key: str) -> None:
    """Symmetric and transitive; the newest is first, and is its own newest."""
    names = same_as(key)
    assert key in names
    assert len(set(names)) == len(names)
    assert {same_as(name) for name in names} == {names}
    assert {newest(name) for name in names} == {names[0]}


@pytest.mark.parametrize(
    ("asked", "also"),
    [
        ("http.method", "http.request.method"),
        ("http.request.method", "http.method"),
        ("net.peer.name", "server.address"),
        ("db.statement", "db.query.text"),
        ("deployment.environment", "deployment.environment.name"),
        ("rpc.grpc.request.metadata.key", "rpc.request.metadata.key"),
        ("http.request.header.content_type", "http.request.header.content-type"),
        ("k8s.pod.label.app", "k8s.pod.labels.app"),
    ],
)
def test_an_old_name_finds_the_new_one_and_the_other_way_round(asked: str, also: str) -> None:
    """Some that everybody has."""
    assert also in same_as(asked)


def test_a_name_that_was_never_renamed_is_alone() -> None:
    """Names of the user's own too."""
    assert same_as("http.route") == ("http.route",)
    assert same_as("app.order_id") == ("app.order_id",)
    assert same_as("http.request.header.x-a_b") == ("http.request.header.x-a_b",)


def test_values_that_were_renamed_are_the_same() -> None:
    """By either name, in either form."""
    assert same_values("db.system", "mssql") == ("mssql", "microsoft.sql_server")
    assert same_values("db.system.name", "microsoft.sql_server") == ("microsoft.sql_server", "mssql")
    assert same_values("rpc.grpc.status_code", "14") == ("14", "UNAVAILABLE")
    assert same_values("http.method", "GET") == ("GET",)
    assert len(GRPC_CODES) == 17
    assert RENAMED_VALUES.keys() <= RENAMED.keys()


def deprecated_names() -> dict[str, str]:
    """Return what OpenTelemetry's own package says replaced a deprecated attribute by one other, by the old name."""
    found: dict[str, str] = {}
    package = f"{_incubating.__path__[0]}/attributes"
    for module in iter_modules([package]):
        with open(f"{package}/{module.name}.py", encoding="utf-8") as file:  # noqa: PTH123 - a plain read
            text = file.read()
        pattern = r'^\w+: Final = "([^"]+)"\n"""\nDeprecated: (?:Replaced by|Use) `([\w.]+)`(?: instead)?[.,]'
        found |= {old: new for old, new in re.findall(pattern, text, re.MULTILINE) if new not in DIFFERENT}
    return found


DIFFERENT = {"http.request.header.content", "db.elasticsearch.node.name"}
"""Replacements that are not the same value by another name: a header is a list, a hint is not a rename."""

METRICS_ONLY = {"state"}
"""Too short a word to mean one thing outside the metrics that it was an attribute of."""


def test_each_replacement_that_the_conventions_name_is_known() -> None:
    """Templates, whose names end in what a user chose, are known by their beginnings."""
    unknown = {
        (old, new)
        for old, new in deprecated_names().items()
        if old not in METRICS_ONLY and new not in same_as(old) and f"{new}.x" not in same_as(f"{old}.x")
    }
    assert unknown == set()
