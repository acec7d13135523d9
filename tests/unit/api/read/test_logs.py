from typing import Any

import httpx
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from homeostat_server.api.logs import LogsAnswer
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.otlp import NOW_NS, SPAN_ID, TRACE_ID
from tests.telemetry_store import FilledStore


async def test_a_record_is_given_with_all_its_fields(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Typed, and its resource and scope beside it."""
    record = otlp.record(
        body=AnyValue(int_value=5), event_name="login", severity_text="INFO", flags=1, dropped_attributes_count=2
    )
    filled.insert(tenant, otlp.logs(record))
    answer = (await client.get("/api/v1/logs")).json()
    LogsAnswer.model_validate(answer)
    [found] = answer["logs"]
    source = found.pop("source")
    assert found == {
        "time": "2026-01-01T00:00:00.000000000Z",
        "time_origin": "time",
        "observed_time": "2026-01-01T00:00:00.000000000Z",
        "severity_number": 9,
        "severity_text": "INFO",
        "event_name": "login",
        "body": {"intValue": "5"},
        "trace_id": TRACE_ID.hex(),
        "span_id": SPAN_ID.hex(),
        "flags": 1,
        "service": "shop",
        "attributes": [{"key": f"key.{number}", "value": {"stringValue": "value"}} for number in range(2)],
        "dropped_attributes_count": 2,
    }
    assert answer["sources"] == {
        source: {
            "service": "shop",
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "resource_schema_url": "",
            "scope": {"name": "tests", "version": "1"},
            "scope_schema_url": "",
        }
    }


async def test_pages_go_on_where_the_last_one_ended(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Also among records of one time, and with the conditions of the first page."""
    filled.insert(tenant, otlp.logs(*(otlp.record(flags=number, severity_number=17) for number in range(5))))
    parameters: dict[str, Any] = {"limit": 2, "service": "shop", "severity": "error"}
    flags: list[int] = []
    while True:
        answer = (await client.get("/api/v1/logs", params=parameters)).json()
        flags += [record["flags"] for record in answer["logs"]]
        if answer["next_cursor"] is None:
            break
        parameters["cursor"] = answer["next_cursor"]
    assert sorted(flags) == [0, 1, 2, 3, 4]


async def test_the_records_of_an_old_trace_are_found_without_a_window(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """They are looked for around the trace; with a window they are looked for there."""
    day_ns = 86_400 * 10**9
    filled.insert(tenant, otlp.traces(otlp.span(start_time_unix_nano=NOW_NS - day_ns)))
    made = [otlp.record(time_unix_nano=NOW_NS - day_ns + offset_ns) for offset_ns in (0, 1)]
    filled.insert(tenant, otlp.logs(*made))
    parameters = {"trace_id": TRACE_ID.hex(), "limit": "1"}
    first = (await client.get("/api/v1/logs", params=parameters)).json()
    second = (await client.get("/api/v1/logs", params={**parameters, "cursor": first["next_cursor"]})).json()
    assert [len(page["logs"]) for page in (first, second)] == [1, 1]
    assert second["next_cursor"] is None
    assert first["window"] == second["window"]
    windowed = await client.get("/api/v1/logs", params={**parameters, "end": "1767225600"})
    assert windowed.json()["logs"] == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"trace_id": "x"},
        {"span_id": "x"},
        {"severity": "loud"},
        {"search": "--"},
        {"search": "a" * 513},
        {"limit": "1001"},
        {"severty": "warn"},
    ],
)
async def test_a_wrong_condition_is_a_400(client: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    """With a problem document."""
    answer = await client.get("/api/v1/logs", params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "search", ["hello world", "hello", "world\\n", "'; DROP", "\\", "\0", "{tenant:String}", "日本"]
)
async def test_any_search_is_answered(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, search: str
) -> None:
    """Whatever is searched for is text and nothing else."""
    filled.insert(tenant, otlp.logs(otlp.record(body=AnyValue(string_value="hello world"))))
    answer = await client.get("/api/v1/logs", params={"search": search})
    assert answer.status_code == (200 if any(character.isalnum() for character in search) else 400)
