from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import PostgresqlServer, postgresql
from tests.receiver import Received, Receiver, receiving
from tests.started import run_program

__all__ = ["postgresql"]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def postgres_dsn(postgresql: PostgresqlServer) -> str:
    """Give the address of a database that nobody else uses."""
    return postgresql.make_database("statements")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a receiver of spans."""
    with receiving() as found:
        yield found


def clients(receiver: Receiver, folder: Path, program: str, **variables: str) -> list[Received]:
    """Run a program that ends with a span `done`, and return its other spans."""
    head = "import homeostat\nhomeostat.configure('x')\n"
    tail = "\nwith homeostat.span('done'):\n    pass\n"
    told = {"HOMEOSTAT_ENDPOINT": receiver.url, **variables}
    ended = run_program(head + program + tail, folder=folder, variables=told)
    assert ended.code == 0, ended.errors
    receiver.wait_for(1, name="done", timeout_s=10)
    return [span for span in receiver.spans() if span.name != "done"]


AIOHTTP = """
import aiohttp, asyncio
async def get():
    async with aiohttp.ClientSession() as session, session.get(URL) as answer:
        await answer.read()
asyncio.run(get())
"""
HTTP = {
    "requests over urllib3": ("import requests\nrequests.get(URL)", "requests"),
    "urllib3": ("import urllib3\nurllib3.request('GET', URL)", "urllib3"),
    "httpx": ("import httpx\nhttpx.get(URL)", "httpx"),
    "aiohttp": (AIOHTTP, "aiohttp_client"),
}


@pytest.mark.parametrize("name", HTTP)
def test_a_call_over_http_is_one_span(name: str, receiver: Receiver, tmp_path: Path) -> None:
    """Whatever lies below the library that the program uses, and by the stable names."""
    program, scope = HTTP[name]
    (span,) = clients(receiver, tmp_path, f"URL = {receiver.url!r}\n{program}")
    assert span.scope == f"opentelemetry.instrumentation.{scope}"
    assert span.attributes["http.request.method"] == "GET"
    assert "http.method" not in span.attributes


STATEMENTS = {
    "psycopg": "engine = sa.create_engine(DSN.replace('postgresql', 'postgresql+psycopg'))",
    "sqlite": "engine = sa.create_engine('sqlite://')",
}


@pytest.mark.parametrize("driver", STATEMENTS)
def test_a_statement_of_sqlalchemy_is_one_span(
    driver: str, receiver: Receiver, tmp_path: Path, postgres_dsn: str
) -> None:
    """The driver below, which has its own instrumentation, is silent; an error is one, too."""
    program = f"""
import sqlalchemy as sa
DSN = {postgres_dsn!r}
{STATEMENTS[driver]}
with homeostat.span("around"), engine.connect() as connection:
    connection.execute(sa.text("CREATE TEMPORARY TABLE orders (id INTEGER, name TEXT)"))
    connection.execute(sa.text("INSERT INTO orders VALUES (:id, :name)"), [dict(id=1, name="a"), dict(id=2, name="b")])
    connection.execute(sa.text("SELECT * FROM orders WHERE name = 'secret'")).all()
    try:
        connection.execute(sa.text("SELECT * FROM nowhere"))
    except sa.exc.SQLAlchemyError:
        pass
"""
    spans = [span for span in clients(receiver, tmp_path, program) if "orders" in span.name or "nowhere" in span.name]
    assert [span.attributes["db.operation.name"] for span in spans] == ["CREATE", "INSERT", "SELECT", "SELECT"]
    assert [span.span.status.code for span in spans] == [0, 0, 0, 2]
    assert {span.scope for span in spans} == {"homeostat"}
    assert spans[1].attributes["db.operation.batch.size"] == 2
    assert spans[2].attributes["db.query.text"] == "SELECT * FROM orders WHERE name = ?"
    assert spans[2].attributes["db.system.name"] == ("sqlite" if driver == "sqlite" else "postgresql")
    scopes = {span.scope for span in receiver.spans() if "orders" in str(span.attributes.get("db.query.text", ""))}
    assert scopes == {"homeostat"}


def test_what_a_program_sends_through_the_driver_keeps_its_span(
    receiver: Receiver, tmp_path: Path, postgres_dsn: str
) -> None:
    """Also where SQLAlchemy is there, too."""
    program = f"""
import psycopg, sqlalchemy
with psycopg.connect({postgres_dsn!r}) as connection:
    connection.execute("SELECT 1")
"""
    spans = clients(receiver, tmp_path, program)
    assert [span.scope for span in spans if span.name.startswith("SELECT")] == ["opentelemetry.instrumentation.psycopg"]


def test_a_request_is_one_span_beside_contribs_own_instrumentation(receiver: Receiver, tmp_path: Path) -> None:
    """Before or after `configure`, one of the two makes it."""
    program = """
import asyncio, httpx
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
async def get(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        await client.get("/")
before, after = FastAPI(), FastAPI()
FastAPIInstrumentor.instrument_app(before)
homeostat.configure(app=before)
homeostat.configure(app=after)
FastAPIInstrumentor.instrument_app(after)
for app in (before, after):
    asyncio.run(get(app))
"""
    spans = clients(receiver, tmp_path, program, HOMEOSTAT_INSTRUMENT_NOT="httpx")
    servers = [span.scope for span in spans if span.span.kind == span.span.SPAN_KIND_SERVER]
    assert servers == ["opentelemetry.instrumentation.fastapi", "homeostat.asgi"]


def test_a_request_to_an_application_in_another_is_one_span(receiver: Receiver, tmp_path: Path) -> None:
    """Where both are hooked, the outer one makes it."""
    program = """
import asyncio, httpx
from fastapi import FastAPI
outer, inner = FastAPI(), FastAPI()
@inner.get("/orders/{number}")
async def order(number: int):
    return number
outer.mount("/shop", inner)
homeostat.configure(app=inner)
homeostat.configure(app=outer)
async def get():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://t") as client:
        assert (await client.get("/shop/orders/3")).json() == 3
asyncio.run(get())
"""
    spans = clients(receiver, tmp_path, program, HOMEOSTAT_INSTRUMENT_NOT="httpx")
    assert [span.name for span in spans] == ["GET /shop/orders/{number}"]
