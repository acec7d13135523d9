import httpx

from demo.questions import PAGES_MAX, Asking, parse_samples


async def test_pages_end_where_the_list_ends() -> None:
    """Each page is asked for with the cursor of the one before."""
    pages = {None: ([{"n": 1}], "a"), "a": ([{"n": 2}], "b"), "b": ([{"n": 3}], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        items, following = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"things": items, "next_cursor": following})

    async with Asking("http://platform", transport=httpx.MockTransport(answer)) as asking:
        answers = [page async for page in asking.pages("/things", limit="1")]
    assert {answer.path for answer in answers} == {"/things?limit=1"}
    assert [answer.items("things") for answer in answers] == [[{"n": 1}], [{"n": 2}], [{"n": 3}]]


async def test_a_list_that_never_ends_is_left() -> None:
    """There is a bound on what is asked."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"things": [], "next_cursor": "again"})

    async with Asking("http://platform", transport=httpx.MockTransport(answer)) as asking:
        assert len([page async for page in asking.pages("/things")]) == PAGES_MAX


def test_samples_are_added_up_by_label() -> None:
    """Labels that are not asked for do not matter."""
    lines = [
        "# TYPE a_total counter",
        'a_total{signal="x",way="1"} 1',
        'a_total{signal="x",way="2"} 2',
        'a_total{signal="y",way="1"} 4',
    ]
    samples = parse_samples("\n".join([*lines, ""]))
    assert samples.total("a_total", signal="x") == 3
    assert samples.by_label("a_total", "way") == {"1": 5, "2": 2}
