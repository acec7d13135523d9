from collections import defaultdict
from collections.abc import Iterator

import pytest

from benchmarks.incidents import KINDS
from tests.figures import Figures
from tests.incidents import investigate, rank
from tests.telemetry_store import FilledStore, filled_store

QUICK_SEED = 7
EVALUATION_SEEDS = range(9_101, 9_111)
"""Nothing was tuned to these: development used others, below a thousand. The first ten, from 9001 on, are used up: they
gave 55 of 60 first and no more among the first three, and errors and delays have been tested apart since.
"""

FIRST_SHARE_MIN = 0.85
THIRD_SHARE_MIN = 0.95


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store; each incident takes a tenant of its own."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_cause_is_found(filled: FilledStore, kind: str) -> None:
    """Each kind once, small and quick: the true cause is the first."""
    incident, findings = investigate(filled, kind, seed=QUICK_SEED, requests=400)
    assert rank(findings.causes, incident.truth) == 1
    assert findings.sampled.share == 1
    first = findings.causes[0]
    assert first.trace_ids
    assert incident.during[0] <= first.first_ns < incident.during[1] + 10**10


@pytest.mark.prove
def test_planted_causes_are_found(filled: FilledStore, figures: Figures) -> None:
    """Sixty incidents with seeds that nothing was tuned to: first in 85 %, among the first three in 95 %."""
    ranks: dict[str, list[int | None]] = defaultdict(list)
    for kind in KINDS:
        for seed in EVALUATION_SEEDS:
            incident, findings = investigate(filled, kind, seed=seed, requests=1_000)
            ranks[kind].append(rank(findings.causes, incident.truth))
            if ranks[kind][-1] != 1:
                figures.say(f"{kind} {seed}: rank {ranks[kind][-1]}, severity {incident.truth.severity}")
    everything = [each for found in ranks.values() for each in found]
    for name, found in {**ranks, "all": everything}.items():
        first, third = sum(each == 1 for each in found), sum(each is not None and each <= 3 for each in found)
        figures.say(f"{name:16} first {first:2} of {len(found)}, in the first three {third:2}")
    assert sum(each == 1 for each in everything) >= FIRST_SHARE_MIN * len(everything)
    assert sum(each is not None and each <= 3 for each in everything) >= THIRD_SHARE_MIN * len(everything)
