import shlex
from collections import Counter

from demo.proof import Asked, Proof
from demo.questions import Answer, Samples, parse_samples
from demo.traffic import Tally
from demo.words import look_lines, progress_line, summary_lines

COUNTED = 'homeostat_ingest_items_total{signal="traces",outcome="accepted"} 1234'
SAMPLES = parse_samples(f"# TYPE homeostat_ingest_items_total counter\n{COUNTED}\n")
ANSWER = Answer(path="/api/v1/services", status=200, document={}, duration_ms=12.3)


def test_commands_can_be_pasted() -> None:
    """A shell reads each as curl and one URL."""
    lines = list(look_lines("http://127.0.0.1:4318", trace_id="ab" * 16, duration_s=0))
    commands = [shlex.split(line)[-2:] for line in lines if "curl" in line]
    assert len(commands) == 9
    assert all(program == "curl" and url.startswith("http://127.0.0.1:4318/api/v1/") for program, url in commands)
    assert lines[-1] == "Ctrl-C stops it."


def test_progress_fits_on_a_terminal() -> None:
    """Eighty columns hold some hours of it."""
    line = progress_line(Tally(answers=Counter({200: 99_999})), SAMPLES, elapsed_s=3_600, duration_s=0)
    assert line == "3600 s: 99,999 requests; ingested 1,234 spans, 0 logs, 0 points"
    assert progress_line(Tally(), SAMPLES, elapsed_s=1, duration_s=20).startswith("1 of 20 s: 0 requests;")


def test_the_summary_says_what_was_ingested_and_answered() -> None:
    """One line for each question."""
    proof = Proof(asked=(Asked(answer=ANSWER, count=3, noun="services"),), samples=SAMPLES, missing=())
    lines = list(summary_lines(Tally(), proof))
    assert "    1,234 spans, 0 refused" in lines
    assert "  200      3 services        12 ms  GET /api/v1/services" in lines
    assert lines[-1] == "Everything is there."


def test_the_summary_names_what_is_missing() -> None:
    """Nobody has to look for it."""
    proof = Proof(asked=(), samples=Samples({}), missing=("service pricing",))
    assert list(summary_lines(Tally(), proof))[-2:] == ["Missing", "  - service pricing"]
