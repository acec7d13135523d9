import httpx
import pytest

from homeostat_server.api.services import OperationsAnswer, ServicesAnswer
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore


def fill(filled: FilledStore, tenant: Tenant) -> None:
    """Store ten requests to a shop, one of them failed, each with a client span."""
    spans = [otlp.span(span_id=bytes([number] * 8), end_time_unix_nano=NOW_NS + 10**6) for number in range(1, 11)]
    spans[0].status.code = 2  # type: ignore[assignment] # numbers are enums on the wire
    spans += [otlp.span(name="SELECT", kind=kind) for kind in (3, 9, -1)]
    filled.insert(tenant, otlp.traces(*spans))


async def test_services_are_listed_with_their_figures(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Requests are entry spans; the rate is over the whole window."""
    fill(filled, tenant)
    answer = (await client.get("/api/v1/services", params={"start": "1767225600", "end": "1767225605"})).json()
    [service] = answer["services"]
    assert service.pop("p50_ms") == pytest.approx(1, rel=0.006)
    assert service.pop("p95_ms") == pytest.approx(1, rel=0.006)
    assert service.pop("p99_ms") == pytest.approx(1, rel=0.006)
    assert service == {
        "name": "shop",
        "requests_are": "entry",
        "requests": 10,
        "errors": 1,
        "rate": 2.0,
        "error_rate": 0.1,
        "spans": 13,
        "first_seen": "2026-01-01T00:00:00.000000000Z",
        "last_seen": "2026-01-01T00:00:00.000000000Z",
    }
    assert answer["window"] == {"start": "2026-01-01T00:00:00.000000000Z", "end": "2026-01-01T00:00:05.000000000Z"}
    assert answer["next_cursor"] is None


async def test_operations_are_listed_by_name_and_kind(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """A kind that OTLP has no word for is shown by its number, page by page as well."""
    fill(filled, tenant)
    found: list[tuple[str, str]] = []
    parameters = {"limit": "1"}
    while True:
        answer = await client.get("/api/v1/services/shop/operations", params=parameters)
        page = OperationsAnswer.model_validate(answer.json())
        assert page.service == "shop"
        found += [(operation.name, operation.kind) for operation in page.operations]
        if page.next_cursor is None:
            break
        parameters["cursor"] = page.next_cursor
    assert found == [("GET /", "server"), ("SELECT", "-1"), ("SELECT", "client"), ("SELECT", "9")]


async def test_services_have_pages(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """By name."""
    for name in ("cart", "", "shop"):
        resource = otlp.RESOURCE.__class__()
        resource.attributes.add(key="service.name").value.string_value = name
        filled.insert(tenant, otlp.traces(otlp.span(kind=1), resource=resource))
    first = ServicesAnswer.model_validate((await client.get("/api/v1/services?limit=2")).json())
    rest = await client.get("/api/v1/services", params={"limit": "2", "cursor": first.next_cursor})
    second = ServicesAnswer.model_validate(rest.json())
    assert [service.name for service in first.services + second.services] == ["", "cart", "shop"]
    assert {service.requests_are for service in first.services} == {"all"}


async def test_a_service_may_have_slashes_in_its_name(client: httpx.AsyncClient) -> None:
    """Names are the senders' own; one that has no spans has no operations."""
    answer = await client.get("/api/v1/services/team/shop/operations")
    assert (answer.status_code, answer.json()["service"], answer.json()["operations"]) == (200, "team/shop", [])


async def test_a_cursor_of_another_service_is_refused(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """What stands in the path decides the list as well."""
    fill(filled, tenant)
    first = (await client.get("/api/v1/services/shop/operations?limit=1")).json()
    parameters = {"limit": "1", "cursor": first["next_cursor"]}
    answer = await client.get("/api/v1/services/cart/operations", params=parameters)
    assert answer.status_code == 400
    assert "another list" in answer.json()["attempted"]
