from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.settings import kinds
from homeostat.settings.kinds import Address, LogLevel, mask_password
from homeostat.settings.rows import Setting
from homeostat_server.exceptions import SettingInvalid
from homeostat_server.runtime.settings import SETTINGS, SETTINGS_BY_NAME
from homeostat_server.runtime.settings_loading import load_settings

HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    kinds.INTEGER.name: st.integers(-(10**18) + 1, 10**18 - 1),
    kinds.BYTES.name: st.integers(0, 10**18 - 1),
    kinds.NUMBER.name: st.floats(allow_nan=False, allow_infinity=False),
    kinds.SWITCH.name: st.booleans(),
    kinds.LOG_LEVEL.name: st.sampled_from(LogLevel),
    kinds.ADDRESS.name: st.builds(Address, HOSTS, st.integers(0, 65_535)),
    kinds.TEXT.name: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    kinds.PATH.name: st.from_regex(r"/?[A-Za-z0-9._ -]+(/[A-Za-z0-9._ ~-]+)*", fullmatch=True).map(Path),
}
KINDS = {kind.name: kind for kind in (kinds.INTEGER, kinds.BYTES, kinds.NUMBER, kinds.SWITCH, kinds.LOG_LEVEL)}
KINDS |= {kind.name: kind for kind in (kinds.ADDRESS, kinds.TEXT, kinds.PATH)}


@given(st.data(), st.sampled_from(sorted(KINDS)))
def test_what_is_shown_is_read_back_as_the_same_value(data: st.DataObject, name: str) -> None:
    """Printing a value and giving it again changes nothing."""
    value = data.draw(VALUES[name])
    assert KINDS[name].parse(KINDS[name].show(value)) == value


ANYTHING = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers(), max_size=2), st.binary()
)


@given(st.sampled_from(SETTINGS), ANYTHING.filter(lambda value: value is not None))
def test_any_value_is_either_taken_within_bounds_or_refused_with_a_hint(setting: Setting, value: object) -> None:
    """No value crashes the start, and none outside the bounds gets in."""
    if setting.name == "config":
        return
    try:
        settings = load_settings({setting.name: value}, environment={})
    except SettingInvalid as error:
        assert error.hint
        return
    taken = getattr(settings, setting.name)
    assert setting.minimum is None or taken >= setting.minimum
    assert setting.maximum is None or taken <= setting.maximum


@given(st.integers(0, 4095), st.integers(0, 4095), st.booleans())
def test_a_flag_always_wins_over_a_variable(flag: int, variable: int, given_flag: bool) -> None:  # noqa: FBT001 - drawn
    """Precedence does not depend on the values."""
    flags = {"node": str(flag) if given_flag else None}
    settings = load_settings(flags, environment={"HOMEOSTAT_NODE": str(variable)})
    assert settings.node == (flag if given_flag else variable)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: f"S3CRET{text}"))
def test_no_password_survives_masking(password: str) -> None:
    """Whatever a password consists of, its beginning is not printed."""
    shown = SETTINGS_BY_NAME["state"].show(f"postgresql://user:{password}@host/db")
    assert "S3CRET" not in shown
    assert shown == mask_password(shown)
