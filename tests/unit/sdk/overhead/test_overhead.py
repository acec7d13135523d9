import asyncio
import http.client
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.sdk.requests import as_sections
from homeostat.cli import main
from homeostat.overhead import application
from homeostat.overhead.command import table
from homeostat.overhead.measurement import ProbeFailed, Report, Row, imported
from homeostat.overhead.probe import Plan, _make, _tracer
from homeostat.overhead.sink import running_sink
from homeostat.overhead.variants import Variant, has_contrib, observed

REPORT = Report(
    endpoint="http://127.0.0.1:4318",
    framework="fastapi",
    requests=(
        Row(name="bare", cpu_us=40.0),
        Row(name="homeostat, 100 %", cpu_us=70.0, added_us=30.0, ratio=1.75, lost=0),
        Row(name="homeostat, 1 %", cpu_us=60.0, added_us=20.0, ratio=1.5, lost=3),
    ),
    paced=(
        Row(name="bare", cpu_us=100.0, cpu_share=0.01),
        Row(name="homeostat, 100 %", cpu_us=150.0, added_us=50.0, ratio=1.5, cpu_share=0.015),
    ),
    spans=(
        Row(name="bare OpenTelemetry SDK", cpu_us=9.0),
        Row(name="homeostat", cpu_us=3.0, added_us=-6.0, ratio=0.33),
    ),
    imports={"import": (0.1, 10_240)},
)


def test_the_command_measures_everything(tmp_path: Path) -> None:
    """`homeostat overhead` runs each variant in a process of its own, prints a table and writes the figures."""
    path = tmp_path / "figures.json"
    scale = ["--rounds", "1", "--requests", "300", "--spans", "500", "--paced", "0.1"]
    done = CliRunner().invoke(main, ["overhead", *scale, "--json", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "a receiver that keeps nothing" in done.output
    figures = json.loads(path.read_text(encoding="utf-8"))
    names = [row["name"] for row in figures["requests"]]
    assert names[:3] == ["bare", "homeostat, 100 %", "homeostat, 1 %"]
    assert all(row["cpu_us"] > 0 for row in figures["requests"])
    assert figures["requests"][1]["lost"] == 0
    assert figures["spans"][1]["ratio"] > 0
    assert set(figures["imports"]) == {"import", "import and configure"}
    for name in names:
        assert name in done.output


def test_a_table_says_what_was_added_and_lost() -> None:
    """Each row has its own cost, what it adds, and what was not delivered."""
    lines = "\n".join(table(REPORT))
    assert "CPU for one FastAPI request" in lines
    assert "+30.0 us" in lines
    assert "1.75 x" in lines
    assert "3 spans lost" in lines
    assert "1.50% of a CPU" in lines
    assert "100 ms" in lines
    assert "CPU for one request at" not in "\n".join(table(Report(endpoint="", framework="asgi", spans=REPORT.spans)))


def test_a_benchmark_judges_the_same_figures() -> None:
    """What was wanted is beside each figure of ours; lost spans are never good enough."""
    sections = {section.title: section for section in as_sections(REPORT)}
    verdicts = {figure.name: figure.is_met for section in sections.values() for figure in section.figures}
    assert verdicts == {
        "bare": None,
        "homeostat, 100 %, added": True,
        "homeostat, 100 %, spans lost": True,
        "homeostat, 1 %, added": False,
        "homeostat, 1 %, spans lost": False,
        "bare OpenTelemetry SDK": None,
        "homeostat": None,
        "homeostat, ratio": True,
        "import, time": True,
        "import, memory added": True,
    }
    assert sections["CPU at 100 requests a second"].value("homeostat, 100 %, added") == pytest.approx(0.5)
    assert len(list(as_sections(Report(endpoint="", framework="asgi")))) == 3


def test_a_probe_that_fails_says_why() -> None:
    """The error of a measuring process is the error that its reader sees."""
    with pytest.raises(ProbeFailed, match="no_such_module"):
        imported("import no_such_module")


def test_every_variant_answers_requests() -> None:
    """The application answers, bare and watched by contrib's packages; a plan names its variant."""
    assert has_contrib()
    bare = observed(Variant.BARE, application.application(), ratio=1.0, endpoint="")
    asyncio.run(application.drive(bare.app, requests=3, burst=2, pause_s=0.0))
    assert (bare.flush(), bare.lost()) == (None, None)
    with running_sink() as address:
        watched = observed(Variant.CONTRIB, application.application(), ratio=1.0, endpoint=address)
        asyncio.run(application.drive(watched.app, requests=3))
        assert (watched.flush(), watched.lost()) == (True, None)
    assert Plan(kind="spans", variant=Variant.BARE).variant == "bare"


def test_an_application_without_a_framework_answers() -> None:
    """Where FastAPI is not installed a bare ASGI application is measured instead."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application._bare(application.scope(), None, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    asyncio.run(application.pace(application._bare, requests_per_s=1_000.0, duration_s=0.01))


@pytest.mark.parametrize("variant", [Variant.BARE, Variant.HOMEOSTAT])
def test_spans_are_made_by_both(variant: Variant) -> None:
    """What is measured of a span is the same code over either provider."""
    tracer = _tracer(variant)
    _make(tracer, 2)
    assert tracer.start_span("work").is_recording()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_sink_takes_everything(chunked: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The receiver that keeps nothing answers bodies with a length and chunked ones, over one connection."""
    with running_sink() as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        for _ in range(2):
            connection.request("POST", "/v1/traces", body=iter([b"abc", b"de"]) if chunked else b"abcde")
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"")
        connection.close()
