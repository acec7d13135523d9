import httpx
import pytest

from homeostat_server.api.history import PercentileAnswer
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.history.percentile import wilson
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

MS = 10**6
PATH = f"/api/v1/traces/{bytes(range(16)).hex()}/spans"


def fill(filled: FilledStore, tenant: Tenant, count: int) -> None:
    """Store spans of one kind that take 1, 2, 3 … ms, one a second, and one of another kind."""
    spans = [
        otlp.span(
            span_id=number.to_bytes(8, "big"),
            start_time_unix_nano=NOW_NS - (count - number) * 10**9,
            end_time_unix_nano=NOW_NS - (count - number) * 10**9 + number * MS,
        )
        for number in range(1, count + 1)
    ]
    filled.insert(tenant, otlp.traces(*spans, otlp.span(name="other", span_id=bytes([9] * 8))))


async def test_a_span_has_a_place_among_its_own_kind(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """The rank is exact, percentiles are within 0.5 %, the interval says how sure it is."""
    fill(filled, tenant, 200)
    response = await client.get(f"{PATH}/{(200).to_bytes(8, 'big').hex()}/percentile")
    answer = PercentileAnswer.model_validate(response.json())
    assert (answer.place.service, answer.place.operation, answer.place.kind) == ("shop", "GET /", "server")
    assert (answer.spans, answer.is_enough, answer.percentile) == (200, True, 99.75)
    assert answer.low < answer.percentile < answer.high <= 100
    assert (answer.min_ms, answer.max_ms, answer.duration_ms) == (1, 200, 200)
    assert answer.p50_ms == pytest.approx(100, rel=0.006)
    assert answer.p95_ms == pytest.approx(190, rel=0.006)
    assert answer.p99_ms == pytest.approx(198, rel=0.006)
    assert answer.error_rate == 0


async def test_only_what_came_before_counts(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """A span is compared with its past, as far back as is asked for; few are said to be few."""
    fill(filled, tenant, 200)
    response = await client.get(f"{PATH}/{(50).to_bytes(8, 'big').hex()}/percentile", params={"lookback": "9s"})
    answer = PercentileAnswer.model_validate(response.json())
    assert (answer.spans, answer.is_enough, answer.percentile) == (10, False, 95)
    assert answer.high - answer.low > 25


async def test_a_span_that_is_not_there_is_not_found(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Neither is one of a trace that is not there."""
    response = await client.get(f"{PATH}/{'12' * 8}/percentile")
    assert response.status_code == 404
    fill(filled, tenant, 1)
    response = await client.get(f"{PATH}/{'12' * 8}/percentile")
    assert (response.status_code, response.json()["attempted"]) == (404, "find the span")


@pytest.mark.parametrize(
    ("span_id", "parameters"),
    [("12", {}), ("12" * 8, {"lookback": "8d"}), ("12" * 8, {"lookback": "0s"}), ("12" * 8, {"back": "1h"})],
)
async def test_what_cannot_be_read_is_refused(
    client: httpx.AsyncClient, span_id: str, parameters: dict[str, str]
) -> None:
    """A problem says why."""
    response = await client.get(f"{PATH}/{span_id}/percentile", params=parameters)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_an_interval_is_wilsons() -> None:
    """A point that is in textbooks, and the ends: of few, nothing is certain."""
    low, high = wilson(0.5, 10)
    assert low == pytest.approx(0.2366, abs=1e-4)
    assert high == pytest.approx(0.7634, abs=1e-4)
    assert wilson(0.0, 10)[0] == 0
    assert wilson(0.0, 10)[1] == pytest.approx(0.2775, abs=1e-4)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
