import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.query.binding import Binder
from homeostat_server.query.intrinsics.choosing import choice_of


def chosen(text: str) -> str:
    """Return what is asked of a span, with values in the place of their parameters."""
    binder = Binder()
    choice = choice_of(text, binder)
    told = " AND ".join((*choice.cheap, *choice.exact))
    for name, value in binder.parameters.items():
        for kind in ("String", "Int64", "Float64"):
            told = told.replace(f"{{{name}:{kind}}}", repr(value))
    return " ".join(told.split())


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", ""),
        ("{ }", ""),
        ("nonsense", ""),
        ('{ resource.service.name = "shop" }', "service = 'shop'"),
        ("{ status = error }", "status_code = 2"),
        ("{ kind != server }", "kind != 2"),
        ('{ name = "GET /" && duration > 1ms }', "(name = 'GET /' AND duration_ns > 1000000)"),
        ("{ status = error || status = ok }", "(status_code = 2 OR status_code = 1)"),
        # A side of which nothing can be said may be true of any span.
        ("{ status = error || traceDuration > 1s }", ""),
        ("{ status = error && traceDuration > 1s }", "(status_code = 2)"),
        # Not finished yet, as while it is being written.
        ('{ resource.service.name = "shop" && span.http.method = }', "service = 'shop'"),
        ('{resource.service.name="shop" && span.', "service = 'shop'"),
        ("{ status = error } >> { status = ok }", ""),
    ],
)
def test_what_can_be_told_of_a_single_span_is_asked(text: str, asked: str) -> None:
    """All else is left out, so that the list of tags is never too short."""
    assert chosen(text) == asked


def test_an_attribute_is_asked_for_where_it_may_lie() -> None:
    """One without a scope is the span's or the resource's; a pattern is of the whole value; nil is absent."""
    assert "resource" in chosen('{ .customer = "acme" }')
    assert " OR " in chosen('{ .customer = "acme" }')
    assert "'^(?:a.*)$'" in chosen('{ span.customer =~ "a.*" }')
    assert chosen("{ span.customer = nil }").startswith("NOT ")


@given(st.text(max_size=40) | st.text('{}|&<>=~!. "ab1()', max_size=40))
def test_any_text_is_taken(text: str) -> None:
    """People have not finished writing; nothing is refused."""
    choice_of(text, Binder())
