"""Words that attributes and messages are made of, drawn with zipf-like skew.

Invariant: knows no signal; every draw takes its randomness as an argument.
"""

import itertools
import random
from collections.abc import Sequence
from typing import Final, TypeVar

USER_AGENTS: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "ShopApp/8.14.2 (Android 14; SM-S921B)",
    "ShopApp/8.14.2 (iOS 18.5; iPhone16,2)",
    "ShopApp/8.13.0 (iOS 17.7; iPhone14,5)",
    "python-httpx/0.28.1",
    "okhttp/5.1.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
)
COUNTRIES: Final = ("DE", "FR", "NL", "AT", "ES", "IT", "PL", "SE", "DK", "CH", "BE", "CZ", "PT", "IE", "FI", "NO")
CURRENCIES: Final = ("EUR", "CHF", "PLN", "SEK", "DKK", "CZK", "NOK")
TIERS: Final = ("standard", "plus", "premium", "employee")
FLAGS: Final = ("new-checkout", "fast-search", "price-badge", "one-click", "eco-shipping", "dark-mode", "ranking-v3")
CATEGORIES: Final = (
    "shoes", "jackets", "trousers", "shirts", "bags", "watches", "toys", "books", "garden", "kitchen", "sports",
)  # fmt: skip
METHODS_OF_FAILURE: Final = (
    ("TimeoutError", "deadline of {ms} ms exceeded while waiting for {peer}"),
    ("ConnectionRefusedError", "[Errno 111] connect call failed ('{peer}', {port})"),
    ("OperationalError", "canceling statement due to lock timeout after {ms} ms"),
    ("ValueError", "quantity {ms} exceeds stock of {peer}"),
    ("PermissionDenied", "{peer}: caller lacks scope orders:write (rule {port})"),
    ("CircuitOpenError", "circuit to {peer} open, {ms} ms until half-open"),
    ("KeyError", "'price_{port}'"),
    ("ResourceExhausted", "pool of {peer} exhausted: {port} of {port} in use"),
)
Word = TypeVar("Word", str, int)
_PREFIXES: Final = 4_000
_WEIGHTS: Final[dict[int, list[float]]] = {
    size: list(itertools.accumulate(1.0 / (1 + rank) ** 1.1 for rank in range(size))) for size in range(1, 21)
}


def skewed(source: random.Random, words: Sequence[Word]) -> Word:
    """Draw one of at most twenty words or numbers, the first ones most often (zipf, exponent 1.1)."""
    return source.choices(words, cum_weights=_WEIGHTS[len(words)])[0]


def rank(source: random.Random, count: int) -> int:
    """Draw a rank below `count`, log-uniform: like zipf with exponent 1."""
    return int(count ** source.random()) - 1 if count > 1 else 0


def client_address(source: random.Random) -> str:
    """Draw an IPv4 address of the documentation and test ranges, few of them most often."""
    number = rank(source, _PREFIXES) * 2_654_435_761 % 2**17
    return f"198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}"


def peer_address(name: str) -> str:
    """Return the address of a named peer inside the cluster."""
    number = sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 65_536
    return f"10.42.{number // 256}.{number % 256}"


def sku(source: random.Random) -> str:
    """Draw a product number out of 20,000."""
    return f"SKU-{rank(source, 20_000):05d}"


def stack_trace(source: random.Random, module: str, function: str, *, failure: str) -> str:
    """Compose a Python stack trace of 3 to 8 frames that ends in the failure."""
    lines = ["Traceback (most recent call last):"]
    for layer, name, call in _LAYERS[: source.randrange(2, len(_LAYERS) + 1)]:
        lines.append(f'  File "/app/{module}/{layer}.py", line {source.randrange(20, 900)}, in {name}')
        lines.append(f"    return await {call}(request)")
    lines.append(f'  File "/app/{module}/service.py", line {source.randrange(20, 400)}, in {function}')
    return "\n".join([*lines, "    raise failure", failure])


_LAYERS: Final = (
    ("asgi", "__call__", "self.app"),
    ("middleware", "dispatch", "call_next"),
    ("routing", "handle", "endpoint"),
    ("api", "endpoint", "use_case"),
    ("use_case", "execute", "repository.load"),
    ("repository", "load", "session.execute"),
    ("client", "send", "transport.handle"),
)
