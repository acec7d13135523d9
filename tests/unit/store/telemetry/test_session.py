from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat_server.exceptions import (
    HomeostatError,
    InvalidRequest,
    QueryLimit,
    SegmentRejected,
    StoreUnavailable,
)
from homeostat_server.store.telemetry.embedded import ARROW_SETTINGS, _integer
from homeostat_server.store.telemetry.session import Session, engine_code, read_error, write_error


def engine_error(code: int, text: str = "Something.") -> RuntimeError:
    """Return an error as the engine gives it."""
    return RuntimeError(f"Code: {code}. DB::Exception: {text} (NAME)\nstack\ntrace")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (engine_error(62), InvalidRequest),
        (engine_error(47), InvalidRequest),
        (engine_error(164), InvalidRequest),
        (engine_error(159), QueryLimit),
        (engine_error(396), QueryLimit),
        (engine_error(241, "Query memory limit exceeded"), QueryLimit),
        (engine_error(241, "(total) memory limit exceeded"), StoreUnavailable),
        (engine_error(40), StoreUnavailable),
        (engine_error(243), StoreUnavailable),
        (engine_error(1001), StoreUnavailable),
        (RuntimeError("the store is closed"), StoreUnavailable),
    ],
)
def test_a_failed_question_has_a_culprit(error: RuntimeError, expected: type[HomeostatError]) -> None:
    """The asker's mistake, the asker's cost, or the store's trouble; one line of the engine's text says which."""
    told = read_error(error)
    assert type(told) is expected
    assert str(told.value) == str(error).split("\n", 1)[0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (engine_error(131), SegmentRejected),
        (engine_error(32, "Attempt to read after eof: While executing ProtobufRowInputFormat."), SegmentRejected),
        (engine_error(444), SegmentRejected),
        (engine_error(33, "While executing MergeTreeSelect(pool: ReadPool)."), StoreUnavailable),
        (engine_error(434), StoreUnavailable),
        (engine_error(107), StoreUnavailable),
        (engine_error(243), StoreUnavailable),
        (engine_error(241), StoreUnavailable),
        (engine_error(252), StoreUnavailable),
        (RuntimeError("no code"), StoreUnavailable),
    ],
)
def test_a_failed_insert_may_pass_later_unless_the_content_is_bad(
    error: RuntimeError, expected: type[HomeostatError]
) -> None:
    """Only what the engine says of a segment's bytes is final: whatever else it says, nothing is thrown away."""
    assert type(write_error(error)) is expected


def test_an_error_without_a_number_has_none() -> None:
    """It is 0, which is no number of the engine's."""
    assert engine_code(RuntimeError("Failed to create connection")) == 0


def test_a_statistic_that_is_no_number_is_unavailable() -> None:
    """The engine's tables change between releases; a wrong number would be worse than none."""
    with pytest.raises(StoreUnavailable):
        _integer("many")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Return a session of an empty engine."""
    opened = open_session(tmp_path, {})
    yield opened
    opened.close()


def open_session(folder: Path, settings: dict[str, str | int], *, role: str | None = None) -> Session:
    """Open an engine without any configuration of ours."""
    config = folder / "config.xml"
    config.write_text("<clickhouse></clickhouse>", encoding="utf-8")
    return Session(folder / "data", config, {**ARROW_SETTINGS, **settings}, role=role)


def test_settings_are_text_or_numbers_and_stay_after_a_failure(tmp_path: Path) -> None:
    """A session that had to change its connection is the same session."""
    comment = "it's \\ here"
    session = open_session(tmp_path, {"log_comment": comment, "max_result_rows": 5})
    sql = "SELECT getSetting('log_comment') AS comment, getSetting('max_result_rows') AS n"
    for _ in range(2):
        assert session.rows(sql, {}) == [{"comment": comment.encode(), "n": 5}]
        with pytest.raises(QueryLimit):
            session.rows("SELECT number FROM numbers(6)", {})
    session.close()


@pytest.mark.parametrize("role", ["no_such_role", None])
def test_a_session_that_cannot_be_set_up_leaves_nothing_open(tmp_path: Path, role: str | None) -> None:
    """Another folder opens after that."""
    with pytest.raises(RuntimeError):
        open_session(tmp_path, {"no_such_setting": 1} if role is None else {}, role=role)
    (tmp_path / "other").mkdir()
    open_session(tmp_path / "other", {}).close()


def test_a_failed_statement_does_not_change_what_the_next_one_says(session: Session) -> None:
    """Neither a failed write nor a failed question, in whatever order."""
    failing = "SELECT throwIf(number = 5) FROM numbers(9)"
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            session.execute(failing)
        assert session.rows("SELECT 1 AS one", {}) == [{"one": 1}]
        with pytest.raises(InvalidRequest):
            session.rows(failing, {})
        assert session.rows("SELECT 2 AS two", {}) == [{"two": 2}]


def test_a_closed_session_says_so(session: Session) -> None:
    """It does not open again."""
    session.close()
    session.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        session.rows("SELECT 1", {})
    with pytest.raises(StoreUnavailable, match="closed"):
        session.execute("SELECT 1")
