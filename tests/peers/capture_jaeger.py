"""Capture what a real Jaeger answers: `HOMEOSTAT_TEST_JAEGER=path python -m tests.peers.capture_jaeger`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.jaeger import Jaeger, running_jaeger
from tests.peers.jaeger_questions import QUESTIONS, normal
from tests.peers.questions import Answered, Question, answered, write_captures
from tests.peers.traces import requests
from tests.waiting import until


def main() -> None:
    """Send the traces, ask everything, write the answers down."""
    with TemporaryDirectory() as folder, running_jaeger(Path(folder)) as jaeger:
        for request in requests():
            _send(jaeger, request.SerializeToString())
        until(lambda: len(_ask(jaeger, QUESTIONS[0]).body["data"]) == 4, what="all services in Jaeger")
        answers = {question.name: _ask(jaeger, question) for question in QUESTIONS}
    write_captures("jaeger.json", origin="captured from Jaeger 2, module version v1.76.0", answers=answers)


def _send(jaeger: Jaeger, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    httpx.post(f"{jaeger.otlp}/v1/traces", content=body, headers=headers, trust_env=False).raise_for_status()


def _ask(jaeger: Jaeger, question: Question) -> Answered:
    url = f"{jaeger.query}{question.path}"
    answer = httpx.request(question.method, url, headers=dict(question.headers), trust_env=False)
    content_type = answer.headers.get("content-type", "")
    return answered(answer.status_code, content_type=content_type, content=answer.content, normal=normal)


if __name__ == "__main__":
    main()
