"""The whole process put together: each object built once, in order. It holds no rule of its own.

Read `serve` from top to bottom for the architecture: what is claimed first is released last.
"""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
import uvloop
from opentelemetry.trace import NoOpTracer, Tracer

import homeostat
from homeostat.settings.kinds import Address
from homeostat_server.api.app import create_app
from homeostat_server.api.attributes import attributes_router
from homeostat_server.api.big_traces import big_traces_router
from homeostat_server.api.bottlenecks import bottlenecks_router
from homeostat_server.api.compare import compare_router
from homeostat_server.api.error_correlation import error_correlation_router
from homeostat_server.api.health import Dependency, Health, health_router
from homeostat_server.api.history import history_router
from homeostat_server.api.ingest import ingest_router
from homeostat_server.api.ingest_grpc import grpc_server
from homeostat_server.api.jaeger.dependencies import jaeger_dependencies_router
from homeostat_server.api.jaeger.routes import jaeger_router
from homeostat_server.api.logs import logs_router
from homeostat_server.api.metrics import metrics_router
from homeostat_server.api.reading import Reading
from homeostat_server.api.reception import Reception
from homeostat_server.api.service_map import service_map_router
from homeostat_server.api.services import services_router
from homeostat_server.api.tempo.routes import tempo_router
from homeostat_server.api.trace_files import trace_export_router, trace_import_router
from homeostat_server.api.traceql import traceql_router
from homeostat_server.api.traces import traces_router
from homeostat_server.exceptions import HomeostatError, SettingInvalid
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.disk import SystemDisk
from homeostat_server.ingest.intake import Intake
from homeostat_server.ingest.intake_counts import IntakeCounts
from homeostat_server.ingest.lag import LagAlarm
from homeostat_server.ingest.mending import MendingSink
from homeostat_server.ingest.pipeline import Pipeline, PipelineBounds
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.query.traces.lookup import rehearse
from homeostat_server.rollups.rounds import Rollups
from homeostat_server.runtime.allocator import keep_freed_memory
from homeostat_server.runtime.arrow import keep_pandas_out
from homeostat_server.runtime.clock import Clock, SystemClock
from homeostat_server.runtime.data_folder import DataFolder
from homeostat_server.runtime.knobs import Knobs
from homeostat_server.runtime.lifecycle import Component, Lifecycle, in_thread
from homeostat_server.runtime.pages import LibraryPages
from homeostat_server.runtime.resources import read_resources
from homeostat_server.runtime.settings import Settings
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.authentication import Authenticator
from homeostat_server.security.binding import examine_binding, refuse_unsafe_binding
from homeostat_server.security.keys import KeyRing
from homeostat_server.server.listening import STOP_GRACE_S, ASGIApplication, GrpcServer, HttpServer, bind
from homeostat_server.server.logs import configure_logs
from homeostat_server.server.upkeep import Upkeep
from homeostat_server.store.measured import MeasuredStore
from homeostat_server.store.ports import QueryLimits, RetentionDays, TelemetryStore, ValuedShare
from homeostat_server.store.state.api_keys import ApiKeyRecords
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import derive_bounds

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from homeostat_server.security.tls import TlsIdentity

_LOG: Final = logging.getLogger(__name__)

READ_ROUTERS: Final = (
    traces_router,
    big_traces_router,
    attributes_router,
    services_router,
    logs_router,
    metrics_router,
    jaeger_router,
    tempo_router,
    trace_export_router,
    traceql_router,
    error_correlation_router,
    compare_router,
    history_router,
)

SUMMARY_ROUTERS: Final = (service_map_router, bottlenecks_router, jaeger_dependencies_router)

ROLLUPS_LAG_S: Final = 5.0
"""While rows wait for longer than this to be stored, nothing is summed up."""

EMBEDDED_SCHEME: Final = "chdb://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Hold what everything else stands on."""

    settings: Settings
    clock: Clock
    telemetry: Telemetry
    knobs: Knobs
    lifecycle: Lifecycle
    self_traces: "TracerProvider | None"

    @property
    def tracer(self) -> Tracer:
        """Return what makes the platform's own spans; it makes none unless the settings say so."""
        return NoOpTracer() if self.self_traces is None else self.self_traces.get_tracer("homeostat")


def _self_traces(settings: Settings) -> "TracerProvider | None":
    if not settings.self_traces:
        return None
    # Here for the same reason as in `_traced`.
    from homeostat_server.server.self_traces import self_traces_provider  # noqa: PLC0415

    return self_traces_provider()


def serve(settings: Settings) -> int:
    """Run the platform until SIGTERM or SIGINT and return the exit code.

    Raises:
        StartError: it cannot start as it is set up; nothing is left running.
    """
    configure_logs(settings.log_level)
    keep_freed_memory()
    keep_pandas_out()
    return uvloop.run(_serve(settings, began_s=time.monotonic()))


async def _serve(settings: Settings, *, began_s: float) -> int:
    return await run(_ground(settings), stopping=_stop_signal(), began_s=began_s)


def _ground(settings: Settings) -> Ground:
    return Ground(
        settings=settings,
        clock=SystemClock(),
        telemetry=Telemetry(),
        knobs=Knobs(),
        lifecycle=Lifecycle(),
        self_traces=_self_traces(settings),
    )


async def run(ground: Ground, *, stopping: asyncio.Event, began_s: float) -> int:
    """Start everything, say so, wait until it should stop, stop everything; return the exit code.

    Raises:
        StartError: it cannot start as it is set up; nothing is left running.
    """
    try:
        platform = await _assemble(ground)
        await ground.lifecycle.start()
        click.echo(platform.ready_line(seconds=time.monotonic() - began_s))
        await stopping.wait()
        _LOG.info("stopping: what is acknowledged is stored first")
    finally:
        failures = await ground.lifecycle.stop()
    for failure in failures:
        _LOG.error("%s did not stop as it should: %r", failure.component, failure.error)
    return 1 if failures else 0


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Hold what the ready line says."""

    http: Address
    grpc: Address
    is_tls: bool
    is_open: bool
    data: str

    def ready_line(self, *, seconds: float) -> str:
        """Return the one line that says where everything is."""
        scheme = "https" if self.is_tls else "http"
        access = "open on loopback, no keys" if self.is_open else "API keys required"
        return (
            f"homeostat {homeostat.__version__} is ready after {seconds:.1f} s: {scheme}://{self.http} (OTLP/HTTP and"
            f" API, documented at /docs), gRPC on {self.grpc}, data in {self.data}, {access}"
        )


async def _assemble(ground: Ground) -> Platform:
    """Build everything in order; what opens something is added to the lifecycle as soon as it has."""
    settings, lifecycle = ground.settings, ground.lifecycle
    tls = _load_tls(ground)
    folder = DataFolder.claim(settings.data_folder)
    await _hold(lifecycle, "data folder", folder.release)
    database = await asyncio.to_thread(open_state, settings.state or default_state_dsn(settings.data_folder))
    await _hold(lifecycle, "state", database.close)
    authenticator = await _open_security(ground, database)
    bound = bind(settings.http)
    await _hold(lifecycle, "HTTP socket", bound.close)
    engine = await asyncio.to_thread(_open_store, settings)
    store = MeasuredStore(engine, telemetry=ground.telemetry, tracer=ground.tracer)
    await _hold(lifecycle, "telemetry store", store.close)
    await asyncio.to_thread(_rehearse, engine, ground.clock)
    pipeline = _build_pipeline(ground, store)
    alarm = LagAlarm(pipeline.committers, alarm_s=settings.ingest_lag_alarm_s, telemetry=ground.telemetry)
    _add_rollups(ground, store=store, alarm=alarm)
    upkeep = Upkeep(store, alarm=alarm, clock=ground.clock, telemetry=ground.telemetry, pages=LibraryPages())
    lifecycle.add(Component(name="upkeep", start=upkeep.start, stop=upkeep.stop))
    health = _build_health(ground, store=store, database=database, pipeline=pipeline, alarm=alarm)
    addresses = _build_doors(
        ground, authenticator=authenticator, pipeline=pipeline, store=store, health=health, bound=bound, tls=tls
    )
    return Platform(
        http=addresses[0],
        grpc=addresses[1],
        is_tls=tls is not None,
        is_open=authenticator.runs_open(),
        data=str(settings.data),
    )


def _load_tls(ground: Ground) -> "TlsIdentity | None":
    settings = ground.settings
    if not (settings.tls_certificate or settings.tls_key or settings.tls_client_ca):
        return None
    # Here, not at the top: what reads certificates takes 10 MB that most processes have no use for.
    from homeostat_server.security.tls import load_tls  # noqa: PLC0415

    return load_tls(
        settings.tls_certificate, key=settings.tls_key, client_ca=settings.tls_client_ca, clock=ground.clock
    )


async def _hold(lifecycle: Lifecycle, name: str, release: Callable[[], object]) -> None:
    """Let the lifecycle release what is open already."""
    lifecycle.add(Component(name=name, stop=in_thread(release)))
    await lifecycle.start()


async def _open_security(ground: Ground, database: StateDatabase) -> Authenticator:
    keys = KeyRing(ApiKeyRecords(database), clock=ground.clock, telemetry=ground.telemetry)
    ground.lifecycle.add(Component(name="keys", start=in_thread(keys.start), stop=in_thread(keys.stop)))
    await ground.lifecycle.start()
    binding = examine_binding([ground.settings.http.host, ground.settings.grpc.host])
    refuse_unsafe_binding(binding, has_active_keys=keys.has_active_keys())
    return Authenticator(keys, binding=binding, telemetry=ground.telemetry)


def _open_store(settings: Settings) -> TelemetryStore:
    if not settings.store_dsn.startswith(EMBEDDED_SCHEME):
        raise SettingInvalid(
            "open the telemetry store",
            value=settings.store_dsn,
            hint=f"This version has the embedded engine only: leave `store` empty or write {EMBEDDED_SCHEME}/PATH.",
        )
    resources = read_resources()
    bounds = derive_bounds(
        memory_bytes=resources.memory_bytes,
        cpus=resources.cpus,
        engine_memory_bytes_max=settings.engine_memory_bytes_max,
    )
    return EmbeddedStore(
        settings.telemetry_folder,
        bounds=bounds,
        limits=QueryLimits(
            duration_s=settings.query_timeout_s,
            rows_max=settings.query_rows_max,
            result_bytes_max=settings.query_result_bytes_max,
            memory_bytes_max=settings.query_memory_bytes_max,
        ),
        readers_max=settings.query_concurrency_max,
        retention=RetentionDays(
            ordinary=settings.retention_ordinary_days,
            valued=settings.retention_valued_days,
            share=ValuedShare(slow=settings.retention_slow_share, traces=settings.retention_traces_per_operation),
        ),
    )


def _build_pipeline(ground: Ground, store: TelemetryStore) -> Pipeline:
    settings = ground.settings
    limits = SpoolLimits(
        segment_bytes_max=settings.spool_segment_bytes_max,
        gather_s=settings.spool_gather_ms / 1000,
        duplicates_window_s=settings.ingest_duplicates_window_s,
    )
    disk = SystemDisk()
    pipeline = Pipeline(
        settings.spool_folder,
        sink=MendingSink(store, disk=disk),
        bounds=PipelineBounds(node=settings.node, spool_bytes_max=settings.spool_bytes_max, limits=limits),
        disk=disk,
        clock=ground.clock,
        telemetry=ground.telemetry,
    )
    pipeline.declare_knobs(ground.knobs)
    drain_s = settings.shutdown_drain_s

    async def drain() -> None:
        if not await asyncio.to_thread(pipeline.stop, budget_s=drain_s):
            _LOG.warning("not everything was stored in %.0f s: the rest waits in the spool for the next start", drain_s)

    ground.lifecycle.add(
        Component(name="pipeline", start=in_thread(pipeline.start), stop=drain, stop_budget_s=3 * drain_s + 30)
    )
    return pipeline


def _rehearse(store: TelemetryStore, clock: Clock) -> None:
    # A third of what the first look-up takes on a cold machine. A store that cannot answer says so when it is asked.
    with suppress(HomeostatError):
        rehearse(store, tenant=DEFAULT_TENANT, now_ns=clock.now_ns())


def _add_rollups(ground: Ground, *, store: TelemetryStore, alarm: LagAlarm) -> None:
    rollups = Rollups(
        store,
        clock=ground.clock,
        telemetry=ground.telemetry,
        days=max(ground.settings.retention_ordinary_days, ground.settings.retention_valued_days) + 1,
        is_behind=lambda: alarm.behind_s(Signal.TRACES) > ROLLUPS_LAG_S,
    )
    ground.lifecycle.add(Component(name="rollups", start=in_thread(rollups.start), stop=in_thread(rollups.stop)))


def _build_health(
    ground: Ground, *, store: TelemetryStore, database: StateDatabase, pipeline: Pipeline, alarm: LagAlarm
) -> Health:
    async def ask_store() -> Mapping[str, Any]:
        statistics = await asyncio.to_thread(store.statistics)
        return {"memory_bytes": statistics.memory_bytes, "rows": sum(size.rows for size in statistics.tables)}

    async def ask_spool() -> Mapping[str, Any]:
        await asyncio.to_thread(pipeline.probe)
        depths = {name.value: spool.depth() for name, spool in pipeline.spools.items()}
        return {"waiting_bytes": {name: depth.size_bytes for name, depth in depths.items()}}

    dependencies = (
        Dependency(name="telemetry store", probe=ask_store),
        Dependency(name="state", probe=_nothing_to_say(database.ping)),
        Dependency(name="spool", probe=ask_spool),
        Dependency(name="ingest lag", probe=_lags(alarm), needed=False),
    )
    return Health(dependencies, started=lambda: "HTTP" in ground.lifecycle.started, clock=ground.clock)


def _nothing_to_say(check: Callable[[], object]) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    async def ask() -> Mapping[str, Any]:
        await asyncio.to_thread(check)
        return {}

    return ask


def _lags(alarm: LagAlarm) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    async def ask() -> Mapping[str, Any]:
        return {"lag_s": alarm.check()}

    return ask


def _build_doors(
    ground: Ground,
    *,
    authenticator: Authenticator,
    pipeline: Pipeline,
    store: TelemetryStore,
    health: Health,
    bound: socket.socket,
    tls: "TlsIdentity | None",
) -> tuple[Address, Address]:
    """Build the HTTP and gRPC servers and return where they listen."""
    settings = ground.settings
    reception = _build_reception(ground, authenticator=authenticator, pipeline=pipeline)
    reading = Reading(
        store,
        authenticator=authenticator,
        clock=ground.clock,
        telemetry=ground.telemetry,
        running_max=settings.query_concurrency_max,
    )
    kept = KeptSummaries()
    app = create_app(
        version=homeostat.__version__,
        guard=authenticator.refuse_foreign_page,
        ingest=ingest_router(reception),
        routers=[
            health_router(health, telemetry=ground.telemetry, version=homeostat.__version__),
            *(make(reading) for make in READ_ROUTERS),
            *(make(reading, kept) for make in SUMMARY_ROUTERS),
            trace_import_router(reception),
        ],
    )
    http = HttpServer(_traced(ground, app, pipeline=pipeline), bound=bound, tls=tls)
    grpc = GrpcServer(grpc_server(reception, is_ready=health.is_ready), address=settings.grpc, tls=tls)
    ground.lifecycle.add(Component(name="gRPC", start=grpc.start, stop=grpc.stop, stop_budget_s=2 * STOP_GRACE_S))
    ground.lifecycle.add(Component(name="HTTP", start=http.start, stop=http.stop, stop_budget_s=2 * STOP_GRACE_S))
    host, port = bound.getsockname()[:2]
    return Address(host, port), grpc.address


def _traced(ground: Ground, app: ASGIApplication, *, pipeline: Pipeline) -> ASGIApplication:
    """Return the application, traced when the settings say so."""
    if ground.self_traces is None:
        return app
    # Here, not at the top: the OpenTelemetry SDK is loaded by those who ask for it.
    from homeostat_server.api.self_traces import SelfTraces  # noqa: PLC0415
    from homeostat_server.server.self_traces import export_to_spool  # noqa: PLC0415

    export_to_spool(ground.self_traces, pipeline.spools[Signal.TRACES], tenant=DEFAULT_TENANT)
    ground.lifecycle.add(Component(name="self traces", stop=in_thread(ground.self_traces.shutdown)))
    return SelfTraces(app, tracer=ground.tracer)


def _build_reception(ground: Ground, *, authenticator: Authenticator, pipeline: Pipeline) -> Reception:
    settings, telemetry = ground.settings, ground.telemetry
    counts = IntakeCounts(telemetry)
    intake = Intake(
        pipeline.spools,
        body_bytes_max=settings.ingest_body_bytes_max,
        attributes_max=settings.ingest_attributes_max,
        counts=counts,
    )
    admission = Admission(
        bytes_max=settings.ingest_inflight_bytes_max, requests_max=settings.ingest_requests_max, telemetry=telemetry
    )
    ground.lifecycle.add(Component(name="intake", stop=in_thread(intake.close)))
    return Reception(
        authenticator=authenticator,
        admission=admission,
        intake=intake,
        counts=counts,
        clock=ground.clock,
        body_bytes_max=settings.ingest_body_bytes_max,
    )
