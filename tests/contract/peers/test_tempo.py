"""Tempo's API answers as its documentation and its sources say; what is expected is in `tests/peers/captures`."""

from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.peers.questions import Question, answered, read_captures
from tests.peers.tempo_questions import QUESTIONS, normal
from tests.peers.traces import CHECKOUT, UNKNOWN

EXPECTED: Final = read_captures("tempo.json")["answers"]
DIFFERENT: Final = {
    "values of span.http.response.status_code": "old and new names of an attribute are one: http.status_code is there",
}
"""What is answered otherwise on purpose, with the reason."""

PROTOBUF: Final = {"Accept": "application/protobuf"}


async def ask(client: httpx.AsyncClient, question: Question) -> dict[str, Any]:
    """Return what is answered, made comparable."""
    answer = await client.request(question.method, f"/tempo{question.path}", headers=dict(question.headers))
    content_type = answer.headers.get("content-type", "")
    return answered(answer.status_code, content_type=content_type, content=answer.content, normal=normal).document()


@pytest.mark.parametrize("question", [one for one in QUESTIONS if one.name not in DIFFERENT], ids=lambda one: one.name)
async def test_a_question_is_answered_as_tempo_answers_it(client: httpx.AsyncClient, question: Question) -> None:
    """Status, content type and document; where a query is wrong, the message goes on in our own words."""
    expected, said = EXPECTED[question.name], await ask(client, question)
    if str(expected["body"]).startswith("invalid TraceQL"):
        assert said["body"].startswith(expected["body"])
        said["body"] = expected["body"]
    assert said == expected


async def test_a_trace_comes_as_protobuf_where_that_is_asked_for(client: httpx.AsyncClient) -> None:
    """Version 1 is the bare trace, version 2 has it as its first member."""
    first = await client.get(f"/tempo/api/traces/{CHECKOUT}", headers=PROTOBUF)
    second = await client.get(f"/tempo/api/v2/traces/{CHECKOUT}", headers=PROTOBUF)
    assert first.headers["content-type"] == second.headers["content-type"] == "application/protobuf"
    data = TracesData.FromString(first.content)
    assert sum(len(scoped.spans) for block in data.resource_spans for scoped in block.scope_spans) == 6
    # A message as the only member of another: a tag, the length, the bytes.
    assert second.content[:1] == b"\x0a"
    assert second.content.endswith(first.content)


async def test_a_trace_that_is_not_there_has_no_spans_as_protobuf(client: httpx.AsyncClient) -> None:
    """Version 1 is a 404; version 2 has an empty trace, which Grafana shows as not found."""
    assert (await client.get(f"/tempo/api/traces/{UNKNOWN}", headers=PROTOBUF)).status_code == 404
    second = await client.get(f"/tempo/api/v2/traces/{UNKNOWN}", headers=PROTOBUF)
    assert (second.status_code, second.content) == (200, b"\x0a\x00")


async def test_the_build_says_which_api_this_is(client: httpx.AsyncClient) -> None:
    """Grafana compares the version with those that its features need."""
    build = (await client.get("/tempo/api/status/buildinfo")).json()
    assert set(build) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert build["version"].split(".")[0] == "2"


async def test_values_are_those_of_all_names_of_a_tag(client: httpx.AsyncClient) -> None:
    """One trace says `http.status_code`, as text; what Tempo gives is among them."""
    [question] = [one for one in QUESTIONS if one.name in DIFFERENT]
    said = (await ask(client, question))["body"]["tagValues"]
    expected = EXPECTED[question.name]["body"]["tagValues"]
    assert [value for value in said if value not in expected] == [{"type": "string", "value": "200"}]
    assert all(value in said for value in expected)
