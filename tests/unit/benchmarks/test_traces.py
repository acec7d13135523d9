import json
from pathlib import Path

import pytest

from benchmarks.traces.client import Answered, Asked
from benchmarks.traces.dataset import DAY_ROUNDS, ROUND_S, Dataset, ensure, planned, read_description
from benchmarks.traces.measurement import Answers
from benchmarks.traces.questions import questions
from benchmarks.traces.subjects import HOUR_NS, Subjects

END_NS = 1_795_253_324 * 10**9


def test_smaller_set_is_the_end_of_a_larger_one() -> None:
    """What one window reads can be compared, because it holds the same spans in both."""
    large, small = planned(20_000_000, end_ns=END_NS), planned(5_000_000, end_ns=END_NS)
    assert large.rounds == range(DAY_ROUNDS)
    assert small.rounds == large.rounds[-50:]
    assert (small.start_ns, small.end_ns) == (large.start_ns + 150 * ROUND_S * 10**9, large.end_ns)
    assert large.newest_hour() == small.newest_hour()


def test_folder_without_description_is_no_data_set(tmp_path: Path) -> None:
    """Nobody's folder is filled with spans, or taken for a set that was cut short."""
    assert read_description(tmp_path) is None
    with pytest.raises(FileExistsError, match="no data set"):
        ensure(tmp_path, spans=100_000)


def test_data_set_is_found_again(tmp_path: Path) -> None:
    """A folder with a description is used as it is."""
    (tmp_path / "dataset.json").write_text(json.dumps({"spans": 100_000, "start_ns": 1, "end_ns": 2}))
    assert ensure(tmp_path, spans=5_000_000) == Dataset(100_000, 1, 2)


def test_each_round_asks_about_something_else() -> None:
    """Questions of a kind differ, so that no cache answers them, and a seed gives the same ones again."""
    dataset = planned(200_000, end_ns=END_NS)
    first, again = Subjects(dataset, seed=1), Subjects(dataset, seed=1)
    for question in questions():
        made = [question.make(first) for _ in range(5)]
        assert [question.make(again) for _ in range(5)] == made
        assert all(asked.path.startswith("/") for asked in made)


def test_subjects_lie_in_the_data() -> None:
    """Windows are inside the set's time, ids are ids, services are known ones."""
    dataset = planned(1_000_000, end_ns=END_NS)
    subjects = Subjects(dataset, seed=3)
    hours = subjects.hours()
    assert dataset.start_ns <= hours.start_ns < hours.end_ns <= dataset.end_ns
    assert hours.end_ns - hours.start_ns == HOUR_NS
    assert len(bytes.fromhex(subjects.trace_id())) == 16
    assert subjects.rare_user().startswith("u-")
    assert subjects.hours_of_requests(1_000_000) == pytest.approx(3.86, abs=0.1)


def test_answers_are_told_by_what_they_took() -> None:
    """Percentiles count what was answered; a number that answers carry is found."""
    body = json.dumps({"scanned": {"bytes": 7}}).encode()
    answers = Answers([Answered(200, body, float(number)) for number in range(1, 101)])
    assert [answers.percentile_ms(share) for share in (0.5, 0.95, 1)] == [50, 95, 100]
    assert answers.median_of("scanned", "bytes") == 7
    assert answers.median_of("scanned", "rows") is None
    assert len(Answers([Answered(404, b"", 1.0)]).failed) == 1


def test_question_is_written_as_a_request_line() -> None:
    """Parameters are escaped."""
    assert Asked("/a", {"b": "c d&"}).target == "/a?b=c+d%26"
    assert Asked("/a").target == "/a"
