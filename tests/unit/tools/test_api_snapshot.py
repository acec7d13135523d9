import homeostat
from tools.api_snapshot import SNAPSHOT, public_names, snapshot


def test_the_public_api_is_the_one_that_was_promised() -> None:
    """A difference is a change of the API: does it break anybody, and does the changelog say so?

    `python -m tools.api_snapshot` writes the new one.
    """
    assert snapshot() == SNAPSHOT.read_text(encoding="utf-8")


def test_what_the_facade_announces_is_there() -> None:
    """Every name can be loaded, and is in the snapshot."""
    text = snapshot()
    for name in public_names(homeostat):
        assert getattr(homeostat, name) is not None
        assert name in text


def test_signatures_fields_and_overloads_are_written() -> None:
    """Arguments with kinds, types and defaults; fields with theirs; what a class inherits from our own; properties."""
    lines = snapshot().splitlines()
    assert "def instrument(app: Any) -> Any" in lines
    assert "    @overload def __getitem__(self, index: slice) -> 'Spans'" in lines
    assert "    kind: Kind = 'internal'" in lines
    assert "    @property def duration_s(self) -> float" in lines
    assert "@dataclass(frozen=True, slots=True, kw_only=True) class RecordedSpan" in lines
    assert "class ExpectationFailed(HomeostatError, AssertionError)" in lines
    assert "ROOT: Root" in lines
