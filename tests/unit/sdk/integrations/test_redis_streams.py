"""redis-py against a real Redis."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.trace import SpanKind

from homeostat.integrations import redis_streams as integration
from tests.brokers import redis_url as redis_url  # noqa: PLC0414 - a fixture is asked for by its name here
from tests.messages import Observed, check_one_trace, check_values, in_request, observing, see

pytestmark = pytest.mark.xdist_group("redis")


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install the integration."""
    with observing(integration) as found:
        yield found


@pytest.fixture(params=[(2, False), (3, False), (3, True)], ids=["resp2", "resp3", "text"])
def client(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a client of each protocol, with answers in bytes and in text."""
    protocol, text = request.param
    connected = redis.Redis.from_url(redis_url, protocol=protocol, decode_responses=text)
    connected.flushall()
    yield connected
    connected.close()


@pytest.fixture
async def asynchronous(redis_url: str) -> AsyncIterator[Any]:
    """Give an asynchronous client."""
    connected = redis.asyncio.Redis.from_url(redis_url)
    await connected.flushall()
    yield connected
    await connected.aclose()


def entries_of(answer: Any) -> list[Any]:  # noqa: ANN401 - as the protocol gives it
    """Return the entries of the one stream in an answer."""
    if isinstance(answer, dict):
        [found] = answer.values()
        return list(found[0]) if found and isinstance(found[0], list) else list(found)
    [[_, found]] = answer
    return list(found)


def test_an_entry_is_handled_where_the_program_says(observed: Observed, client: Any) -> None:  # noqa: ANN401 - untyped
    """With all that travels; the program sees its own fields only, the server has the others under their prefix."""
    with in_request(observed):
        entry_id = client.xadd("orders", {"payload": "1", "homeostat:traceparent": "stale"}, maxlen=100)
    [entry] = entries_of(client.xread({"orders": "0"}))
    with observed.messaging.processing(integration.received(entry)):
        seen = see()
    check_one_trace(observed, seen, system="redis", destination="orders")
    text = entry_id if isinstance(entry_id, str) else entry_id.decode()
    assert seen.values.message_id == text
    assert {str(key).strip("b'") for key in entry[1]} == {"payload"}
    observed_raw = client.execute_command("XRANGE", "orders", "-", "+")
    assert "homeostat:x-correlation-id" in str(observed_raw)
    assert "stale" not in str(observed_raw)


def test_every_way_of_reading_gives_the_same(observed: Observed, client: Any) -> None:  # noqa: ANN401 - untyped
    """By a group, by range, and by claiming what another consumer has left."""
    with in_request(observed):
        client.xadd("jobs", {"n": "1"})
    client.xgroup_create("jobs", "workers", id="0")
    [read] = entries_of(client.xreadgroup("workers", "a", {"jobs": ">"}))
    [ranged] = client.xrange("jobs")
    [reversed_] = client.xrevrange("jobs")
    [claimed] = client.xclaim("jobs", "workers", "b", 0, [read[0]])
    auto = client.xautoclaim("jobs", "workers", "c", 0)[1]
    for entry in (read, ranged, reversed_, claimed, *auto):
        with observed.messaging.processing(integration.received(entry, group="workers")):
            check_values(see())
        assert len(entry[1]) == 1
    assert {span.name for span in observed.spans(SpanKind.CONSUMER)} == {"process jobs"}
    assert entries_of(client.xreadgroup("workers", "a", {"jobs": "0"})) == []
    assert client.xclaim("jobs", "workers", "b", 0, [read[0]], justid=True) == [read[0]]


def test_a_pipeline_carries_what_is_current_when_it_is_filled(observed: Observed, client: Any) -> None:  # noqa: ANN401 - untyped
    """Its answers come later and are the program's; they can be handled as they are."""
    pipeline = client.pipeline()
    with in_request(observed):
        pipeline.xadd("piped", {"n": "1"})
    pipeline.xrange("piped")
    _, [entry] = pipeline.execute()
    with observed.messaging.processing(integration.received(entry, stream="piped")):
        seen = see()
    check_one_trace(observed, seen, system="redis", destination="piped")


async def test_the_asynchronous_client_carries_the_same(observed: Observed, asynchronous: Any) -> None:  # noqa: ANN401 - untyped
    """The span lasts until the server has answered."""
    with in_request(observed):
        await asynchronous.xadd("later", {"n": "1"})
    [entry] = entries_of(await asynchronous.xread({b"later": 0}))
    with observed.messaging.processing(integration.received(entry)):
        seen = see()
    check_one_trace(observed, seen, system="redis", destination="later")
    assert entry[1] == {b"n": b"1"}
    pipeline = asynchronous.pipeline()
    pipeline.xadd("later", {"n": "2"}).xrange("later")
    _, found = await pipeline.execute()
    assert len(found) == 2


def test_an_entry_without_fields_is_refused_as_ever(observed: Observed, client: Any) -> None:  # noqa: ANN401 - untyped
    """Ours would make one of it."""
    with pytest.raises(redis.DataError):
        client.xadd("orders", {})
    assert observed.spans() == []


async def test_one_call_is_one_span(redis_url: str) -> None:
    """Also where contrib's package makes spans of all commands."""
    contrib = RedisInstrumentor()
    with observing(integration) as observed:
        contrib.instrument(tracer_provider=observed.provider)
        try:
            with redis.Redis.from_url(redis_url) as client:
                client.xadd("once", {"n": "1"})
                client.xlen("once")
            async with redis.asyncio.Redis.from_url(redis_url) as asynchronous:
                await asynchronous.xadd("once", {"n": "1"})
        finally:
            contrib.uninstrument()
    assert [span.name for span in observed.spans()] == ["xadd once", "XLEN", "xadd once"]


def test_the_library_is_as_before_afterwards(client: Any) -> None:  # noqa: ANN401 - untyped
    """An entry without our fields is handled as the first of its kind."""
    client.xadd("plain", {"n": "1"})
    [entry] = client.xrange("plain")
    assert type(entry[1]) is dict
    with observing(integration) as observed:
        with observed.messaging.processing(integration.received(entry)):
            seen = see()
        assert seen.values.correlation_id == seen.values.message_id
        assert observed.spans()[0].name == "process stream"
