import httpx
import pytest

from homeostat_server.api.metrics import MetricsAnswer, SeriesAnswer
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore


async def test_metrics_are_listed_with_their_newest_points(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Values in the form of their kind."""
    numbers = [otlp.number(as_int=5), otlp.number(as_double=float("nan"), time_unix_nano=NOW_NS + 1)]
    filled.insert(tenant, otlp.metrics(otlp.sum_metric(numbers[0], name="a"), otlp.metric(numbers[1], name="b")))
    answer = (await client.get("/api/v1/metrics")).json()
    MetricsAnswer.model_validate(answer)
    assert answer["metrics"][0] == {
        "name": "a",
        "kinds": ["sum"],
        "units": ["1"],
        "temporalities": ["cumulative"],
        "monotonic": True,
        "description": "",
        "series_count": 1,
        "newest": {
            "time": "2026-01-01T00:00:00.000000000Z",
            "start_time": "2026-01-01T00:00:00.000000000Z",
            "flags": 0,
            "values": {"value": 5},
        },
    }
    assert answer["metrics"][1]["newest"]["values"] == {"value": "NaN"}


async def test_metrics_have_pages(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """By name, with the conditions of the first page."""
    filled.insert(tenant, otlp.metrics(*(otlp.metric(otlp.number(), name=f"a/{number}") for number in range(3))))
    parameters = {"limit": "2", "name": "A/", "service": "shop"}
    first = (await client.get("/api/v1/metrics", params=parameters)).json()
    second = (await client.get("/api/v1/metrics", params={**parameters, "cursor": first["next_cursor"]})).json()
    assert [metric["name"] for metric in first["metrics"] + second["metrics"]] == ["a/0", "a/1", "a/2"]


async def test_series_are_listed_with_labels_and_sources(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Page by page; the name may hold a slash."""
    points = [otlp.histogram(attributes=otlp.attributes(count)) for count in range(3)]
    filled.insert(tenant, otlp.metrics(otlp.metric(*points, name="a/b")))
    first = (await client.get("/api/v1/metrics/a/b?limit=2&service=shop")).json()
    parameters = {"limit": "2", "service": "shop", "cursor": first["next_cursor"]}
    second = (await client.get("/api/v1/metrics/a/b", params=parameters)).json()
    SeriesAnswer.model_validate(second)
    found = first["series"] + second["series"]
    assert sorted(len(series["attributes"]) for series in found) == [0, 1, 2]
    assert {series["kind"] for series in found} == {"histogram"}
    assert found[0]["newest"]["values"] == {
        "count": 6,
        "sum": 1.5,
        "min": None,
        "max": None,
        "bounds": [0.1, 1.0],
        "buckets": [1, 2, 3],
    }
    assert first["sources"].keys() == {series["source"] for series in first["series"]}


@pytest.mark.parametrize(("path", "status"), [("/other", 404), ("/other?limit=1001", 400), ("?limit=0", 400)])
async def test_what_is_not_there_or_not_asked_right_is_a_problem(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    """With a problem document."""
    answer = await client.get(f"/api/v1/metrics{path}")
    assert (answer.status_code, answer.json()["status"]) == (status, status)
