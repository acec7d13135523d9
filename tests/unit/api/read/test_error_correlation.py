import httpx
import pytest

from benchmarks.incidents import Incident, make_incident
from homeostat_server.api.error_correlation import CorrelationAnswer
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.times import format_time
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

PATH = "/api/v1/error-correlation"


@pytest.fixture
def incident(filled: FilledStore, tenant: Tenant) -> Incident:
    """Return a bad version that fails, stored for this test's tenant."""
    made = make_incident("bad_version", seed=1, end_ns=NOW_NS, requests=300)
    filled.insert(tenant, *made.requests)
    return made


def during(incident: Incident) -> dict[str, str]:
    """Return the parameters that name the window of an incident."""
    return {"start": format_time(incident.during[0]), "end": format_time(incident.during[1])}


async def test_the_answer_says_what_broke_and_why(incident: Incident, client: httpx.AsyncClient) -> None:
    """Causes are ranked and have numbers, examples and a sentence; the baseline is the window before."""
    response = await client.get(PATH, params=during(incident))
    assert response.status_code == 200, response.text
    answer = CorrelationAnswer.model_validate(response.json())
    first = answer.causes[0]
    [(key, value)] = incident.truth.attributes
    assert first.attribute is not None
    assert (first.rank, first.kind, first.attribute.key, first.attribute.value) == (1, "attribute", key, value)
    assert first.summary.startswith(f"{key}={value} of {first.place.service}; ")
    assert 0 < first.q_value < 0.01
    assert first.harmed > first.expected
    assert answer.baseline_window.end == answer.window.start
    assert answer.sampled.share == 1
    assert answer.sampled.margin == 0
    assert answer.scanned.rows > 0
    examples = await client.get(f"/api/v1/traces/{first.trace_ids[0]}")
    assert examples.status_code == 200


async def test_origins_say_where_errors_begin_and_how_they_spread(
    incident: Incident, client: httpx.AsyncClient
) -> None:
    """The service where they began is the first on each path, and what failed in the end the last."""
    parameters = during(incident) | {"mode": "errors", "baseline": "good"}
    answer = CorrelationAnswer.model_validate((await client.get(PATH, params=parameters)).json())
    first = answer.origins[0]
    assert {first.place.service} == incident.truth.services
    assert first.exception
    assert first.errors > first.errors_before
    assert [path.services[0] for path in first.paths] == [first.place.service] * len(first.paths)
    assert first.paths[0].services[-1] == "gateway"
    assert first.first_seen <= first.last_seen


async def test_only_requests_through_a_service_are_asked_about(incident: Incident, client: httpx.AsyncClient) -> None:
    """A service that nobody called has no requests, no causes and no errors."""
    answer = (await client.get(PATH, params=during(incident) | {"service": "nobody"})).json()
    assert answer["requests"] == {"requests": 0, "failing": 0, "slow": 0}
    assert (answer["causes"], answer["origins"]) == ([], [])


async def test_a_threshold_says_what_is_slow(incident: Incident, client: httpx.AsyncClient) -> None:
    """Instead of what is usual; nothing takes an hour."""
    parameters = during(incident) | {"mode": "slow", "threshold": "1h"}
    answer = (await client.get(PATH, params=parameters)).json()
    assert (answer["requests"]["slow"], answer["causes"]) == (0, [])
    parameters["threshold"] = "1ms"
    answer = (await client.get(PATH, params=parameters)).json()
    assert answer["requests"]["slow"] + answer["requests"]["failing"] > 0


async def test_a_window_without_spans_has_no_causes(client: httpx.AsyncClient) -> None:
    """Nothing is worse than nothing."""
    answer = (await client.get(PATH, params={"window": "5m"})).json()
    assert (answer["requests"]["requests"], answer["causes"], answer["origins"]) == (0, [], [])


@pytest.mark.parametrize(
    "parameters",
    [
        {"mode": "loud"},
        {"threshold": "soon"},
        {"window": "1h", "start": "1767225600"},
        {"baseline": "good", "baseline_start": "1767225600"},
        {"baseline_end": "1767225600", "baseline_start": "1767225601"},
        {"limit": "51"},
        {"service": "x" * 513},
        {"unknown": "1"},
    ],
)
async def test_what_cannot_be_read_is_refused(client: httpx.AsyncClient, parameters: dict[str, str]) -> None:
    """A problem says which parameter, and nothing is asked."""
    response = await client.get(PATH, params=parameters)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
