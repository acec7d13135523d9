import io

from homeostat_server.runtime.progress import LINE_INTERVAL_S, progress
from homeostat_server.runtime.testing import ManualClock


class Terminal(io.StringIO):
    """Claim to be a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_elsewhere_progress_is_plain_lines_at_an_interval() -> None:
    """A log gets a first line, one every few seconds, and the last."""
    output, clock = io.StringIO(), ManualClock()
    with progress("replaying", total=4, output=output, clock=clock) as job:
        job.advance()
        job.advance()
        clock.advance(LINE_INTERVAL_S)
        job.advance()
        job.advance()
    assert output.getvalue().splitlines() == ["replaying: 1/4", "replaying: 3/4", "replaying: 4/4"]


def test_on_a_terminal_progress_is_a_bar() -> None:
    """The bar ends at the total."""
    output = Terminal()
    with progress("replaying", total=2, output=output) as job:
        job.advance(2)
    assert "2/2" in output.getvalue()
