import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import grpc
import pytest

from homeostat_server.api.ingest_grpc import METHODS
from homeostat_server.model.signal import Signal
from tests.e2e.hostile import JSON, PROTOBUF, Corpus, Hostile, HostileRequests, corpus
from tests.e2e.numbered import numbered_body, tallies
from tests.figures import Figures
from tests.running import Launch, Platform, ask, launched, waiting_segments
from tests.stored_rows import stored_rows

pytestmark = pytest.mark.e2e

SEED: Final = int(os.environ.get("HOMEOSTAT_TEST_SEED", "1"))
PROVE_S: Final = float(os.environ.get("HOMEOSTAT_TEST_FUZZ_S", "inf"))
"""Seconds after which the long campaign ends, however many bodies it has sent."""

HTTP_LANES: Final = 6
GRPC_LANES: Final = 2
NEIGHBOUR_EVERY: Final = 20  # bodies, after which a good one of another tenant follows
STATUSES: Final = frozenset({200, 400, 413, 415, 429, 503})
CODES: Final = frozenset(
    {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}
    | {grpc.StatusCode.UNAVAILABLE}
)
_METHOD_OF: Final = {signal: method for method, signal in METHODS.items()}


@dataclass(slots=True)
class Outcomes:
    """Gather what one lane saw: answers by kind of body, what was wrong with them, and its neighbours' items."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    neighbours: dict[Signal, dict[int, int]] = field(default_factory=lambda: {signal: {} for signal in Signal})


class HttpLane:
    """Send over one HTTP connection that is kept."""

    def __init__(self, platform: Platform) -> None:
        """Connect."""
        self._connection = HTTPConnection("127.0.0.1", platform.http_port, timeout=60)

    def send(self, signal: Signal, data: bytes, headers: dict[str, str]) -> tuple[str, str]:
        """Send a body; return the status, and what is wrong with the answer."""
        answer = ask(self._connection, "POST", f"/v1/{signal}", body=data, headers=headers)
        expected = JSON if headers.get("Content-Type", "").partition(";")[0] not in _PROTOBUF_TYPES else PROTOBUF
        wrong = "" if answer.status in STATUSES else f"status {answer.status}"
        wrong = wrong or ("" if answer.headers["content-type"] == expected else f"type {answer.headers}")
        return str(answer.status), wrong

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


_PROTOBUF_TYPES: Final = (PROTOBUF, "application/protobuf")


class GrpcLane:
    """Send over one gRPC connection; content types and codings are gRPC's own."""

    def __init__(self, platform: Platform) -> None:
        """Connect."""
        self._channel = grpc.insecure_channel(platform.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)])
        self._calls: dict[Signal, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {
            signal: self._channel.unary_unary(method) for signal, method in _METHOD_OF.items()
        }

    def send(self, signal: Signal, data: bytes, headers: dict[str, str]) -> tuple[str, str]:
        """Send a body; return the code, and what is wrong with it."""
        metadata = (("x-scope-orgid", headers["X-Scope-OrgID"]),)
        code = grpc.StatusCode.OK
        try:
            self._calls[signal](data, metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            code = error.code()
        return code.name, "" if code in CODES else f"code {code}"

    def close(self) -> None:
        """Disconnect."""
        self._channel.close()


@dataclass(frozen=True, slots=True)
class Budget:
    """Say how many bodies each lane sends, and when it is enough anyway."""

    bodies_per_lane: int
    until_s: float


def fuzz(lane: HttpLane | GrpcLane, requests: HostileRequests, *, numbers: Iterator[int], budget: Budget) -> Outcomes:
    """Send hostile bodies over one lane, and good ones between them."""
    outcomes = Outcomes()
    for count in range(budget.bodies_per_lane):
        if time.monotonic() > budget.until_s:
            break
        made = requests.next()
        word, wrong = lane.send(made.signal, made.data, {**made.headers, "X-Scope-OrgID": "fuzz"})
        outcomes.answers[made.made, word] += 1
        if wrong:
            outcomes.wrong.append(_reproducer(made, wrong))
        if count % NEIGHBOUR_EVERY == 0:
            _send_neighbour(lane, outcomes, next(numbers))
    return outcomes


def _send_neighbour(lane: HttpLane | GrpcLane, outcomes: Outcomes, number: int) -> None:
    signal = list(Signal)[number % 3]
    body = numbered_body(signal, number=number, items=5, service="neighbour")
    word, _ = lane.send(signal, body.data, {"Content-Type": PROTOBUF, "X-Scope-OrgID": "neighbour"})
    if word in {"200", "OK"}:
        outcomes.neighbours[signal][number] = body.items
    else:
        outcomes.wrong.append(f"a neighbour was answered {word}")


def _reproducer(made: Hostile, wrong: str) -> str:
    return f"{wrong}: {made.made} {made.signal} {dict(made.headers)} {made.data.hex()}"


def run_lanes(platform: Platform, source: Corpus, budget: Budget) -> list[Outcomes]:
    """Run all lanes at the same time and return what each saw."""
    numbers = itertools.count(1)
    found: list[Outcomes] = []

    def run(make: type[HttpLane] | type[GrpcLane], index: int) -> None:
        lane = make(platform)
        try:
            requests = HostileRequests(source, seed=SEED * 1_000 + index)
            found.append(fuzz(lane, requests, numbers=numbers, budget=budget))
        finally:
            lane.close()

    makers: list[type[HttpLane | GrpcLane]] = [HttpLane] * HTTP_LANES + [GrpcLane] * GRPC_LANES
    threads = [threading.Thread(target=run, args=(make, index)) for index, make in enumerate(makers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(makers), "a lane broke off"
    return found


def assert_well(platform: Platform) -> None:
    """Look at a process that was fuzzed: alive, well, nothing internal in its log or its figures."""
    assert platform.is_running()
    assert platform.get("/health").json()["status"] == "ok"
    log = platform.log()
    assert "Traceback" not in log, log[-5_000:]
    assert "ERROR" not in log, log[-5_000:]
    exposed = platform.get("/metrics").body.decode()
    assert 'outcome="internal"' not in exposed
    assert 'event="commit_failed"' not in exposed


def assert_neighbours_unharmed(data: Path, outcomes: list[Outcomes]) -> int:
    """Look whether every good body is stored once; return how many there are."""
    assert list((data / "spool" / "quarantine").iterdir()) == []
    assert waiting_segments(data) == []
    count = 0
    with stored_rows(data) as stored:
        for signal in Signal:
            sent = {number: items for each in outcomes for number, items in each.neighbours[signal].items()}
            found = {number: tally.rows for number, tally in tallies(stored, signal, tenant="neighbour").items()}
            assert found == sent
            count += len(sent)
    return count


def campaign(data: Path, *, bodies: int, until_s: float, figures: Figures) -> None:
    """Fuzz a process with so many bodies and look at what it made of them."""
    source = corpus(made_by_hypothesis=400, seed=SEED)
    budget = Budget(-(-bodies // (HTTP_LANES + GRPC_LANES)), until_s)
    # Measured it takes twice as long, and shows nothing new.
    with launched(Launch(data=data, measured=False)) as platform:
        outcomes = run_lanes(platform, source, budget)
        wrong = [line for each in outcomes for line in each.wrong]
        assert not wrong, wrong[:3]
        platform.wait_until_stored()
        assert_well(platform)
        assert platform.stop() == 0
    neighbours = assert_neighbours_unharmed(data, outcomes)
    answers: Counter[str] = Counter()
    for each in outcomes:
        for (_, word), count in each.answers.items():
            answers[word] += count
    figures.say(
        f"fuzzing: {answers.total()} bodies over HTTP and gRPC, answered {dict(answers.most_common())};"
        f" {neighbours} good bodies between them, each stored once"
    )


def test_20_000_hostile_bodies_harm_nobody(tmp_path: Path, figures: Figures) -> None:
    """No crash, no 500, nothing in quarantine; good bodies sent between them are stored once."""
    campaign(tmp_path / "data", bodies=20_000, until_s=float("inf"), figures=figures)


@pytest.mark.prove
def test_a_million_hostile_bodies_harm_nobody(tmp_path: Path, figures: Figures) -> None:
    """The same, fifty times as long, or as long as HOMEOSTAT_TEST_FUZZ_S says."""
    campaign(tmp_path / "data", bodies=1_000_000, until_s=time.monotonic() + PROVE_S, figures=figures)
