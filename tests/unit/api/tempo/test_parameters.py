import pytest

from homeostat_server.api.tempo.parameters import moment_of_text, step_of_text, usual_step_ns
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.window import Window

S = 10**9


@pytest.mark.parametrize(
    ("length_s", "step_s"), [(1, 0.05), (30, 0.1), (60, 1), (3_600, 15), (6 * 3_600, 60), (7 * 86_400, 2_400)]
)
def test_a_question_without_a_step_has_some_240_of_them(length_s: int, step_s: float) -> None:
    """Each a round time."""
    assert usual_step_ns(Window(0, length_s * S)) == round(step_s * S)


@pytest.mark.parametrize(("text", "step_ns"), [("30", 30 * S), ("0.5", S // 2), ("1m30s", 90 * S), ("1e2", 100 * S)])
def test_a_step_is_seconds_or_a_duration(text: str, step_ns: int) -> None:
    """As Grafana and people write it."""
    assert step_of_text(text) == step_ns


@pytest.mark.parametrize("text", ["0s", "-5s", "-1", "1e400", "1-1", "long", "1e30"])
def test_what_is_no_step_is_refused(text: str) -> None:
    """A step goes on in time."""
    with pytest.raises(InvalidRequest):
        step_of_text(text)


def test_a_moment_is_seconds_nanoseconds_or_written_out() -> None:
    """Told apart by its length."""
    expected = 1_767_225_600 * S
    for text in ("1767225600", "1767225600000000000", "2026-01-01T00:00:00Z", "1767225600.0"):
        assert moment_of_text(text, name="start") == expected
    with pytest.raises(InvalidRequest):
        moment_of_text("yesterday", name="start")
