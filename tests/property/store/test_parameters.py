import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from homeostat_server.model.tenant import Tenant
from homeostat_server.store.telemetry.session import escape_parameter
from tests.property.store.conftest import Engine

ASKER = Tenant("asker")
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(max_codepoint=0x7F)),
    st.text("\\'\"`\t\n\r\0\b\f\a\v{}:;-/*%nrt0xNe "),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
@example(texts=["C:\\temp", "\\", "\\\\", "\t", "\n", "\r", "\0", "\\N", "\\x41", "a\tb", "{a:String}", "'", "''"])
@example(texts=["", " ", "\ufeff", "\u2028", "\U0010ffff", "null", "NULL", "nan", "[]", "é", "e\u0301"])
def test_text_arrives_as_it_was_bound(engine: Engine, texts: list[str]) -> None:
    """All of Unicode, whatever it would mean in SQL, in a TSV file or in C."""
    names = [f"p{number}" for number in range(len(texts))]
    sql = "SELECT " + ", ".join(f"{{{name}:String}} AS {name}" for name in names)
    row = engine.store.read(ASKER, sql, dict(zip(names, texts, strict=True)))[0]
    assert [row[name] for name in names] == [text.encode() for text in texts]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    small=st.integers(-(2**63), 2**63 - 1),
    large=st.integers(0, 2**64 - 1),
    real=st.floats(allow_nan=False, allow_infinity=False),
)
def test_numbers_arrive_as_they_were_bound(engine: Engine, small: int, large: int, real: float) -> None:
    """To the last bit."""
    sql = "SELECT {small:Int64} AS small, {large:UInt64} AS large, {real:Float64} AS real"
    bound = {"small": small, "large": large, "real": real}
    assert engine.store.read(ASKER, sql, bound) == [bound]


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_numbers_need_no_escape(value: float) -> None:
    """They go as they are."""
    assert escape_parameter(value) is value
