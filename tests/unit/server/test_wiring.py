import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeostat_server.exceptions import (
    AddressUnavailable,
    DataFolderLocked,
    DataFolderUnusable,
    SettingInvalid,
    StartError,
    StoreUnavailable,
    TlsUnusable,
    UnsafeBinding,
)
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.data_folder import DataFolder
from homeostat_server.runtime.lifecycle import Component
from homeostat_server.server.wiring import _build_pipeline, _serve, run
from homeostat_server.store.testing import MemoryStore
from tests.certificates import issue
from tests.in_process import Doorstep, Watched, ground_of, settings
from tests.otlp import span, traces
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)

ORDER = [
    "data folder",
    "state",
    "keys",
    "HTTP socket",
    "telemetry store",
    "pipeline",
    "rollups",
    "upkeep",
    "intake",
    "gRPC",
    "HTTP",
]
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def doorstep(capsys: pytest.CaptureFixture[str]) -> Doorstep:
    """Return what starts platforms."""
    return Doorstep(capsys)


async def test_it_starts_in_order_and_stops_in_reverse(tmp_path: Path, doorstep: Doorstep) -> None:
    """What others stand on comes first and goes last; everything acknowledged is stored on the way."""
    async with doorstep.started(settings(tmp_path)) as running:
        lifecycle = running.lifecycle
        assert list(lifecycle.started) == ORDER
        assert running.access == "open on loopback, no keys"
        sent = await running.client.post("/v1/traces", content=traces(span()).SerializeToString(), headers=PROTOBUF)
        assert sent.status_code == 200
        assert await running.stop() == 0
    assert lifecycle.stopped[::-1] == ORDER
    assert not lifecycle.started
    assert list((tmp_path / "data" / "spool").glob("*/*.segment")) == []
    DataFolder.claim(tmp_path / "data").release()


async def test_the_knobs_are_declared(tmp_path: Path, doorstep: Doorstep) -> None:
    """Whoever tunes finds them by name, with what the settings say."""
    async with doorstep.started(settings(tmp_path, spool_gather_ms=700)) as running:
        assert [(knob.name, knob.read()) for knob in running.knobs] == [("spool_gather", 0.7)]


async def test_sigterm_ends_it(tmp_path: Path, doorstep: Doorstep) -> None:
    """The signal is a wish to stop, not an end: what is open is closed and the exit code is 0."""
    ending = asyncio.create_task(_serve(settings(tmp_path), began_s=0))
    await doorstep.ready_line(ending)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await ending == 0
    DataFolder.claim(tmp_path / "data").release()


async def test_a_signal_during_the_start_is_not_lost(tmp_path: Path, doorstep: Doorstep) -> None:
    """It starts, and stops at once."""
    ending = asyncio.create_task(_serve(settings(tmp_path), began_s=0))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGINT)
    await doorstep.ready_line(ending)
    assert await ending == 0


async def test_what_does_not_stop_is_told(tmp_path: Path, doorstep: Doorstep, caplog: pytest.LogCaptureFixture) -> None:
    """A component that fails to stop keeps no other from stopping, is named in the log, and makes the exit code 1."""

    async def fail() -> None:
        raise OSError("stuck")

    ground, stopping = (
        ground_of(settings(tmp_path), Watched().add(Component(name="stubborn", stop=fail))),
        asyncio.Event(),
    )
    ending = asyncio.create_task(run(ground, stopping=stopping, began_s=0))
    await doorstep.ready_line(ending)
    stopping.set()
    assert await ending == 1
    assert "stubborn did not stop as it should" in caplog.text
    DataFolder.claim(tmp_path / "data").release()


async def test_what_is_not_stored_in_time_waits(
    tmp_path: Path, doorstep: Doorstep, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop while the store is away leaves what is acknowledged in the spool and says so; the next start stores it."""
    store = MemoryStore()
    store.fail_with = StoreUnavailable("store")
    ground = ground_of(settings(tmp_path, shutdown_drain_s=0), Watched())
    pipeline = _build_pipeline(ground, store)
    await ground.lifecycle.start()
    request = traces(span()).SerializeToString()
    await asyncio.wrap_future(pipeline.spools[Signal.TRACES].append(DEFAULT_TENANT, request))
    assert await ground.lifecycle.stop() == ()
    assert "the rest waits in the spool" in caplog.text
    async with doorstep.started(settings(tmp_path)) as running:
        trace = f"{running.url}/api/v1/traces/{span().trace_id.hex()}"
        await asyncio.to_thread(until, lambda: httpx.get(trace, trust_env=False).is_success)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Say which settings stop a start, with which error, and whether a data folder is made before."""

    changes: dict[str, object]
    error: type[StartError]
    has_folder: bool = True


REFUSED = {
    "no such certificate": Refused(
        changes={"tls_certificate": "/nowhere.pem", "tls_key": "/nowhere.key"}, error=TlsUnusable, has_folder=False
    ),
    "a store that is not here yet": Refused(changes={"store": "clickhouse://db:8123/x"}, error=SettingInvalid),
    "an address without a key": Refused(changes={"http": "0.0.0.0:0"}, error=UnsafeBinding),
    "an address of another machine": Refused(changes={"grpc": "192.0.2.1:0"}, error=UnsafeBinding),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_a_refused_start_leaves_nothing_open(tmp_path: Path, doorstep: Doorstep, case: Refused) -> None:
    """It raises what is wrong, runs nothing, and the same folder starts when the setting is right."""
    ground = ground_of(settings(tmp_path, **case.changes), Watched())
    with pytest.raises(case.error):
        await run(ground, stopping=asyncio.Event(), began_s=0)
    assert ground.lifecycle.started == ()
    assert (tmp_path / "data").exists() == case.has_folder
    async with doorstep.started(settings(tmp_path)) as running:
        assert (await running.client.get("/health")).json()["status"] == "ok"


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that somebody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield other.getsockname()[1]


@pytest.fixture
def free() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        return int(other.getsockname()[1])


@pytest.mark.parametrize("door", ["http", "grpc"])
async def test_a_taken_port_releases_the_other(
    *, tmp_path: Path, doorstep: Doorstep, taken: int, free: int, door: str
) -> None:
    """The port that was free is free again, and the folder and the engine can be opened."""
    other = "grpc" if door == "http" else "http"
    flags = {door: f"127.0.0.1:{taken}", other: f"127.0.0.1:{free}"}
    ground = ground_of(settings(tmp_path, **flags), Watched())
    with pytest.raises(AddressUnavailable, match=str(taken)):
        await run(ground, stopping=asyncio.Event(), began_s=0)
    async with doorstep.started(settings(tmp_path, http=f"127.0.0.1:{free}")) as running:
        assert running.url.endswith(f":{free}")


async def test_a_locked_folder_stays_its_owners(tmp_path: Path) -> None:
    """The second one is told who has it, and touches nothing."""
    owned = DataFolder.claim(tmp_path / "data")
    ground = ground_of(settings(tmp_path), Watched())
    with pytest.raises(DataFolderLocked, match=str(os.getpid())):
        await run(ground, stopping=asyncio.Event(), began_s=0)
    with pytest.raises(DataFolderLocked):
        DataFolder.claim(tmp_path / "data")
    owned.release()
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"homeostat.lock"}


async def test_a_component_that_does_not_start_stops_those_below(tmp_path: Path) -> None:
    """A spool that cannot be read is found when everything is built; the store below is closed again."""
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True)
    (data / "spool" / "logs").write_text("not a folder")
    ground = ground_of(settings(tmp_path), Watched())
    with pytest.raises(DataFolderUnusable):
        await run(ground, stopping=asyncio.Event(), began_s=0)
    assert ground.lifecycle.started == ()
    DataFolder.claim(data).release()


async def test_tls_is_for_both_doors(tmp_path: Path, doorstep: Doorstep) -> None:
    """With a certificate the ready line says https, and plain requests are not answered."""
    async with doorstep.started(settings(tmp_path, **issue(tmp_path).settings())) as running:
        assert running.url.startswith("https://")
        with pytest.raises(httpx.TransportError):
            await running.client.get(running.url.replace("https", "http"))


async def spans_of(client: httpx.AsyncClient, trace_id: str) -> list[dict[str, Any]]:
    """Return the spans of a trace, each with its service."""
    blocks = (await client.get(f"/api/v1/traces/{trace_id}")).json()["resourceSpans"]
    return [
        one | {"service": attribute["value"]["stringValue"]}
        for block in blocks
        for scope in block["scopeSpans"]
        for one in scope["spans"]
        for attribute in block["resource"]["attributes"]
        if attribute["key"] == "service.name"
    ]


async def test_it_traces_itself_when_asked(tmp_path: Path, doorstep: Doorstep) -> None:
    """A request is a trace of the service homeostat with a child span for the question to the store."""
    trace_id = "ab" * 16
    headers = {"traceparent": f"00-{trace_id}-{'cd' * 8}-01"}
    async with doorstep.started(settings(tmp_path, self_traces="on")) as running:
        assert "self traces" in running.lifecycle.started
        assert (await running.client.get("/api/v1/services", headers=headers)).status_code == 200
    async with doorstep.started(settings(tmp_path)) as running:
        spans = await spans_of(running.client, trace_id)
    assert {one["service"] for one in spans} == {"homeostat"}
    [request] = [one for one in spans if one["name"] == "GET /api/v1/services"]
    questions = [one for one in spans if one["name"] == "SELECT"]
    assert questions
    assert {one["parentSpanId"] for one in questions} == {request["spanId"]}


async def test_tracing_itself_does_not_grow_by_itself(tmp_path: Path, doorstep: Doorstep) -> None:
    """Storing its own spans makes none: after further starts and stops there is still one trace, of the one request."""
    async with doorstep.started(settings(tmp_path, self_traces="on")) as running:
        (await running.client.get("/api/v1/services")).raise_for_status()
    for _ in range(2):
        async with doorstep.started(settings(tmp_path, self_traces="on")) as running:
            (await running.client.get("/health")).raise_for_status()
    async with doorstep.started(settings(tmp_path)) as running:
        found = (await running.client.get("/api/v1/traces", params={"service": "homeostat"})).json()
    assert len(found["traces"]) == 1
