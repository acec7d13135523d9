import logging
from collections.abc import Iterator

import pytest

from homeostat.settings.kinds import LogLevel
from homeostat_server.server.logs import configure_logs

CHATTY = ("uvicorn", "grpc", "alembic", "asyncio")


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """Give the test runner its handlers and levels back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    root.handlers.clear()  # so that nobody closes them
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_a_line_says_when_how_bad_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines go to standard error: standard output holds the ready line alone."""
    configure_logs(LogLevel("info"))
    logging.getLogger("homeostat_server.some").warning("it is %s", "late")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("WARNING homeostat_server.some: it is late\n")


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)])
def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str], level: str, shown: int) -> None:
    """Of a debug, an info and a warning line, those of the level and above are shown."""
    configure_logs(LogLevel(level))
    for number in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger("homeostat_server.some").log(number, "line")
    assert capsys.readouterr().err.count("line") == shown


def test_libraries_say_only_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for every connection would bury ours, at any level."""
    configure_logs(LogLevel("debug"))
    for name in CHATTY:
        logging.getLogger(f"{name}.part").info("chat")
        logging.getLogger(f"{name}.part").warning("wrong")
    said = capsys.readouterr().err
    assert (said.count("chat"), said.count("wrong")) == (0, len(CHATTY))
