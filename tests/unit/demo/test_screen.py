import io

from demo.screen import LINE_INTERVAL_S, Screen


class Terminal(io.StringIO):
    """Be a terminal that remembers."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Clock:
    """Be a clock that stands still until it is set."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_lines_are_printed_as_they_are() -> None:
    """Nothing breaks, colours or reads a line that is there to be pasted."""
    output = io.StringIO()
    line = "curl 'http://127.0.0.1:4318/api/v1/traces?x=[bold]:smile:&y=" + "z" * 300 + "'"
    Screen(output).say(line)
    assert output.getvalue() == f"{line}\n"


def test_elsewhere_progress_is_a_line_now_and_then() -> None:
    """A log gets one line in five seconds."""
    output, clock = io.StringIO(), Clock()
    with Screen(output, monotonic_s=clock).moving("begin") as show:
        for second in range(11):
            clock.now_s = float(second)
            show(f"at {second}")
    assert output.getvalue().splitlines() == [f"at {LINE_INTERVAL_S:g}", f"at {2 * LINE_INTERVAL_S:g}"]


def test_on_a_terminal_progress_moves() -> None:
    """One line changes, and lines said meanwhile stand above it."""
    output = Terminal()
    screen = Screen(output)
    with screen.moving("begin") as show:
        show("later")
        screen.say("a line")
    assert "a line" in output.getvalue()
    assert "\x1b[" in output.getvalue()
