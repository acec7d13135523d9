import pytest

from homeostat.exceptions import SettingInvalid
from homeostat.sampling import RouteRule, SamplingConfig, TailConfig, default_ratio, parse_rules
from homeostat.sampling.config import RULES_MAX, describe


@pytest.mark.parametrize(
    ("environment", "ratio"),
    [
        (None, 1.0),
        ("", 1.0),
        ("development", 1.0),
        ("staging", 1.0),
        ("production", 0.1),
        (" Prod ", 0.1),
        ("live", 0.1),
    ],
)
def test_the_default_ratio_follows_the_environment(environment: str | None, ratio: float) -> None:
    """Everything is kept but in production, where it is a tenth."""
    assert default_ratio(environment) == ratio


def test_rules_are_read_and_written_in_one_form() -> None:
    """Method, pattern and ratio; separated by semicolons or lines."""
    rules = parse_rules("GET /health*=0; /orders/{id} = 0.5\n nightly report-* =1;;")
    assert rules == (
        RouteRule("/health*", 0.0, "GET"),
        RouteRule("/orders/{id}", 0.5),
        RouteRule("nightly report-*", 1.0),
    )
    assert parse_rules(describe(rules)) == rules


@pytest.mark.parametrize("text", ["/a", "/a=", "/a=x", "=1", "/a=1.5", "/a=-1", "/a=nan", "GET nightly=1"])
def test_a_rule_that_cannot_be_meant_is_refused(text: str) -> None:
    """The error shows what was written."""
    with pytest.raises(SettingInvalid):
        parse_rules(text)


def test_a_rule_needs_a_pattern() -> None:
    """Nothing matches nothing."""
    with pytest.raises(SettingInvalid):
        RouteRule("", 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SamplingConfig(ratio=1.01),
        lambda: SamplingConfig(slow_s=0.0),
        lambda: SamplingConfig(slow_s=float("nan")),
        lambda: SamplingConfig(rules=(RouteRule("/a", 1.0),) * (RULES_MAX + 1)),
        lambda: TailConfig(spans_max=0),
        lambda: TailConfig(age_s_max=0.0),
    ],
)
def test_a_configuration_without_sense_is_refused(wrong: type[SamplingConfig]) -> None:
    """Ratios are within 0 and 1, bounds bound something."""
    with pytest.raises(SettingInvalid):
        wrong()
