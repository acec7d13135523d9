"""Which attribute values each span carries. It knows the tables that the store gives, and no harm.

A span carries its own, those of its service's entry span, those of its request's root, and those of its process.
"""

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from homeostat_server.query.error_correlation.factors import Carried, Factor
from homeostat_server.query.error_correlation.harm import Requests
from homeostat_server.query.error_correlation.statistics import Integers
from homeostat_server.query.semconv import newest

OUTCOMES: Final = re.compile(
    r"status|error|exception|(^|\.)(result|outcome|success|fail|retry|retries|resend|attempt)|duration|latency|elapsed"
)
"""Keys that say how something went. They go with harm because they are harm, and explain nothing."""

PLACES: Final = re.compile(
    r"http\.(request\.method|route|target)|rpc\.(method|service|system)|url\.|db\.(query|operation|system)"
    r"|code\.|thread\.|server\.port|network\.|user_agent|messaging\.(operation|system)|span\.|service\.name"
    r"|telemetry\.|process\.(pid|command|executable|runtime)|otel\.|net\.|service\.namespace"
)
"""Keys that say what is done or by which library: the place says that better."""

OWN_TO_A_SERVICE: Final = frozenset({"service.version", "container.image.tag", "service.instance.id"})
"""Keys whose values mean something within one service only."""

VALUES_MAX: Final = 2_000
"""Factors that are compared, those that most spans carry."""

CARRIERS_MIN: Final = 5
"""Spans that carry a value, below which nothing is said of it."""


def is_telling(key: str) -> bool:
    """Say whether an attribute may be a cause rather than a result or a name of what was done."""
    new = newest(key)
    return not OUTCOMES.search(new) and not PLACES.match(new)


def carried_by_spans(requests: Requests, spans: Integers, attributes: pa.Table, rows: Integers) -> Carried:
    """Return what spans carry by themselves, by their service's entry span and by their request's root.

    Args:
        requests: the forest.
        spans: those that are asked about.
        attributes: a table with the arrays `keys` and `values`.
        rows: of each span of the forest, its row of the table, -1 where it is not there.
    """
    factors, starts, codes = _codes(attributes)
    carriers = (spans, requests.entry[spans], requests.root[requests.forest.trace[spans]])
    pairs = [np.empty(0, dtype=np.int64)]
    for carrier in carriers:
        row = rows[carrier]
        there = np.flatnonzero(row >= 0)
        of, at = _spread(starts[row[there]], starts[row[there] + 1])
        found = codes[at]
        telling = found >= 0
        pairs.append(spans[there[of[telling]]].astype(np.int64) * max(1, len(factors)) + found[telling])
    pair = np.sort(np.concatenate(pairs))
    pair = pair[np.append(True, pair[1:] != pair[:-1])] if len(pair) else pair
    return Carried(factors=factors, span=pair // max(1, len(factors)), factor=pair % max(1, len(factors)))


def _spread(first: Integers, end: Integers) -> tuple[Integers, Integers]:
    """Return for ranges of positions: of which range each position is, and the position."""
    lengths = end - first
    of = np.repeat(np.arange(len(first)), lengths)
    begins = np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return of, begins + np.arange(len(of))


def _codes(attributes: pa.Table) -> tuple[list[Factor], Integers, Integers]:
    """Return the factors of a table, where each row's items begin, and the factor of each item, -1 for none."""
    keys, values = (attributes[name].combine_chunks() for name in ("keys", "values"))
    starts = np.asarray(keys.offsets).astype(np.int64)
    key_words, key_codes = _words(keys.flatten())
    value_words, value_codes = _words(values.flatten())
    new_names = [newest(word) for word in key_words]
    order = {name: number for number, name in enumerate(sorted({name for name in new_names if is_telling(name)}))}
    of_key = np.array([order.get(name, -1) for name in new_names], dtype=np.int64)
    key = of_key[key_codes] if len(key_codes) else np.empty(0, dtype=np.int64)
    item = np.where(key >= 0, key * max(1, len(value_words)) + value_codes, -1)
    found, codes, counts = np.unique(item, return_inverse=True, return_counts=True)
    frequent = np.flatnonzero((found >= 0) & (counts >= CARRIERS_MIN))
    frequent = frequent[np.argsort(-counts[frequent], kind="stable")[:VALUES_MAX]]
    names = sorted(order)
    factors = [
        Factor("span", names[found[at] // len(value_words)], value_words[found[at] % len(value_words)])
        for at in frequent
    ]
    number = np.full(len(found), -1)
    number[frequent] = np.arange(len(frequent))
    return factors, starts, number[codes]


def _words(texts: pa.Array) -> tuple[list[str], Integers]:
    encoded = pc.dictionary_encode(texts)
    words = [word.decode("utf-8", "replace") for word in encoded.dictionary.to_pylist()]
    return words, np.asarray(encoded.indices).astype(np.int64)


Resource = tuple[str, list[tuple[str, str]]]
"""A service's name and the attributes of its process."""


def carried_by_processes(spans: Integers, source: NDArray[np.uint64], resources: dict[int, Resource]) -> Carried:
    """Return what the processes of spans carry.

    Args:
        spans: those that are asked about.
        source: of each span of the forest, the number of its source.
        resources: by the number of a source.
    """
    numbers, of_span = np.unique(source[spans], return_inverse=True)
    known: dict[Factor, int] = {}
    lists = [
        [known.setdefault(factor, len(known)) for factor in _resource_factors(resources.get(int(number)))]
        for number in numbers
    ]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.int64)
    codes = np.array([code for each in lists for code in each], dtype=np.int64)
    of, at = _spread(starts[of_span], starts[of_span + 1])
    return Carried(factors=list(known), span=spans[of].astype(np.int64), factor=codes[at])


def _resource_factors(resource: Resource | None) -> Iterable[Factor]:
    service, attributes = resource or ("", [])
    telling = {newest(key): value for key, value in attributes if is_telling(key)}
    for key, value in telling.items():
        yield Factor("resource", key, value, service if key in OWN_TO_A_SERVICE else "")
