import pytest
from opentelemetry import baggage
from opentelemetry.context import Context

from homeostat.propagation import PropagationConfig, Propagator

EVERYTHING = Propagator(PropagationConfig(baggage_allowed=("*",)))


def arrived(*values: str) -> dict[str, object]:
    """Return the baggage of a request with these headers."""
    return dict(baggage.get_all(EVERYTHING.extract_http([("baggage", value) for value in values])))


def leaving(propagator: Propagator, **members: str) -> str:
    """Return the header that leaves with these members, empty where none does."""
    context = Context()
    for key, value in members.items():
        context = baggage.set_baggage(key, value, context)
    return propagator.headers(context).get("baggage", "")


@pytest.mark.parametrize(
    ("values", "members"),
    [
        (["key=value"], {"key": "value"}),
        (["a=1,b=2"], {"a": "1", "b": "2"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (["a = 1 \t,\t b= 2 "], {"a": "1", "b": "2"}),
        (["a=1,,b=2"], {"a": "1", "b": "2"}),
        (["a="], {"a": ""}),
        (["a=1=2=3"], {"a": "1=2=3"}),
        (["a=%20x%2Cy%3Bz%25"], {"a": " x,y;z%"}),
        (["a=%C3%A4"], {"a": "ä"}),
        (["a=b+c"], {"a": "b+c"}),
        (["a=%ff%C3%A4"], {"a": "\ufffdä"}),
        (["a=1,a=2"], {"a": "2"}),
        (["a=1;p1;p2=v , b=2"], {"a": "1", "b": "2"}),
        (["%41=1"], {"%41": "1"}),
    ],
)
def test_members_are_read(values: list[str], members: dict[str, str]) -> None:
    """Values are percent-encoded UTF-8, keys are not, a plus is a plus, and the last of two counts."""
    assert arrived(*values) == members


@pytest.mark.parametrize("bad", ["a", "=1", "ä=1", "a b=1", 'a="x"', "a=x y", "a=x\\y", "a=1;;p", "a=1;p q", "a[]=1"])
def test_a_malformed_member_is_left_out_alone(bad: str) -> None:
    """Its neighbours arrive, and it is counted."""
    propagator = Propagator()
    context = propagator.extract_message([("baggage", f"good=1,{bad},fine=2")])
    assert dict(baggage.get_all(context)) == {"good": "1", "fine": "2"}
    assert propagator.statistics.refused_baggage_in == 1


def test_properties_go_out_again() -> None:
    """They say something about their member that is none of our business."""
    context = EVERYTHING.extract({"baggage": "a=%2C;p1;p2=v%20,b=2"}, Context())
    assert EVERYTHING.headers(context)["baggage"].endswith("a=%2C;p1;p2=v%20,b=2")


def test_no_more_than_the_bounds_comes_in() -> None:
    """64 members and 8192 characters are what W3C asks everybody to carry; members are left out whole."""
    assert len(arrived(",".join(f"k{number}=v" for number in range(70)))) == 64
    assert list(arrived(f"first={'v' * 8000},second={'v' * 180},third=v")) == ["first"]
    assert arrived("a=" + "v" * 9000) == {}


def test_no_more_than_the_bounds_goes_out() -> None:
    """Members that do not fit are left out and counted, later ones that fit still go."""
    propagator = Propagator(PropagationConfig(baggage_allowed=("*",)))
    assert leaving(propagator, **{f"k{number}": "v" for number in range(70)}).count(",") == 63
    assert leaving(propagator, small="v", large="v" * 9000, last="v") == "small=v,last=v"
    assert propagator.statistics.refused_baggage_out == 7


def test_a_key_that_is_no_token_does_not_leave() -> None:
    """It could not be read again."""
    assert leaving(EVERYTHING, **{"a b": "1", "ok": "ä ,"}) == "ok=%C3%A4%20%2C"


def test_by_default_no_baggage_leaves() -> None:
    """Whoever puts something into baggage does not know who is called; the configuration does."""
    propagator = Propagator()
    assert leaving(propagator, cart="1") == ""
    assert propagator.statistics.not_allowed_baggage == 1


def test_what_is_allowed_leaves() -> None:
    """By whole names, or by what they start with."""
    propagator = Propagator(PropagationConfig(baggage_allowed=("cart", "feature.*")))
    members = {"cart": "1", "cartoon": "2", "feature.a": "3", "features": "4"}
    assert leaving(propagator, **members) == "cart=1,feature.a=3"
