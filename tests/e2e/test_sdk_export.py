import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import free_port
from tests.certificates import issue
from tests.figures import Figures
from tests.running import Launch, create_key, launched
from tests.served import environment
from tests.stored_rows import stored_rows
from tests.waiting import until

pytestmark = pytest.mark.e2e
PROGRAM = Path(__file__).parent / "sdk_export_program.py"
EXIT_S_MAX = 5.0
HANDLES = "EXPORT_TEST_HANDLES_SIGTERM"


class Service:
    """Hold a process that ends spans when it is told to."""

    def __init__(
        self, folder: Path, endpoint: str, *, first: int = 0, is_handling: bool = False, **settings: object
    ) -> None:
        """Start it, and wait until it is configured; its spans are numbered from `first`.

        One that is handling SIGTERM ends at once when its handler is called.
        """
        told = {"endpoint": endpoint, "buffer_folder": folder / "spool", "sampling_ratio": 1, "export_delay_s": 0.2}
        variables = {f"HOMEOSTAT_{name.upper()}": str(value) for name, value in (told | settings).items()}
        self._log = folder / "service.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(first)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(
                    **variables, PYTHONPATH=str(PROGRAM.parents[2]), **({HANDLES: "1"} if is_handling else {})
                ),
            )
        assert self._answer() == '"ready"', self.log()

    def log(self) -> str:
        """Return what all services in this folder have said."""
        return self._log.read_text()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def wish(self, *words: object) -> Any:  # noqa: ANN401 - a document
        """Tell it something and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert answer, self.log()
        return json.loads(answer)

    def statistics(self) -> dict[str, Any]:
        """Return what became of its spans so far."""
        found: dict[str, Any] = self.wish("statistics")
        return found

    def leave(self) -> float:
        """Let it end as programs do, and return how long that took."""
        assert self._process.stdin is not None
        began_s = time.monotonic()
        self._process.stdin.close()
        assert self._process.wait(30) == 0, self.log()
        return time.monotonic() - began_s

    def terminate(self, *, code: int = -signal.SIGTERM) -> float:
        """Send it SIGTERM, and return how long it lived on."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == code, self.log()
        return time.monotonic() - began_s

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Leave no process and no descriptor behind."""
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def service(folder: Path, endpoint: str, **settings: Any) -> Iterator[Service]:  # noqa: ANN401 - values of settings
    """Give a process that is gone when the block ends."""
    made = Service(folder, endpoint, **settings)
    try:
        yield made
    finally:
        made.close()


def platform(folder: Path, *, port: int = 0, settings: Mapping[str, object] | None = None) -> Launch:
    """Return how a platform is started; the same port each time, so that it can come back."""
    told = {"http": f"127.0.0.1:{port}", **(settings or {})}
    return Launch(data=folder / "platform", settings=told, measured=False)


def url(port: int) -> str:
    """Return where a platform is."""
    return f"http://127.0.0.1:{port}"


def numbers_in(folder: Path) -> list[int]:
    """Return the numbers of the spans that a platform has stored, doubled ones twice; it has to have ended."""
    with stored_rows(folder / "platform") as stored:
        rows = stored.rows("SELECT toUInt64(substring(name, 6)) AS number FROM telemetry.spans ORDER BY number")
    return [int(str(row["number"])) for row in rows]


def assert_whole(folder: Path, count: int, *, repeated_max: int = 0) -> None:
    """Check that all spans are there, and at most so many of them twice."""
    found = numbers_in(folder)
    assert sorted(set(found)) == list(range(count))
    assert len(found) - count <= repeated_max


def wait_until_sent(sender: Service, count: int, *, timeout_s: float = 60) -> None:
    """Wait until a service says that the platform took so many of its spans and nothing waits."""
    until(
        lambda: sender.statistics()["sent"] >= count and sender.statistics()["bytes"] == 0,
        timeout_s=timeout_s,
        what=f"{count} spans sent",
    )


FAST: dict[str, Any] = {"breaker_delay_s": 0.05, "breaker_delay_s_max": 0.2}
"""A breaker that tries again soon, so that tests do not wait for it."""


def test_an_outage_and_a_kill_of_the_platform_lose_nothing(tmp_path: Path) -> None:
    """Killed under load and started again, it gets everything that was recorded before, while and after."""
    with launched(platform(tmp_path)) as first, service(tmp_path, url(first.http_port), **FAST) as sender:
        port = first.http_port
        sender.wish("end", 1000)
        assert sender.wish("flush", 10) is True
        sender.wish("end", 1000)
        first.kill()
        for _ in range(10):
            sender.wish("end", 300)
        assert sender.wish("flush", 0.5) is False
        assert sender.statistics()["bytes"] > 0
        with launched(platform(tmp_path, port=port)) as second:
            sender.wish("end", 1000)
            wait_until_sent(sender, 6000)
            assert sender.statistics()["dropped"] == {}
            second.wait_until_stored()
            assert second.stop() == 0
    # A request that was on its way at the kill may have been stored without an answer.
    assert_whole(tmp_path, 6000, repeated_max=512)


def test_a_restart_of_the_service_in_an_outage_loses_nothing(tmp_path: Path) -> None:
    """What the first process left on disk is delivered by the second, along with its own."""
    port = free_port()
    with service(tmp_path, url(port), **FAST) as first:
        first.wish("end", 1500)
        assert first.terminate() < EXIT_S_MAX
    with service(tmp_path, url(port), first=1500, **FAST) as second:
        second.wish("end", 500)
        with launched(platform(tmp_path, port=port)) as receiver:
            wait_until_sent(second, 2000)
            receiver.wait_until_stored()
            assert receiver.stop() == 0
    assert_whole(tmp_path, 2000)
    assert not list((tmp_path / "spool").rglob("*.spool")) or not numbers_left(tmp_path)


def numbers_left(folder: Path) -> int:
    """Return how many bytes a spool holds."""
    return sum(path.stat().st_size for path in (folder / "spool").rglob("*.spool"))


def test_a_killed_service_loses_what_was_not_written_yet_and_no_more(tmp_path: Path) -> None:
    """In an outage everything that was gathered is on disk, and the next process delivers it."""
    port = free_port()
    with service(tmp_path, url(port), **FAST) as first:
        first.wish("end", 1000)
        until(lambda: first.statistics()["bytes"] > 0 or None, what="something on disk")
        first.wish("flush", 0.1)
        first.kill()
    with launched(platform(tmp_path, port=port)) as receiver, service(tmp_path, url(port), first=1000) as second:
        second.wish("end", 1)
        wait_until_sent(second, 1001)
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 1001)


def test_writing_ahead_a_kill_loses_nothing_that_is_older_than_its_delay(tmp_path: Path) -> None:
    """Also while the backend is well but does not answer."""
    with silent_backend() as port, service(tmp_path, url(port), buffer_durability="write-ahead") as first:
        first.wish("end", 1000)
        until(lambda: first.statistics()["spooled"] == 1000, what="all on disk")
        first.kill()
    with (
        launched(platform(tmp_path)) as receiver,
        service(tmp_path, url(receiver.http_port), first=1000, buffer_durability="write-ahead") as second,
    ):
        second.wish("end", 1)
        wait_until_sent(second, 1001)
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 1001)


@contextmanager
def silent_backend() -> Iterator[int]:
    """Give a port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("way", ["leave", "terminate", "handle"])
@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_an_end_without_a_backend_keeps_its_budget_and_everything(
    tmp_path: Path, figures: Figures, way: str, kind: str
) -> None:
    """Whether nobody listens or nobody answers, an end takes five seconds at most, and the spans are on disk."""
    with silent_backend() as silent:
        port = silent if kind == "silent" else free_port()
        with service(tmp_path, url(port), export_delay_s=60, is_handling=way == "handle") as sender:
            sender.wish("end", 1500)
            took_s = (
                sender.leave() if way == "leave" else sender.terminate(code=0 if way == "handle" else -signal.SIGTERM)
            )
    figures.say(f"end with a {kind} backend ({way}): {took_s:.2f} s")
    assert took_s < EXIT_S_MAX
    with launched(platform(tmp_path)) as receiver, service(tmp_path, url(receiver.http_port), first=1500) as heir:
        heir.wish("end", 1)
        wait_until_sent(heir, 1501)
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 1501)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("way", ["leave", "terminate"])
def test_ends_of_a_process_and_of_its_children_lose_nothing(tmp_path: Path, protocol: str, way: str) -> None:
    """SIGTERM, a plain end, a plain end of a forked child and of a pool's: each delivers what was recorded last."""
    with launched(platform(tmp_path)) as receiver:
        port = receiver.grpc_port if protocol == "grpc" else receiver.http_port
        with service(tmp_path, url(port), export_delay_s=60, protocol=protocol) as sender:
            sender.wish("end", 100)
            assert sender.wish("flush", 10) is True
            sender.wish("end", 100)
            sender.wish("fork", 100)
            sender.wish("pool", 100)
            sender.wish("end", 100)
            took_s = sender.leave() if way == "leave" else sender.terminate()
            assert took_s < EXIT_S_MAX
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 500)


@pytest.mark.parametrize("is_up", [True, False])
def test_forks_in_a_storm_lose_and_double_nothing(tmp_path: Path, *, is_up: bool) -> None:
    """While four threads record, children are forked, record and end: each span is stored once, outage or not."""
    port = 0 if is_up else free_port()
    with ExitStack() as stack:
        receiver = stack.enter_context(launched(platform(tmp_path))) if is_up else None
        sender = stack.enter_context(service(tmp_path, url(receiver.http_port if receiver else port), **FAST))
        told = sender.wish("storm", 12, 40)
        sender.leave()
        if receiver is None:
            receiver = stack.enter_context(launched(platform(tmp_path, port=port)))
            heir = stack.enter_context(service(tmp_path, url(port), first=99_000_000))
            heir.wish("end", 1)
            until(lambda: heir.statistics()["bytes"] == 0 or None, what="an empty spool")
            heir.leave()
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    found = [number for number in numbers_in(tmp_path) if number != 99_000_000]
    assert len(found) == len(set(found))
    assert set(found) == set(told)


def test_many_processes_share_a_spool(tmp_path: Path) -> None:
    """Killed and ended ones leave their spans to those that live, each span to exactly one of them."""
    port = free_port()
    with ThreadPoolExecutor(4) as starters:
        dying = list(starters.map(lambda number: Service(tmp_path, url(port), first=500 * number, **FAST), range(4)))
    for number, process in enumerate(dying):
        process.wish("end", 500)
        process.wish("flush", 0.1)
        if number % 2:
            process.kill()
        else:
            process.leave()
        process.close()
    with launched(platform(tmp_path, port=port)) as receiver:
        with ThreadPoolExecutor(4) as starters:
            living = list(starters.map(lambda number: Service(tmp_path, url(port), first=2000 + number), range(4)))
        for process in living:
            process.wish("end", 1)
        until(lambda: sum(process.statistics()["sent"] for process in living) >= 2004 or None, what="all sent")
        for process in living:
            process.leave()
            process.close()
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 2004)


def test_a_key_of_the_platform_is_used(tmp_path: Path) -> None:
    """With it spans are taken, with a wrong one they are refused, counted and told."""
    data = platform(tmp_path).data
    token = create_key(data, tenant="acme")
    with launched(platform(tmp_path)) as receiver:
        with service(tmp_path, url(receiver.http_port), api_key=token) as sender:
            sender.wish("end", 10)
            assert sender.wish("flush", 10) is True
            assert sender.statistics()["sent"] == 10
        with service(tmp_path, url(receiver.http_port), api_key="wrong") as sender:
            sender.wish("end", 10)
            sender.wish("flush", 10)
            assert sender.statistics()["dropped"] == {"http_401": 10}
            sender.leave()
            assert "homeostat lost telemetry: 10 spans (http_401)" in sender.log()
        receiver.wait_until_stored()
        assert receiver.stop() == 0


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_of_the_platform_is_trusted_when_its_authority_is(tmp_path: Path, protocol: str) -> None:
    """With the authority's file spans are taken; without it nothing is sent, and nothing is lost."""
    made = issue(tmp_path)
    with launched(platform(tmp_path, settings=made.settings())) as receiver:
        port = receiver.grpc_port if protocol == "grpc" else receiver.http_port
        endpoint = f"https://localhost:{port}"
        with service(tmp_path, endpoint, protocol=protocol, **FAST) as doubting:
            doubting.wish("end", 10)
            assert doubting.wish("flush", 0.5) is False
            doubting.leave()
        with service(tmp_path, endpoint, first=10, protocol=protocol, certificate=made.authority) as trusting:
            trusting.wish("end", 10)
            wait_until_sent(trusting, 20)
            trusting.leave()
        receiver.wait_until_stored()
        assert receiver.stop() == 0
    assert_whole(tmp_path, 20)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_minute_without_the_platform_at_100_spans_a_second(tmp_path: Path, figures: Figures) -> None:
    """In real time and with a restart of the service in the middle, 6,000 of 6,000 are delivered."""
    port = free_port()
    with service(tmp_path, url(port), export_delay_s=5) as first:
        first.wish("steadily", 3000, 100)
        first.terminate()
    with service(tmp_path, url(port), first=3000, export_delay_s=5) as second:
        second.wish("steadily", 3000, 100)
        with launched(platform(tmp_path, port=port)) as receiver:
            began_s = time.monotonic()
            wait_until_sent(second, 6000, timeout_s=120)
            figures.say(f"60 s outage at 100 spans/s: 6,000 delivered {time.monotonic() - began_s:.0f} s after its end")
            receiver.wait_until_stored()
            assert receiver.stop() == 0
    assert_whole(tmp_path, 6000)
