from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from homeostat_server.api.app import create_app
from homeostat_server.api.attributes import attributes_router
from homeostat_server.api.reading import Reading
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.telemetry_store import FilledStore
from tests.unit.api.read.conftest import client_of


@pytest.fixture
async def client(filled: FilledStore, tenant: Tenant, reading: Reading) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the routes about attributes, of a tenant that has a span."""
    filled.insert(tenant, otlp.traces(otlp.span()))
    routers = [attributes_router(reading)]
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=routers)
    async with client_of(app, tenant) as made:
        yield made


async def test_keys_are_given_with_counts(client: httpx.AsyncClient) -> None:
    """And with what it cost."""
    answer = (await client.get("/api/v1/attributes", params={"scope": "span", "prefix": "key.1"})).json()
    assert answer["attributes"] == [
        {"scope": "span", "key": "key.1", "names": ["key.1"], "kinds": ["string"], "count": 1}
    ]
    assert (answer["more"], answer["sampled"]) == (False, None)
    assert answer["scanned"]["rows"] > 0
    assert answer["window"]["end"] == "2026-01-01T00:01:00.000000001Z"


async def test_values_are_given_with_counts(client: httpx.AsyncClient) -> None:
    """A key with a slash is a key too."""
    answer = (await client.get("/api/v1/attributes/key.1/values", params={"service": "shop"})).json()
    assert answer["values"] == [{"value": "value", "kinds": ["string"], "count": 1}]
    assert answer["names"] == ["key.1"]
    none = await client.get("/api/v1/attributes/app.kubernetes.io%2Fname/values", params={"scope": "resource"})
    assert (none.status_code, none.json()["values"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("", {"scope": "all"}),
        ("", {"limit": 0}),
        ("", {"cursor": "x"}),
        ("", {"attribute": "key~("}),
        ("", {"prefix": "p" * 1_001}),
        ("/key/values", {"scope": ["span", "resource"], "limit": 2_000}),
        ("/" + "k" * 1_001 + "/values", {}),
    ],
)
async def test_a_wrong_question_is_a_400(client: httpx.AsyncClient, path: str, parameters: dict[str, Any]) -> None:
    """With a problem document."""
    answer = await client.get(f"/api/v1/attributes{path}", params=parameters)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
