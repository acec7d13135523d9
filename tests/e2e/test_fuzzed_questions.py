import json
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Final

import pytest

from benchmarks.processes import Watch
from benchmarks.realistic import traces
from tests.e2e.hostile_questions import HostileQuestions, Known, Question, routes
from tests.figures import Figures
from tests.running import Answer, Launch, Platform, ask, launched

pytestmark = pytest.mark.e2e

SEED: Final = os.environ.get("HOMEOSTAT_TEST_SEED", "1")
PROVE_QUESTIONS: Final = int(os.environ.get("HOMEOSTAT_TEST_QUESTIONS", "20000"))

LANES: Final = 4
TIMEOUT_S: Final = 10
"""The limit of one query in the store; an answer asks several and writes what they gave."""

ANSWER_S: Final = 3 * TIMEOUT_S
RESIDENT_BYTES_MAX: Final = 1_500_000_000
"""Of the process: the engine's memory is bounded by itself, and each answer by the limits of its result."""

PROBE_EVERY: Final = 25
STATUSES: Final = frozenset({200, 400, 404, 405, 406, 413, 414, 422, 429, 431, 501})
"""What a caller may be told who asks nonsense, or for what is not supported; 503 would say that it cannot keep up."""

_PROBLEM: Final = "application/problem+json"
_START_BYTES: Final = 400
_NS: Final = 10**9


@dataclass(slots=True)
class Outcomes:
    """Gather what one lane saw."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    probes: int = 0


class Lane:
    """Ask over one connection that is kept while the server keeps it."""

    def __init__(self, platform: Platform, *, stored: dict[str, int]) -> None:
        """Connect; `stored` says how many spans each trace has."""
        self._connection = HTTPConnection("127.0.0.1", platform.http_port, timeout=120)
        self._stored = list(stored.items())
        self.outcomes = Outcomes()

    def run(self, questions: HostileQuestions, count: int) -> None:
        """Ask so many hostile questions, and a good one now and then."""
        for number in range(count):
            question = questions.next()
            began_s = time.monotonic()
            answer = self._ask(question)
            seconds = time.monotonic() - began_s
            self._note(question, answer, seconds)
            if number % PROBE_EVERY == 0:
                self._probe(number)
        self._connection.close()

    def _ask(self, question: Question) -> Answer:
        try:
            return ask(self._connection, "GET", question.target, headers=question.headers)
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # It hangs up on what is no HTTP, after it said so; the connection may have been that one.
            self._connection.close()
            return ask(self._connection, "GET", question.target, headers=question.headers)

    def _note(self, question: Question, answer: Answer, seconds: float) -> None:
        outcomes = self.outcomes
        outcomes.answers[question.made, answer.status] += 1
        outcomes.slowest = sorted([*outcomes.slowest, (seconds, question.target)], reverse=True)[:5]
        wrong = "" if answer.status in STATUSES else f"status {answer.status}"
        wrong = wrong or ("" if seconds <= ANSWER_S else f"{seconds:.1f} s")
        wrong = wrong or _malformed(answer)
        if wrong:
            outcomes.wrong.append(f"{wrong}: {question.target} {answer.body[:_START_BYTES]!r}")

    def _probe(self, number: int) -> None:
        trace_id, spans = self._stored[number * 31 % len(self._stored)]
        answer = ask(self._connection, "GET", f"/api/v1/traces/{trace_id}")
        found = _spans_of(answer)
        if found != spans:
            self.outcomes.wrong.append(f"trace {trace_id} has {spans} spans, {found} were given: {answer.body[:300]!r}")
        self.outcomes.probes += 1


def _spans_of(answer: Answer) -> int:
    blocks = answer.json().get("resourceSpans", []) if answer.status == HTTPStatus.OK else []
    return sum(len(scope["spans"]) for block in blocks for scope in block["scopeSpans"])


def _malformed(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "")
    if "json" not in kind:
        return ""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return "no JSON"
    internal = kind == _PROBLEM and document.get("code") == "internal"
    return "an internal error" if internal else ""


def send(platform: Platform, *, spans: int) -> tuple[Known, dict[str, int]]:
    """Send an hour of realistic spans; return what they have, and how many spans each trace has."""
    known, connection = Known(), HTTPConnection("127.0.0.1", platform.http_port, timeout=60)
    headers = {"Content-Type": "application/x-protobuf"}
    start_ns = time.time_ns() - 3600 * _NS
    for body in traces(spans, start_ns=start_ns, spans_per_round=min(spans, 20_000)):
        assert ask(connection, "POST", "/v1/traces", body=body.data, headers=headers).status == 200
        known.learn(body.data)
    connection.close()
    platform.wait_until_stored()
    return known, dict(Counter(known.trace_ids))


def campaign(data: Path, *, spans: int, questions: int, figures: Figures) -> None:
    """Ask a process so many hostile questions about so many spans and look at what it made of them."""
    with launched(Launch(data=data, measured=False, settings={"query_timeout_s": TIMEOUT_S})) as platform:
        known, stored = send(platform, spans=spans)
        source = routes(platform.get("/openapi.json").json())
        count = -(-questions // LANES)
        lanes = [Lane(platform, stored=stored) for _ in range(LANES)]
        makers = [HostileQuestions(known, source, seed=f"{SEED}/{number}") for number in range(LANES)]
        with Watch(platform.pid) as watch:
            run(lanes, makers, count)
        outcomes = [lane.outcomes for lane in lanes]
        judge(outcomes, questions=count * LANES)
        assert_well(platform)
        limited = platform.metric('homeostat_query_seconds_count{outcome="query_limit"}')
    assert watch.usage.resident_bytes_max <= RESIDENT_BYTES_MAX
    say(figures, outcomes, resident_bytes=watch.usage.resident_bytes_max, limited=limited)


def run(lanes: Sequence[Lane], makers: Sequence[HostileQuestions], count: int) -> None:
    """Let all lanes ask at the same time."""
    threads = [
        threading.Thread(target=lane.run, args=(maker, count)) for lane, maker in zip(lanes, makers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def assert_well(platform: Platform) -> None:
    """Look at a process that was asked much: alive, well, nothing internal in its log or its figures."""
    assert platform.is_running()
    assert platform.get("/health").json()["status"] == "ok"
    assert "Traceback" not in platform.log(), platform.log()[-5_000:]
    assert 'outcome="internal"' not in platform.get("/metrics").body.decode()


def judge(outcomes: Sequence[Outcomes], *, questions: int) -> None:
    """Look whether all questions were answered, and each as it should be."""
    wrong = [line for each in outcomes for line in each.wrong]
    assert not wrong, "\n".join(wrong[:20])
    assert sum(each.answers.total() for each in outcomes) == questions, "a lane broke off"


def say(figures: Figures, outcomes: Sequence[Outcomes], *, resident_bytes: int, limited: float) -> None:
    """Tell what was asked and answered."""
    statuses: Counter[int] = Counter()
    for each in outcomes:
        for (_, status), count in each.answers.items():
            statuses[status] += count
    slowest_s, slowest = max(one for each in outcomes for one in each.slowest)
    figures.say(
        f"hostile questions: {statuses.total()} asked, answered {dict(statuses.most_common())}, {limited:.0f} queries"
        f" stopped at a limit, {sum(each.probes for each in outcomes)} good ones between them answered right,"
        f" the slowest after {slowest_s:.1f} s ({slowest[:120]}), at most {resident_bytes / 1e6:.0f} MB resident"
    )


def test_300_hostile_questions_are_answered(tmp_path: Path, figures: Figures) -> None:
    """No 500, nothing over its limits; what is asked between them is answered right."""
    campaign(tmp_path / "data", spans=5_000, questions=300, figures=figures)


@pytest.mark.prove
def test_20_000_hostile_questions_are_answered(tmp_path: Path, figures: Figures) -> None:
    """The same of 200,000 spans, or so many questions as HOMEOSTAT_TEST_QUESTIONS says."""
    campaign(tmp_path / "data", spans=200_000, questions=PROVE_QUESTIONS, figures=figures)
