"""The same traces give the same answers as in the real Jaeger whose answers are kept in `tests/peers/captures`."""

import json
from typing import Any, Final

import httpx
import pytest

from tests.peers.jaeger_questions import QUESTIONS, normal
from tests.peers.questions import Question, answered, read_captures
from tests.peers.traces import CHECKOUT

CAPTURES: Final = read_captures("jaeger.json")["answers"]

SAID_OTHERWISE: Final = {
    "search: tags that are no JSON": "Go's JSON parser and ours have their own words",
    "search: tags that are no texts": "as above",
    "v3 search: limit that is none": "as above",
}
"""Failures with the same status and shape, but another text."""

DIFFERENT: Final = {
    "no route": "Jaeger serves its UI for whatever it does not know",
    "not with this method": "as above",
    "archive": "501 instead of 500: an archive is not supported, rather than broken",
    "archive of an unknown trace": "as above",
    "dependencies": "Jaeger's memory store counts a service's calls of itself, its other stores do not",
    "search: tags of an error": "Jaeger's memory store does not find the tags that it derives, its other stores do",
    "search: tags of a kind": "as above",
}
"""What is answered otherwise on purpose, with the reason; the tests below say how."""


def comparable(body: Any) -> Any:  # noqa: ANN401 - any document
    """Return an answer without what only one of them says.

    Jaeger's store forgets schema URLs; and it says warnings in the third version as attributes, also where none are
    wanted, while the platform gives spans as they were sent.
    """
    if isinstance(body, list):
        return [comparable(item) for item in body if not is_warning(item)]
    if isinstance(body, dict):
        return {key: comparable(value) for key, value in body.items() if key != "schemaUrl"}
    return body


def is_warning(item: Any) -> bool:  # noqa: ANN401 - any document
    """Say whether an attribute is a warning of Jaeger's."""
    return isinstance(item, dict) and item.get("key") == "@jaeger@warnings"


async def ask(client: httpx.AsyncClient, question: Question) -> dict[str, Any]:
    """Return what is answered, made comparable."""
    answer = await client.request(question.method, f"/jaeger{question.path}", headers=dict(question.headers))
    document = answered(
        answer.status_code,
        content_type=answer.headers["content-type"],
        content=answer.content,
        normal=lambda body: normal(comparable(body)),
    )
    return document.document()


@pytest.mark.parametrize("question", [one for one in QUESTIONS if one.name not in DIFFERENT], ids=lambda one: one.name)
async def test_a_question_is_answered_as_jaeger_answers_it(client: httpx.AsyncClient, question: Question) -> None:
    """Status, content type and document are the same, but for orders that Jaeger does not define."""
    expected, said = comparable(CAPTURES[question.name]), await ask(client, question)
    if question.name in SAID_OTHERWISE:
        expected, said = without_messages(expected), without_messages(said)
    assert said == expected


def without_messages(document: Any) -> Any:  # noqa: ANN401 - any document
    """Return a failure without its text."""
    if isinstance(document, list):
        return [without_messages(item) for item in document]
    if isinstance(document, dict):
        return {key: without_messages(value) for key, value in document.items() if key not in ("msg", "message")}
    return document


async def test_dependencies_are_those_between_services(client: httpx.AsyncClient) -> None:
    """All that Jaeger says but the calls of a service of itself."""
    [question] = [one for one in QUESTIONS if one.name == "dependencies"]
    said = (await ask(client, question))["body"]["data"]
    assert said == [link for link in CAPTURES["dependencies"]["body"]["data"] if link["parent"] != link["child"]]


@pytest.mark.parametrize("name", ["search: tags of an error", "search: tags of a kind"])
async def test_a_search_finds_the_tags_that_jaeger_derives(client: httpx.AsyncClient, name: str) -> None:
    """They are shown, so they can be searched for."""
    [question] = [one for one in QUESTIONS if one.name == name]
    assert CAPTURES[name]["body"]["data"] == []
    assert len((await ask(client, question))["body"]["data"]) == 1


@pytest.mark.parametrize("name", ["archive", "archive of an unknown trace"])
async def test_an_archive_is_not_supported(client: httpx.AsyncClient, name: str) -> None:
    """The message is Jaeger's, the status says that trying again is of no use."""
    [question] = [one for one in QUESTIONS if one.name == name]
    said, captured = await ask(client, question), CAPTURES[name]
    assert said["status"] == 501
    assert said["body"]["errors"][0]["msg"] == captured["body"]["errors"][0]["msg"]


async def test_a_file_of_otlp_is_written_as_jaegers_json(client: httpx.AsyncClient) -> None:
    """As the UI shows a file that is dropped on it: the same as of a trace that is stored, but for warnings."""
    document = (await client.get(f"/jaeger/api/v3/traces/{CHECKOUT}")).json()["result"]
    transformed = (await client.post("/jaeger/api/transform", content=json.dumps(document))).json()
    stored = (await client.get(f"/jaeger/api/traces/{CHECKOUT}?raw=true")).json()
    assert normal(transformed) == normal(stored)
    assert (await client.post("/jaeger/api/transform", content=b"{")).status_code == 400
    assert (await client.post("/jaeger/api/transform", content=b" " * (4 * 1024 * 1024 + 1))).status_code == 413
