"""What can go wrong with the demo itself, in words for the person who started it: one tree, under `DemoFailure`."""

import signal
from collections.abc import Sequence


class DemoFailure(Exception):
    """Say what went wrong."""


def _with_output(sentence: str, last_lines: Sequence[str]) -> str:
    if not last_lines:
        return f"{sentence} It said nothing."
    return "\n".join([f"{sentence} Its last lines:", *(f"    {line}" for line in last_lines)])


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"by signal {signal.Signals(-exit_code).name}"
    return f"with exit code {exit_code}"


class ChildEnded(DemoFailure):
    """Say which process ended when or as it should not, how, and what it said last."""

    def __init__(self, name: str, *, exit_code: int | None, last_lines: Sequence[str]) -> None:
        """Describe the end; a negative exit code is a signal's number."""
        super().__init__(_with_output(f"{name} ended {_how(exit_code)}.", last_lines))
        self.name = name
        self.exit_code = exit_code


class ChildSlow(DemoFailure):
    """Say which process did not get ready, and what it said last."""

    def __init__(self, name: str, *, waited_s: float, last_lines: Sequence[str]) -> None:
        """Describe the wait."""
        super().__init__(_with_output(f"{name} is not ready after {waited_s:g} s.", last_lines))
        self.name = name


class ServiceSlow(DemoFailure):
    """Say which service does not answer its probe."""

    def __init__(self, name: str, *, waited_s: float) -> None:
        """Describe the wait."""
        super().__init__(f"{name} does not answer after {waited_s:g} s.")
        self.name = name
