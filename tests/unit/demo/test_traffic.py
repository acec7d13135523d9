import asyncio
import itertools
from random import Random

import httpx

from demo.traffic import UNDER_WAY_MAX, UNEXPECTED_SHOWN_MAX, Tally, Visit, send, visits

TRACE_ID = "5b8efff798038103d269b633813fc60c"


def right_answer(request: httpx.Request) -> httpx.Response:
    """Answer as the shop does."""
    statuses = {"/cars/41": 404, "/cars/7": 502, "/orders/7": 502}
    status = statuses.get(request.url.path, 201 if request.method == "POST" else 200)
    return httpx.Response(status, headers={"traceresponse": f"00-{TRACE_ID}-00f067aa0ba902b7-01"})


async def sent_to(transport: httpx.AsyncBaseTransport, *, visits_min: int) -> Tally:
    """Return how visits went, stopping after so many."""
    tally, enough = Tally(), asyncio.Event()
    async with httpx.AsyncClient(base_url="http://shop", transport=transport) as client, asyncio.TaskGroup() as group:
        group.create_task(send(tally, client=client, rate=1e6, random=Random(1), enough=enough))
        while tally.sent < visits_min:  # noqa: ASYNC110 - each turn lets the sender go on
            await asyncio.sleep(0)
        enough.set()
    return tally


def test_a_short_run_has_a_visit_of_each_kind() -> None:
    """The first six are different: good ones, slow ones, ones that fail."""
    first = list(itertools.islice(visits(Random(1)), 6))
    assert len(set(first)) == 6
    assert {visit.status for visit in first} == {200, 201, 404, 502}


def test_the_mixture_is_mostly_good() -> None:
    """Some fail, so that there is something to see."""
    mixture = list(itertools.islice(visits(Random(1)), 1000))
    assert 0.02 < sum(visit.status >= 400 for visit in mixture) / 1000 < 0.15


async def test_answers_are_counted_and_their_trace_ids_kept() -> None:
    """Errors that belong to the demo are no surprise."""
    tally = await sent_to(httpx.MockTransport(right_answer), visits_min=50)
    assert tally.sent >= 50
    assert tally.failed >= 2
    assert tally.unexpected == []
    assert tally.whole_trace_id == TRACE_ID
    assert len(tally.trace_ids) == tally.sent


async def test_wrong_answers_are_told_a_few_by_name_all_by_number() -> None:
    """A shop that always fails does not fill the screen."""
    tally = await sent_to(httpx.MockTransport(lambda _: httpx.Response(500)), visits_min=20)
    assert len(tally.unexpected) == UNEXPECTED_SHOWN_MAX
    assert tally.unexpected[0] == "GET /cars/1: answered 500, not 200"
    assert tally.unexpected_count == tally.sent


async def test_a_shop_that_is_gone_is_told() -> None:
    """A connection that fails is counted like a wrong answer."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    tally = await sent_to(httpx.MockTransport(refuse), visits_min=1)
    assert tally.unexpected[0] == "GET /cars/1: ConnectError('refused')"


async def test_a_slow_shop_is_not_flooded() -> None:
    """Only so many visits are under way at once."""
    under_way, most, opened = 0, 0, asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if most == UNDER_WAY_MAX:
            opened.set()
        await opened.wait()
        under_way -= 1
        return right_answer(request)

    await sent_to(httpx.MockTransport(slow), visits_min=2 * UNDER_WAY_MAX)
    assert most == UNDER_WAY_MAX


def test_an_answer_without_a_trace_id_is_counted_all_the_same() -> None:
    """It only cannot be looked up."""
    tally = Tally()
    tally.answered(Visit("GET", "/cars", 200), httpx.Response(200))
    assert (tally.sent, list(tally.trace_ids)) == (1, [])
