from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from homeostat.settings.kinds import LIST, MAPPING, OPTIONAL_NUMBER, RULES, SECRETS
from homeostat.settings.loading import load
from homeostat.settings.opentelemetry import VARIABLES
from homeostat.settings.table import SETTINGS

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
KEYS = TEXT.filter(lambda key: bool(key.strip()) and key == key.strip())
VALUES = TEXT.filter(lambda value: value == value.strip())


@given(st.dictionaries(KEYS, VALUES))
def test_pairs_can_be_written_and_read_back(pairs: dict[str, str]) -> None:
    """Whatever separates them may be in a key or in a value."""
    assert MAPPING.parse(MAPPING.show(pairs)) == pairs


@given(st.dictionaries(KEYS, st.text("abcdefgh", min_size=8)))
def test_a_masked_secret_shows_no_value(pairs: dict[str, str]) -> None:
    """Only its keys."""
    masked = SECRETS.mask(SECRETS.show(pairs))
    assert masked.count("=***") == len(pairs)
    assert not any(f"={value}" in masked for value in pairs.values())


@given(st.lists(KEYS.filter(lambda entry: not set(entry) & set(",;\n"))))
def test_lists_can_be_written_and_read_back(entries: list[str]) -> None:
    """With commas, and rules with semicolons."""
    assert LIST.parse(LIST.show(tuple(entries))) == tuple(entries)
    assert RULES.parse(RULES.show(tuple(entries))) == tuple(entries)


@given(st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_may_be_missing_can_be_written_and_read_back(value: float | None) -> None:
    """Nothing is nothing."""
    assert OPTIONAL_NUMBER.parse(OPTIONAL_NUMBER.show(value)) == value


VARIABLE_NAMES = [setting.variable for setting in SETTINGS] + [variable.name for variable in VARIABLES]
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT), st.dictionaries(TEXT, TEXT)
)


@given(
    st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]) | TEXT, ANYTHING),
    st.dictionaries(st.sampled_from(VARIABLE_NAMES), TEXT),
)
def test_whatever_is_given_a_service_has_settings(arguments: dict[str, object], environment: dict[str, str]) -> None:
    """Each within its bounds, and what could not be read is told."""
    settings = load(arguments, environment=environment, folder=Path("/")).settings
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        if setting.minimum is not None and setting.maximum is not None and value is not None:
            assert setting.minimum <= value <= setting.maximum
