import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from homeostat_server.ingest.segment import segment_name
from homeostat_server.model.segment import NODE_BITS
from homeostat_server.model.signal import Signal
from tests.e2e.numbered import Body, numbered_body, tallies
from tests.running import Launch, Platform, running
from tests.segment_files import record
from tests.stored_rows import stored_rows

pytestmark = pytest.mark.e2e


def bodies(signal: Signal) -> list[Body]:
    """Return five bodies of three items."""
    return [numbered_body(signal, number=number, items=3, service="a") for number in range(1, 6)]


def left_by_a_kill(data: Path, sent: Sequence[Body]) -> Path:
    """Have a process acknowledge bodies of one signal and kill it before it stores them; return their segment."""
    platform = Platform(Launch(data=data, settings={"spool_gather_ms": 10_000}, measured=False)).wait_until_ready()
    for body in sent:
        assert platform.post(body.signal, body.data).status == 200
    platform.kill()
    (segment,) = (data / "spool" / sent[0].signal).glob("*.segment")
    return segment


def reasons(data: Path) -> list[dict[str, Any]]:
    """Return what is written beside the bytes in quarantine."""
    return [json.loads(path.read_text()) for path in sorted((data / "spool" / "quarantine").glob("*.json"))]


def stored(data: Path, signal: Signal) -> dict[int, int]:
    """Return how many rows each body has become."""
    with stored_rows(data) as rows:
        return {number: tally.rows for number, tally in tallies(rows, signal).items()}


@pytest.mark.parametrize("signal", list(Signal))
def test_a_torn_segment_gives_what_is_whole(tmp_path: Path, signal: Signal) -> None:
    """The half record at its end was never acknowledged: it is cut off, said, and the rest is stored."""
    data = tmp_path / "data"
    segment = left_by_a_kill(data, bodies(signal))
    segment.write_bytes(segment.read_bytes()[:-20])
    with running(data) as platform:
        platform.wait_until_stored()
        assert platform.metric(f'homeostat_spool_discarded_bytes_total{{reason="torn",signal="{signal}"}}') > 0
        assert f"off the spool of {signal}: they were never acknowledged" in platform.log()
        assert platform.get("/health").json()["status"] == "ok"
    assert reasons(data) == []
    assert stored(data, signal) == {1: 3, 2: 3, 3: 3, 4: 3}


@pytest.mark.parametrize("signal", list(Signal))
def test_a_corrupt_record_is_set_aside_alone(tmp_path: Path, signal: Signal) -> None:
    """Its neighbours are stored; it is kept with the reason, counted and logged, and can be sent again."""
    data = tmp_path / "data"
    sent = bodies(signal)
    segment = left_by_a_kill(data, sent)
    damaged = bytearray(segment.read_bytes())
    damaged[damaged.index(sent[2].data) + 5] ^= 1
    segment.write_bytes(damaged)
    with running(data) as platform:
        platform.wait_until_stored()
        assert platform.metric(f'homeostat_spool_quarantined_total{{reason="corrupt",signal="{signal}"}}') == 1
        assert f"bytes of {signal} aside in spool/quarantine: corrupt" in platform.log()
        answers = [platform.post(signal, body.data).status for body in sent]
        assert answers == [200] * 5
    (reason,) = reasons(data)
    assert (reason["kind"], reason["signal"]) == ("corrupt", signal)
    assert "the digest does not match the record" in reason["reason"]
    assert str(segment) in reason["reason"]
    assert stored(data, signal) == dict.fromkeys(range(1, 6), 3)


def planted(data: Path, signal: Signal, contents: Sequence[bytes]) -> None:
    """Put segments with these contents where those of an earlier run would be."""
    folder = data / "spool" / signal
    folder.mkdir(parents=True, exist_ok=True)
    first = time.time_ns() // 1_000 << NODE_BITS  # long ago they would be dropped as too old
    for index, content in enumerate(contents):
        (folder / segment_name(first + (index << NODE_BITS))).write_bytes(content)


@pytest.mark.parametrize("signal", list(Signal))
def test_what_the_engine_cannot_decode_does_not_take_its_neighbours_along(tmp_path: Path, signal: Signal) -> None:
    """A sound record with a body that is no request, rubbish and an empty file stop nothing that is good."""
    data = tmp_path / "data"
    sent = bodies(signal)
    rubbish = b"\xff" * 40
    contents = [
        b"".join(record("default", body) for body in (sent[0].data, rubbish, sent[1].data)),
        bytes(range(256)) * 8,
        b"",
        record("default", sent[2].data),
    ]
    planted(data, signal, contents)
    with running(data) as platform:
        platform.wait_until_stored()
        assert platform.metric(f'homeostat_spool_quarantined_total{{reason="rejected",signal="{signal}"}}') == 1
        assert platform.metric(f'homeostat_spool_quarantined_total{{reason="corrupt",signal="{signal}"}}') == 1
    assert sorted(reason["kind"] for reason in reasons(data)) == ["corrupt", "rejected"]
    assert stored(data, signal) == {1: 3, 2: 3, 3: 3}
