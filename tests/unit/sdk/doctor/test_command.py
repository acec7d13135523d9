from pathlib import Path

from tests.started import run_program

LOOK = """
from homeostat.doctor.command import look
lines = []
code = look({app!r}, say=lines.append)
answer([code, lines])
"""


def look(folder: Path, app: str | None = None) -> tuple[int, list[str]]:
    """Return the code and the lines of the command about a program in this folder."""
    told = {"HOMEOSTAT_ENDPOINT": "http://127.0.0.1:9"}
    ended = run_program(LOOK.format(app=app), folder=folder, variables=told)
    assert ended.code == 0, ended.errors
    code, lines = ended.answer
    return code, [line for line in lines if not line.endswith((")", "  ")) or "  (" not in line]


def test_a_program_is_looked_at_from_inside(tmp_path: Path) -> None:
    """Its own settings, what it hooked, and what exports the same spans beside us."""
    (tmp_path / "shop.py").write_text(
        "import homeostat\n"
        "from fastapi import FastAPI\n"
        "from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor\n"
        "from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor\n"
        "app, other = FastAPI(), FastAPI()\n"
        "FastAPIInstrumentor.instrument_app(other)\n"
        "handle = homeostat.configure('shop', app=app, nonsense=1)\n"
        "handle.instrument(other)\n"
        "handle.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))\n"
    )
    code, lines = look(tmp_path, "shop:app")
    text = "\n".join(lines)
    assert code == 1
    assert "ok       service: shop (development)" in text
    assert text.count("configure() has no argument nonsense") == 1
    assert "ok       program: applications: FastAPI" in text
    assert "warning  duplicate: a SimpleSpanProcessor exports the same spans, too" in text
    assert "warning  duplicate: a FastAPI application is instrumented by contrib's package and was left to it" in text
    assert "PROBLEM  test span" in text


def test_two_providers_are_told(tmp_path: Path) -> None:
    """Whoever was first has the spans."""
    (tmp_path / "shop.py").write_text(
        "import homeostat\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "homeostat.configure('shop')\n"
    )
    _, lines = look(tmp_path, "shop")
    assert any("another tracer provider was set before" in line for line in lines)


def test_a_program_that_is_off_is_told(tmp_path: Path) -> None:
    """Nobody needs to look further."""
    (tmp_path / "shop.py").write_text("import homeostat\nhomeostat.configure('shop', enabled=False)\n")
    code, lines = look(tmp_path, "shop")
    assert code == 0
    assert "warning  program: Homeostat is off in it" in lines
    assert "warning  test span: traces are off" in lines


def test_a_program_that_cannot_be_looked_at_is_a_problem(tmp_path: Path) -> None:
    """One that does not load, one without the attribute, one that does not configure."""
    (tmp_path / "plain.py").write_text("")
    for app, words in (
        ("nowhere", "nowhere cannot be imported: ModuleNotFoundError"),
        ("plain:app", "plain:app cannot be imported: AttributeError"),
        ("plain", "plain does not call homeostat.configure()"),
    ):
        code, lines = look(tmp_path, app)
        assert code == 1
        assert any(words in line for line in lines), lines


def test_without_a_program_it_looks_from_outside(tmp_path: Path) -> None:
    """At settings, libraries, the buffer and the way to the receiver."""
    code, lines = look(tmp_path)
    assert code == 1
    assert [line.split(":")[0].split(maxsplit=1)[-1] for line in lines if line[:1] not in {" ", ""}] == [
        "service",
        "libraries",
        "buffer",
        "test span",
    ]
