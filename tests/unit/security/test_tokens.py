import base64
import string
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homeostat_server.exceptions import Unauthenticated
from homeostat_server.security.tokens import (
    BASIC_LENGTH_MAX,
    Headers,
    RequestIdentity,
    Token,
    choose_credential,
    generate_token,
    hash_secret,
    is_token,
    parse_token,
    read_identity,
)

_HEX = "0123456789abcdef"
_tokens = st.builds(
    Token,
    id=st.text(_HEX, min_size=16, max_size=16),
    secret=st.text(_HEX, min_size=64, max_size=64),
)
_words = st.text(string.ascii_letters + string.digits + "-._~+/=", min_size=1, max_size=40)
_cases = st.sampled_from([str.lower, str.upper, str.title])
_header_bytes = st.binary(max_size=80)
_names = st.sampled_from([b"authorization", b"x-api-key", b"X-Scope-OrgID", b"host", b"origin", b"accept"])


def _credential(headers: Headers) -> str | None:
    return choose_credential(read_identity(headers).credentials)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@given(token=_tokens)
def test_a_token_reads_as_it_was_written(token: Token) -> None:
    """Writing and reading a token gives the same one."""
    assert parse_token(str(token)) == token


@given(text=st.text() | st.from_regex(r"hs_[0-9a-f]{15,17}_[0-9a-f]{63,65}"))
@example("hs_0123456789abcdef_" + "0" * 64 + "\n")
@example("hs_0123456789abcdeF_" + "0" * 64)
@example("hs_\N{ARABIC-INDIC DIGIT ZERO}123456789abcdef_" + "0" * 64)
def test_whatever_else_is_refused_and_not_repeated(text: str) -> None:
    """Only the exact form is a token; the error never shows what may be a password."""
    if is_token(text):
        assert str(parse_token(text)) == text
        return
    with pytest.raises(Unauthenticated) as caught:
        parse_token(text)
    assert (caught.value.reason, caught.value.value) == ("malformed", None)


def test_new_tokens_are_random_and_long() -> None:
    """A secret has 256 bits, and no two tokens share a part."""
    tokens = [generate_token() for _ in range(100)]
    assert len({token.id for token in tokens}) == len({token.secret for token in tokens}) == 100
    assert all(parse_token(str(token)) == token for token in tokens)


def test_a_secret_is_not_shown_by_accident() -> None:
    """Neither a token nor what a request said shows its secret when it is logged."""
    token = generate_token()
    assert token.secret not in repr(token)
    assert token.secret not in repr(RequestIdentity(credentials=(str(token),)))


def test_what_is_stored_is_sha_256() -> None:
    """The hash is the standard one, so that other tools can check a database."""
    assert hash_secret("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(token=_tokens, user=st.text(st.characters(exclude_characters=":", codec="utf-8"), max_size=60), case=_cases)
def test_a_key_is_found_wherever_it_may_be(token: Token, user: str, case: Callable[[str], str]) -> None:
    """Bearer, Basic password and X-API-Key mean the same, in any case, as text or bytes."""
    text = str(token)
    for name, value in [
        ("authorization", f"Bearer {text}"),
        ("authorization", f"bEARER   {text} "),
        ("authorization", _basic(user, text)),
        ("x-api-key", f" {text}"),
    ]:
        assert _credential([(case(name), value)]) == text
        assert _credential([(case(name).encode(), value.encode())]) == text


@given(token=_tokens, other=_words)
def test_a_proxy_may_have_a_credential_of_its_own(token: Token, other: str) -> None:
    """Beside another program's credential, the one written like a key of ours counts, in either order."""
    headers = [("authorization", f"Bearer {other}"), ("x-api-key", str(token))]
    assert _credential(headers) == _credential(headers[::-1]) == str(token)


def test_without_a_key_of_ours_the_first_credential_counts() -> None:
    """Two foreign credentials are as good as one: neither will be let in."""
    assert _credential([("authorization", "Bearer one"), ("x-api-key", "two")]) == "one"


@given(first=_tokens, second=_tokens)
def test_two_different_keys_are_ambiguous(first: Token, second: Token) -> None:
    """The same key twice is one key; two keys are refused, never chosen between."""
    headers = [("authorization", _basic("u", str(first))), ("x-api-key", str(second))]
    if first == second:
        assert _credential(headers) == str(first)
        return
    with pytest.raises(Unauthenticated) as caught:
        _credential(headers)
    assert caught.value.reason == "ambiguous"


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "", "Negotiate abc", "Basic", "Basic !!!", "Basic /w==", "Basic dXNlcg==", "Digest a=b"],
)
def test_a_credential_without_a_key_is_still_one(value: str) -> None:
    """What holds no key is kept as a credential that will be refused where one is needed."""
    credential = _credential([("authorization", value)])
    assert credential is not None
    assert not is_token(credential)


def test_basic_credentials_are_bounded() -> None:
    """Nobody makes the server decode more than a key and a user name."""
    assert _credential([("authorization", "Basic " + "YTpi" * BASIC_LENGTH_MAX)]) == ""


def test_what_else_is_read() -> None:
    """Tenant, host and origin come as they were sent, without surrounding space; the rest is not looked at."""
    headers: list[tuple[str | bytes, str | bytes]] = [
        ("Host", "h:1"),
        ("X-SCOPE-ORGID", " team "),
        (b"origin", b"http://o"),
        (b"x-other", b"\xff"),
    ]
    assert read_identity(headers) == RequestIdentity(tenants=("team",), hosts=("h:1",), origins=("http://o",))
    assert read_identity([]) == RequestIdentity()


def test_every_value_is_kept() -> None:
    """A header that comes twice contradicts itself; who judges it has to see both."""
    headers = [("host", "a"), ("x-scope-orgid", "t"), ("host", "b"), ("x-scope-orgid", "t")]
    assert read_identity(headers) == RequestIdentity(hosts=("a", "b"), tenants=("t", "t"))


@given(headers=st.lists(st.tuples(_names, _header_bytes), max_size=6))
def test_any_bytes_are_read(headers: list[tuple[bytes, bytes]]) -> None:
    """No header value makes reading fail, and none is lost."""
    identity = read_identity(headers)
    values = (*identity.credentials, *identity.tenants, *identity.hosts, *identity.origins)
    assert len(values) == sum(name != b"accept" for name, _ in headers)
