import json
from pathlib import Path

from benchmarks.figures import Figure, Section, at_least, at_most, exactly, shown, table, write_json

SECTION = Section(
    "spans",
    [
        Figure("rate", 123_456.7, "spans/s", at_least(100_000)),
        Figure("p99", 300.0, "ms", at_most(250)),
        Figure("missing", 0, "", exactly(0)),
        Figure("seconds", 1.23456, "s"),
    ],
)


def test_figures_say_whether_their_target_is_met() -> None:
    """At least, at most and exactly; a figure without a target says nothing."""
    assert [figure.is_met for figure in SECTION.figures] == [True, False, True, None]
    assert not exactly(0).is_met(1)


def test_a_table_shows_each_figure_with_its_verdict() -> None:
    """A line a figure, and one that is missed stands out."""
    lines = table(SECTION).splitlines()
    assert lines[0] == "spans"
    assert "123,457" in lines[1]
    assert lines[1].endswith("≥ 100,000: met")
    assert lines[2].endswith("≤ 250: NOT MET")
    assert lines[4].split() == ["seconds", "1.235", "s"]


def test_numbers_are_shown_as_people_read_them() -> None:
    """Four digits, thousands apart, whole numbers whole."""
    assert [shown(value) for value in (0, 7.0, 0.123456, 1234.5, 1_000_000.4)] == [
        "0", "7", "0.1235", "1,234", "1,000,000",
    ]  # fmt: skip


def test_json_holds_values_targets_and_surroundings(tmp_path: Path) -> None:
    """What is written can be compared by a program."""
    write_json(tmp_path / "made" / "figures.json", [SECTION], before={"cpus": 2})
    written = json.loads((tmp_path / "made" / "figures.json").read_text(encoding="utf-8"))
    assert written["surroundings"] == {"cpus": 2}
    figures = written["sections"][0]["figures"]
    assert figures[1] == {"name": "p99", "value": 300.0, "unit": "ms", "target": "≤ 250", "met": False}
    assert figures[3] == {"name": "seconds", "value": 1.23456, "unit": "s"}
