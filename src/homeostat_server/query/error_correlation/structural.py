"""Places as causes, told more exactly where the shape of requests says more: a storm of retries, a convoy at a lock."""

from typing import Final

import numpy as np

from homeostat_server.query.error_correlation.harm import Harm, Requests
from homeostat_server.query.error_correlation.ranking import Candidate
from homeostat_server.query.error_correlation.statistics import Integers
from homeostat_server.query.error_correlation.structure import Convoy, find_convoy, find_storms, flags

EXAMINED_MAX: Final = 8
"""Places whose waits are looked at."""


def structural_candidates(requests: Requests, harm: Harm, places: list[Candidate]) -> list[Candidate]:
    """Return places, as storms and convoys where they are ones."""
    found = list(places)
    by_place = {candidate.place: candidate for candidate in places}
    for storm in find_storms(requests):
        of_place = by_place.get(storm.target)
        if of_place is None:
            continue
        mask = of_place.mask & flags(len(of_place.mask), storm.spans)
        share = float(harm.blame[mask].sum() / max(harm.blame[of_place.mask].sum(), 1e-9))
        if share >= 0.15:
            of_place.kind, of_place.storm = "retry_storm", storm
    for candidate in sorted(places, key=lambda each: each.explained, reverse=True)[:EXAMINED_MAX]:
        if candidate.kind == "operation" and candidate.explained >= 0.1:
            candidate.convoy = _convoy(requests, candidate.place)
            if candidate.convoy is not None:
                candidate.kind = "lock_convoy"
    return found


def _convoy(requests: Requests, place: int) -> Convoy | None:
    """Return the plainest convoy that the spans of a place are in: in one process, or over all."""
    forest = requests.forest
    spans = np.flatnonzero(requests.place == place)
    took = requests.self_ns
    _, process = np.unique(forest.source[spans], return_inverse=True)
    everywhere: Integers = np.zeros(len(spans), dtype=np.int64)
    found = [find_convoy(requests, took, spans, everywhere), find_convoy(requests, took, spans, process)]
    convoys = [each for each in found if each is not None]
    return max(convoys, key=lambda each: each.correlation, default=None)
