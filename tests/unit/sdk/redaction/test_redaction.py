import re

import pytest
from opentelemetry.util.types import AnyValue

from homeostat.redaction import HIDDEN, RedactionConfig, Redactor
from homeostat.redaction.rules import is_card_number, words_of

REDACTOR = Redactor()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db.password",
        "DB_PASSWORD",
        "userPassword",
        "http.request.header.authorization",
        "http.request.header.set-cookie",
        "http.response.header.x-api-key",
        "apiKey",
        "API_KEY",
        "HTTPCookie",
        "aws.secret_access_key",
        "client-secret",
        "session.token",
        "privateKey",
        "card.number",
        "cvv",
    ],
)
def test_a_name_that_announces_a_secret_hides_it(name: str) -> None:
    """Whichever way its words are joined."""
    assert REDACTOR.hides(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "http.route",
        "keyboard",
        "key",
        "gen_ai.usage.input_tokens",
        "gen_ai.token.type",
        "token_count",
        "password.length",
        "messaging.message.id",
        "db.query.text",
        "cookies_enabled_count",
        "card",
        "number",
    ],
)
def test_a_harmless_name_hides_nothing(name: str) -> None:
    """Words are compared whole, and what is said about a secret is none."""
    assert not REDACTOR.hides(name)


SECRETS = [
    ("Authorization: Bearer abcdef.ghijkl-123", "abcdef"),
    ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcj"),
    ("token was ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl here", "eyJ"),
    ("postgresql://bob:hunter2@db/orders", "hunter2"),
    ("https://bob@example.com/", "bob"),
    ("GET /callback?code=abc123&state=x", "abc123"),
    ("/x?a=1&ACCESS_TOKEN=s3cr3t#f", "s3cr3t"),
    ("password=hunter2 user=bob", "hunter2"),
    ("AK" + "IAIOSFODNN7EXAMPLE", "IOSFODNN7"),
    ("gh" + "p_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
    ("github_" + "pat_11ABCDEFG0abcdefghijkl_mnop", "11ABC"),
    ("gl" + "pat-abcdefghijklmnopqrst", "abcdefghij"),
    ("xo" + "xb-123456789012-abcdefghij", "abcdefghij"),
    ("sk_" + "live_abcdefghijklmnop", "abcdefghij"),
    ("s" + "k-abcdefghijklmnopqrstuvwx", "abcdefghij"),
    ("AI" + "zaSyA1234567890abcdefghijklmnopqrstuvw", "1234567890"),
    ("-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ("-----BEGIN PRIVATE " + "KEY----- MIIE that was cut", "MIIE"),
    ("paid with 4111 1111 1111 1111.", "4111"),
    ("5500-0000-0000-0004", "5500"),
    ("378282246310005", "378282246310005"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_inside_a_text_is_hidden(text: str, secret: str) -> None:
    """Tokens by their documented shapes, credentials in URLs, parameters, keys, card numbers."""
    assert secret in text
    redacted = REDACTOR.text(text)
    assert secret not in redacted
    assert HIDDEN in redacted


def test_what_is_around_a_secret_stays() -> None:
    """A reader sees where it was, and of which kind."""
    assert (
        REDACTOR.text("GET https://bob:" + "pw@host/x?token=abc&a=1")
        == "GET https://[redacted]@host/x?token=[redacted]&a=1"
    )
    assert REDACTOR.text("Bearer abcdefghijk failed") == "Bearer [redacted] failed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "/orders/4711",
        "GET /orders?page=3&size=10",
        "SELECT * FROM orders WHERE id = $1",
        "0af7651916cd43dd8448eb211c80319c",
        "1234567890123456",
        "2026-11-21T06:11:16.123456789Z",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "a@b",
        "user@example.com",
        "monkey=1 keyword=2",
        "ghost_of_christmas",
        "task-force-one-two-three-four",
        "AKIA is short",
        "4111.1111111111111",
    ],
)
def test_a_harmless_text_stays_the_same_object(text: str) -> None:
    """Nothing is copied where there is nothing to hide."""
    assert REDACTOR.text(text) is text


def test_personal_data_is_hidden_on_request() -> None:
    """Addresses are often what somebody looks for, so it is a setting."""
    assert Redactor(RedactionConfig(personal=True)).text("mail to ann@example.com now") == "mail to [redacted] now"


def test_names_and_patterns_can_be_added_and_names_let_through() -> None:
    """Each place has its own secrets."""
    redactor = Redactor(RedactionConfig(names=("Badge",), visible=("db.password",), patterns=(r"\bX\d{6}\b",)))
    assert redactor.hides("user.badge")
    assert not redactor.hides("db.password")
    assert redactor.text("is X123456 here") == "is [redacted] here"
    with pytest.raises(re.error):
        Redactor(RedactionConfig(patterns=("(",)))


def test_it_can_be_switched_off() -> None:
    """Then everything stays as it is."""
    redactor = Redactor(RedactionConfig(enabled=False))
    assert not redactor.hides("password")
    assert redactor.text("password=hunter2") == "password=hunter2"


def test_values_are_redacted_all_the_way_down() -> None:
    """Lists and mappings keep their shape; numbers and bytes stay."""
    value: AnyValue = {
        "password": "x",
        "list": ["Bearer abcdefghijk", 1, None, b"Bearer abcdefghijk"],
        "n": {"token": 5},
    }
    assert REDACTOR.value(value) == {
        "password": HIDDEN,
        "list": ["Bearer [redacted]", 1, None, b"Bearer abcdefghijk"],
        "n": {"token": HIDDEN},
    }
    assert REDACTOR.attributes({"api_key": 1, "a": "b"}) == {"api_key": HIDDEN, "a": "b"}


def test_a_text_of_monstrous_length_is_cut() -> None:
    """Looking for secrets has a price, and nobody reads so much."""
    redacted = REDACTOR.text("a" * 100_000 + " password=hunter2")
    assert len(redacted) < 66_000
    assert redacted.endswith(HIDDEN)


def test_check_digits() -> None:
    """Annex B of ISO/IEC 7812-1."""
    assert is_card_number("4111 1111 1111 1111")
    assert not is_card_number("4111 1111 1111 1112")


def test_words_of_a_name() -> None:
    """Dots, lines, and capitals separate them."""
    assert words_of("http.request.header.X-API-Key2") == ["http", "request", "header", "x", "api", "key", "2"]
    assert words_of("userSessionToken_ID") == ["user", "session", "token", "id"]
