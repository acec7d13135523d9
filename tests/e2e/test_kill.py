import os
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from homeostat_server.model.signal import Signal
from tests.e2e.numbered import numbered_body
from tests.e2e.senders import Client, Load, clients
from tests.e2e.verdict import examine
from tests.figures import Figures
from tests.running import Launch, Platform, running

pytestmark = pytest.mark.e2e

SEED: Final = int(os.environ.get("HOMEOSTAT_TEST_SEED", "1"))
LOAD_S_MAX: Final = 1.0
START_UP_EVERY: Final = 5  # rounds, one of which is killed before it serves
START_S_MAX: Final = 0.8
"""About as long as a start takes, so that a kill meets every step of it, recovery and replay included."""


def launch(data: Path, random: Random) -> Launch:
    """Return a process with other sizes of segments each time: many small ones, few large ones."""
    settings = {
        "spool_gather_ms": random.choice((20, 100, 500)),
        "spool_segment_bytes_max": random.choice((64 << 10, 8 << 20)),
    }
    return Launch(data=data, settings=settings, measured=False)


def kill_at_random(data: Path, senders: Sequence[Client], *, random: Random, round_number: int) -> bool:
    """Run one round: start, send, kill; say whether it was killed under load, not while it started."""
    platform = Platform(launch(data, random))
    if round_number % START_UP_EVERY == 1:
        threading.Timer(random.uniform(0, START_S_MAX), platform.kill).start()
        platform.wait()
        return False
    platform.wait_until_ready()
    load = Load(senders, platform, round_number=round_number)
    threading.Timer(random.uniform(0, LOAD_S_MAX), platform.kill).start()
    load.join()
    platform.wait()
    return True


def campaign(data: Path, *, rounds: int, figures: Figures) -> None:
    """Kill a process so many times and look whether what it acknowledged is there once."""
    random = Random(SEED)
    senders = clients(http=3, grpc_clients=2, seed=SEED)
    under_load = sum(
        kill_at_random(data, senders, random=random, round_number=round_number) for round_number in range(rounds)
    )
    with running(data) as platform:
        unanswered = sum(len(client.unanswered) for client in senders)
        for client in senders:
            client.settle(platform)
        # Hundreds of rounds of a second leave thousands of small segments.
        platform.wait_until_stored(timeout_s=60 + 10 * rounds)
        assert platform.stop() == 0
    verdict = examine(data, senders)
    figures.say(
        f"kill -9: {rounds} rounds, {under_load} of them under load and {rounds - under_load} during start-up;"
        f" {verdict}; {unanswered} bodies were without an answer at the end and sent again"
    )
    assert verdict.acknowledged > 100 * rounds
    assert verdict.is_clean, verdict


def test_25_kills_lose_and_double_nothing(tmp_path: Path, figures: Figures) -> None:
    """Killed at random moments, it has every acknowledged item once, also when clients send again."""
    campaign(tmp_path / "data", rounds=25, figures=figures)


@pytest.mark.prove
def test_500_kills_lose_and_double_nothing(tmp_path: Path, figures: Figures) -> None:
    """The same in one folder that outlives 500 kills."""
    campaign(tmp_path / "data", rounds=500, figures=figures)


@pytest.mark.parametrize("seed", range(5))
def test_a_folder_survives_a_kill_while_it_is_made(tmp_path: Path, seed: int) -> None:
    """Killed in its first start, wherever that was, a process opens the folder the next time and takes requests."""
    random = Random(seed)
    data = tmp_path / "data"
    for _ in range(2):
        platform = Platform(Launch(data=data, measured=False))
        threading.Timer(random.uniform(0.2, START_S_MAX), platform.kill).start()
        platform.wait()
    with running(data) as platform:
        for signal in Signal:
            body = numbered_body(signal, number=1, items=10, service="first")
            assert platform.post(signal, body.data).status == 200


def test_the_examination_sees_what_is_wrong(tmp_path: Path) -> None:
    """A body that was stored twice, and one that was not, are counted: the campaign is not blind."""
    data = tmp_path / "data"
    sender = clients(http=1, grpc_clients=0, seed=SEED)[0]
    with running(data, ingest_duplicates_window_s=0) as platform:
        for signal in Signal:
            body = numbered_body(signal, number=1, items=10, service="twice")
            sender.ledger.sent[signal] = sender.ledger.acknowledged[signal] = {1: 10, 2: 10}
            assert [platform.post(signal, body.data).status for _ in range(2)] == [200, 200]
    verdict = examine(data, [sender])
    assert (verdict.missing, verdict.doubled, verdict.unknown) == (30 + 2, 30 + 2, 0)
