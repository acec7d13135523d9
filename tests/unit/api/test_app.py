from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from homeostat_server.api.app import create_app
from homeostat_server.api.border import Border
from homeostat_server.api.ingest import ingest_router
from homeostat_server.api.reception import Reception
from homeostat_server.exceptions import Forbidden, QueryLimit, StoreUnavailable
from homeostat_server.security.keys import KeyRing
from homeostat_server.security.tokens import Headers

router = APIRouter()
TRACEPARENT = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


@router.get("/api/v1/limit")
async def limit() -> None:
    """Fail as a query does that costs too much."""
    raise QueryLimit("read spans", value="30 d", hint="Ask for less.")


@router.get("/api/v1/later")
async def later() -> None:
    """Fail as the store does when it is away."""
    raise StoreUnavailable("read spans", retry_after_s=3)


@router.get("/api/v1/defect")
async def defect() -> None:
    """Fail as nobody foresaw."""
    raise RuntimeError("secret")


@router.get("/api/v1/broken")
async def broken() -> Response:
    """Fail after half of the answer."""

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise QueryLimit("read the rest")

    return StreamingResponse(half())


@router.get("/api/v1/items")
async def items(limit: Annotated[int, Query(ge=1, le=10)], start: int = 0) -> dict[str, int]:
    """Answer with what was asked."""
    return {"limit": limit, "start": start}


def refuse_strangers(headers: Headers) -> None:
    """Refuse a request that says it is a stranger's."""
    if (b"x-stranger", b"1") in tuple(headers):
        raise Forbidden("serve a stranger")


@pytest.fixture
async def client(reception: Reception) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application with routes that fail in every way."""
    app = create_app(version="1.2.3", guard=refuse_strangers, ingest=ingest_router(reception), routers=[router])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/limit", 422, "query_limit"),
        ("GET", "/api/v1/later", 503, "store_unavailable"),
        ("GET", "/api/v1/defect", 500, "internal"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/traces", 405, "method_not_allowed"),
        ("POST", "/v1/traces/", 404, "not_found"),
        ("OPTIONS", "/v1/traces", 405, "method_not_allowed"),
        ("GET", "/api/v1/items?limit=11&start=x", 400, "invalid_request"),
    ],
)
async def test_every_failure_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, *, status: int, code: str
) -> None:
    """Ours, the framework's and nobody's errors are told in one format, with the caller's trace id."""
    response = await client.request(method, path, headers=TRACEPARENT)
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["trace_id"] == "ab" * 16
    assert "secret" not in response.text


async def test_what_is_known_about_a_retry_or_a_method_is_a_header(client: httpx.AsyncClient) -> None:
    """`Retry-After` and `Allow` go with the problem."""
    assert (await client.get("/api/v1/later")).headers["retry-after"] == "3"
    assert (await client.get("/v1/traces")).headers["allow"] == "POST"


async def test_wrong_parameters_are_listed(client: httpx.AsyncClient) -> None:
    """Each wrong parameter is named, without repeating what was sent at length."""
    document = (await client.get(f"/api/v1/items?limit={'9' * 1000}&start=x")).json()
    assert [entry["where"] for entry in document["errors"]] == ["query.limit", "query.start"]
    assert len(document["value"]) <= 200


async def test_an_unforeseen_error_is_logged_under_its_trace_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told the id under which the log has the rest."""
    await client.get("/api/v1/defect", headers=TRACEPARENT)
    assert "ab" * 16 in caplog.text
    assert "RuntimeError: secret" in caplog.text


async def test_half_an_answer_is_not_made_to_look_whole(client: httpx.AsyncClient) -> None:
    """What fails after the answer has begun breaks the connection off."""
    with pytest.raises(ConnectionAbortedError):
        await client.get("/api/v1/broken")


async def test_strangers_are_refused_everywhere_but_at_the_receivers(client: httpx.AsyncClient) -> None:
    """The guard stands before every page; the receivers authenticate, and answer, by themselves."""
    stranger = {"X-Stranger": "1", "Content-Type": "application/x-protobuf"}
    for path in ("/api/v1/items?limit=1", "/openapi.json", "/docs", "/nowhere"):
        assert (await client.get(path, headers=stranger)).status_code == 403
    assert (await client.post("/v1/traces", headers=stranger)).status_code == 200


async def test_an_open_server_serves_no_page_of_another_site(reception: Reception, keys: KeyRing) -> None:
    """A foreign Host or Origin is refused while no key is needed, in the format of the route."""
    app = create_app(
        version="1",
        guard=reception.authenticator.refuse_foreign_page,
        ingest=ingest_router(reception),
        routers=[router],
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example") as foreign:
        page = await foreign.get("/openapi.json")
        export = await foreign.post("/v1/traces", headers={"Content-Type": "application/json"}, content=b"{}")
    assert not keys.has_keys()
    assert (page.status_code, page.json()["code"]) == (403, "forbidden")
    assert (export.status_code, export.json()["code"]) == (403, 7)


async def test_no_other_origin_is_let_in(client: httpx.AsyncClient) -> None:
    """There are no CORS headers, whatever a browser asks."""
    preflight = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    for response in (
        await client.options("/v1/traces", headers=preflight),
        await client.get("/docs", headers=preflight),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_routes_are_documented(client: httpx.AsyncClient) -> None:
    """OpenAPI has the receivers with both formats, and problems, not FastAPI's own errors, everywhere else."""
    document = (await client.get("/openapi.json")).json()
    export = document["paths"]["/v1/traces"]["post"]
    assert set(export["requestBody"]["content"]) == {"application/x-protobuf", "application/json"}
    assert {"200", "400", "401", "403", "413", "415", "429", "503"} <= set(export["responses"])
    answers = document["paths"]["/api/v1/items"]["get"]["responses"]
    assert set(answers) == {"200", "default"}
    assert set(answers["default"]["content"]) == {"application/problem+json"}
    assert document["info"]["version"] == "1.2.3"


async def test_what_is_not_http_passes_the_border() -> None:
    """Lifespan messages are none of the border's business."""
    seen: list[str] = []

    async def app(scope: dict[str, str], _receive: object, _send: object) -> None:
        seen.append(scope["type"])

    async def nothing(*_arguments: object) -> Any:  # noqa: ANN401 - receive or send
        raise AssertionError("not called")

    border = Border(app, guard=refuse_strangers)  # type: ignore[arg-type] # an application of these tests
    await border({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


async def test_other_http_errors_keep_their_words(reception: Reception) -> None:
    """A status that is in no table is told with the words it was raised with."""
    teapots = APIRouter()

    @teapots.get("/teapot")
    async def teapot(_request: Request) -> None:
        raise HTTPException(418, "short and stout")

    app = create_app(version="1", guard=refuse_strangers, ingest=ingest_router(reception), routers=[teapots])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        document = (await client.get("/teapot")).json()
    assert (document["status"], document["code"], document["hint"]) == (418, "invalid_request", "short and stout")
