from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from pydantic import TypeAdapter

from homeostat_server.api import logs, metrics, search, services
from homeostat_server.api.lists import Answer

MODULES = (logs, metrics, search, services)


def operations(app: FastAPI) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the routes that read."""
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_parameter_of_a_list_is_documented(app: FastAPI) -> None:
    """Those that a caller writes, one by one, not as one object."""
    listed = dict(operations(app))["get /api/v1/traces"]["parameters"]
    assert [parameter["name"] for parameter in listed] == [
        "start",
        "end",
        "window",
        "cursor",
        "service",
        "operation",
        "kind",
        "status",
        "min_duration",
        "max_duration",
        "attribute",
        "resource_attribute",
        "scope_attribute",
        "event",
        "event_attribute",
        "link",
        "link_attribute",
        "limit",
        "order",
    ]


def test_every_route_has_a_summary_an_answer_and_a_problem(app: FastAPI) -> None:
    """The document is enough to write a client from."""
    for name, operation in operations(app):
        assert operation["summary"], name
        assert operation["tags"], name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert operation["responses"]["200"]["content"], name


def test_every_example_of_an_answer_is_one(app: FastAPI) -> None:
    """Examples are checked against the fields that they stand beside."""
    checked = 0
    for module in MODULES:
        for model in vars(module).values():
            if isinstance(model, type) and issubclass(model, Answer):
                for name, field in model.model_fields.items():
                    for example in field.examples or ():
                        TypeAdapter(cast("type", field.annotation)).validate_python(example)
                        checked += 1
                        assert name
    assert checked > 40
