"""Attribute keys and values with how often they come. Old and new names of an attribute are one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.conditions import AttributeScope
from homeostat_server.query.binding import Binder
from homeostat_server.query.completion import sql
from homeostat_server.query.completion.sampling import SampleSizes, Share, shares
from homeostat_server.query.rows import integer, text
from homeostat_server.query.search.filters import Choice
from homeostat_server.query.semconv import newest, same_as
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Row, TelemetryReader

KEYS_MAX: Final = 1_000
VALUES_MAX: Final = 1_000
"""Of one answer."""

ROWS_MAX: Final = 10_000
"""Keys by kind that are looked at: of more, the rarest are left out, and `more` says so."""

KINDS: Final = ("unset", "string", "bool", "int", "double", "array", "map", "bytes")
"""By the digit that stands for each where attributes are kept."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFound:
    """Hold a key of attributes.

    Attributes:
        scope: what has the attribute.
        key: its newest name.
        names: those by which it was found, the most frequent first.
        kinds: those of its values, the most frequent first.
        count: how many spans, or events or links, have it; about, when only a sample was looked at.
    """

    scope: AttributeScope
    key: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFound:
    """Hold a value of an attribute as text, its kinds (the most frequent first), and how many items have it."""

    value: str
    kinds: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFound:
    """Hold keys, the most frequent first; `sampled` is the share of traces looked at, None when it was all of them."""

    keys: tuple[KeyFound, ...]
    more: bool
    sampled: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesFound:
    """Hold values, the most frequent first; `sampled` is the share of traces looked at, None for all of them.

    `names` are all names of the attribute, the newest first.
    """

    values: tuple[ValueFound, ...]
    names: tuple[str, ...]
    more: bool
    sampled: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Hold which spans are looked at: those in a window that fulfil a choice, whose values are in a binder.

    Of many, only a sample of these sizes is.
    """

    tenant: Tenant
    window: Window
    choice: Choice
    binder: Binder
    sizes: SampleSizes = field(default_factory=SampleSizes)


def all_spans(tenant: Tenant, window: Window) -> Spans:
    """Return the spans of a window, whatever they say."""
    return Spans(tenant=tenant, window=window, choice=Choice(), binder=Binder())


def list_keys(
    reader: TelemetryReader, *, spans: Spans, scopes: Iterable[AttributeScope], prefix: str, keys_max: int
) -> KeysFound:
    """Return the keys of attributes of some scopes; one of their names begins with a prefix."""
    wanted = [*scopes]

    def ask(share: Share) -> list[tuple[AttributeScope, Row]]:
        found = []
        for scope in wanted:
            statement = sql.keys(scope, spans.choice, sampled=not share.is_whole)
            rows = _rows(reader, spans, share, statement=statement, rows_max=ROWS_MAX)
            found += [(scope, row) for row in rows]
        return found

    found, share = _enough(reader, spans, ask, lambda items: sum(integer(row["times"]) for _, row in items))
    keys = sorted(_keys(found, share, prefix), key=lambda each: (-each.count, each.scope, each.key))
    return KeysFound(
        keys=tuple(keys[:keys_max]),
        more=len(keys) > keys_max or len(found) >= ROWS_MAX,
        sampled=None if share.is_whole else share.part,
    )


def list_values(
    reader: TelemetryReader, *, spans: Spans, scope: AttributeScope, key: str, prefix: str, values_max: int
) -> ValuesFound:
    """Return the values of an attribute that begin with a prefix; those that are arrays, maps or bytes are left out."""
    names = same_as(key)

    def ask(share: Share) -> list[Row]:
        bound = [spans.binder.text(name) for name in names]
        begin = spans.binder.text(prefix)
        statement = sql.values(scope, spans.choice, names=bound, prefix=begin, sampled=not share.is_whole)
        # A value may come in each of its kinds.
        return _rows(reader, spans, share, statement=statement, rows_max=2 * values_max + 1)

    found, share = _enough(reader, spans, ask, lambda rows: sum(integer(row["times"]) for row in rows))
    values = sorted(_values(found, share), key=lambda each: (-each.count, each.value))
    return ValuesFound(
        values=tuple(values[:values_max]),
        names=names,
        more=len(values) > values_max or len(found) > 2 * values_max,
        sampled=None if share.is_whole else share.part,
    )


def _enough(
    reader: TelemetryReader, spans: Spans, ask: Callable[[Share], Found], times: Callable[[Found], int]
) -> tuple[Found, Share]:
    """Return what a sample has that is large enough, and which one it was."""
    offered = shares(reader, tenant=spans.tenant, window=spans.window, sizes=spans.sizes)
    share = next(offered)
    found = ask(share)
    while times(found) < share.enough:
        share = next(offered)
        found = ask(share)
    return found, share


def _rows(reader: TelemetryReader, spans: Spans, share: Share, *, statement: str, rows_max: int) -> list[Row]:
    parameters = {
        "tenant": spans.tenant,
        "rows": rows_max,
        **spans.window.parameters(),
        **share.parameters(),
        **spans.binder.parameters,
    }
    return reader.read(spans.tenant, statement, parameters)


def _keys(found: Sequence[tuple[AttributeScope, Row]], share: Share, prefix: str) -> list[KeyFound]:
    groups: dict[tuple[AttributeScope, str], list[Row]] = defaultdict(list)
    for scope, row in found:
        if text(row["kind"]) != "0" or scope is not AttributeScope.SCOPE:
            groups[scope, newest(text(row["key"]))].append(row)
    return [
        KeyFound(
            scope=scope,
            key=key,
            names=_by_frequency((text(row["key"]), row) for row in rows),
            kinds=_by_frequency((_kind(row), row) for row in rows),
            count=share.scaled(sum(integer(row["times"]) for row in rows)),
        )
        for (scope, key), rows in groups.items()
        if any(text(row["key"]).startswith(prefix) for row in rows) or key.startswith(prefix)
    ]


def _values(found: Sequence[Row], share: Share) -> list[ValueFound]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        groups[text(row["value"])].append(row)
    return [
        ValueFound(
            value=value,
            kinds=_by_frequency((_kind(row), row) for row in rows),
            count=share.scaled(sum(integer(row["times"]) for row in rows)),
        )
        for value, rows in groups.items()
    ]


def _by_frequency(words: Iterable[tuple[str, Row]]) -> tuple[str, ...]:
    times: dict[str, int] = defaultdict(int)
    for word, row in words:
        times[word] += integer(row["times"])
    return tuple(sorted(times, key=lambda word: (-times[word], word)))


def _kind(row: Row) -> str:
    return KINDS[int(text(row["kind"]))]
