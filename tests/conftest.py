from collections.abc import Callable

import pytest

from tests.figures import PROPERTY, Figures


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Return where a test leaves its figures."""
    return Figures(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of all tests under one heading."""
    sentences = [
        str(value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if sentences:
        terminalreporter.section("figures")
    for sentence in sentences:
        terminalreporter.write_line(sentence)
