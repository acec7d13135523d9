from fractions import Fraction
from itertools import groupby
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.query.error_correlation.statistics import (
    adjusted,
    fisher_exact,
    grouped_quantile,
    stratified_deviation,
    upper_tail,
)

COUNTS = st.integers(0, 40)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def exact_tail(hits: int, misses: int, other_hits: int, other_misses: int) -> Fraction:
    """Return the hypergeometric tail as a fraction, by adding every table that is as extreme."""
    inside, outside, all_hits = hits + misses, other_hits + other_misses, hits + other_hits
    every = comb(inside + outside, all_hits)
    tables = (comb(inside, k) * comb(outside, all_hits - k) for k in range(hits, min(inside, all_hits) + 1))
    return Fraction(sum(tables), every)


@settings(deadline=None)
@given(hits=COUNTS, misses=COUNTS, other_hits=COUNTS, other_misses=COUNTS)
def test_fishers_test_is_the_sum_over_all_tables_as_extreme(
    hits: int, misses: int, other_hits: int, other_misses: int
) -> None:
    """To the digits that logarithms of factorials keep."""
    found = fisher_exact(hits=hits, misses=misses, other_hits=other_hits, other_misses=other_misses)
    assert found == pytest.approx(float(exact_tail(hits, misses, other_hits, other_misses)), rel=1e-9, abs=1e-12)


def test_fishers_test_knows_the_lady_who_tastes_tea() -> None:
    """Four of four cups by chance: one of seventy (Fisher, The Design of Experiments, 1935)."""
    assert fisher_exact(hits=4, misses=0, other_hits=0, other_misses=4) == pytest.approx(1 / 70)
    assert fisher_exact(hits=3, misses=1, other_hits=1, other_misses=3) == pytest.approx(17 / 70)


def test_fishers_test_takes_counts_of_a_large_system() -> None:
    """A million requests take no longer than a few, and nothing overflows."""
    found = fisher_exact(hits=5_500, misses=494_500, other_hits=5_000, other_misses=495_000)
    assert 1e-8 < found < 1e-5
    assert fisher_exact(hits=0, misses=10**6, other_hits=0, other_misses=10**6) == 1


@settings(deadline=None)
@given(P_VALUES)
def test_corrected_values_are_those_of_the_slow_definition(p_values: list[float]) -> None:
    """Each is the smallest m·p/k over all that are not smaller, at most one."""
    found = adjusted(np.array(p_values))
    for p_value, corrected in zip(p_values, found, strict=True):
        count = len(p_values)
        larger = [other for other in p_values if other >= p_value]
        expected = min(1.0, *(other * count / sum(each <= other for each in p_values) for other in larger))
        assert corrected == pytest.approx(expected)


@settings(deadline=None)
@given(P_VALUES)
def test_corrected_values_keep_the_order_and_are_never_smaller(p_values: list[float]) -> None:
    """A test that was stronger stays stronger."""
    found = adjusted(np.array(p_values))
    assert all(corrected >= p_value * (1 - 1e-12) for p_value, corrected in zip(p_values, found, strict=True))
    order = np.argsort(p_values)
    assert (np.diff(found[order]) >= -1e-12).all()


STRATUM = st.tuples(st.integers(0, 3), COUNTS, COUNTS, COUNTS, COUNTS)


@settings(deadline=None)
@given(st.lists(STRATUM, min_size=1, max_size=12))
def test_the_stratified_test_adds_up_tables_of_two_by_two(strata: list[tuple[int, int, int, int, int]]) -> None:
    """By the textbook: surplus over expectation, by the root of the hypergeometric variances, a group at a time."""
    columns = np.array(strata, dtype=float)
    found = stratified_deviation(
        group=columns[:, 0].astype(np.int64),
        groups=4,
        inside=columns[:, 1] + columns[:, 2],
        hits=columns[:, 1],
        outside=columns[:, 3] + columns[:, 4],
        other_hits=columns[:, 3],
    )
    for group in range(4):
        surplus = variance = 0.0
        for _, hits, misses, other_hits, other_misses in (each for each in strata if each[0] == group):
            total, inside, all_hits = hits + misses + other_hits + other_misses, hits + misses, hits + other_hits
            if total > 1:
                surplus += hits - inside * all_hits / total
                outside = total - inside
                variance += inside * outside * all_hits * (total - all_hits) / (total**2 * (total - 1))
        assert found[group] == pytest.approx(surplus / sqrt(variance) if variance > 1e-12 else 0, abs=1e-6)


def test_the_upper_tail_is_that_of_the_normal_distribution() -> None:
    """Known points."""
    assert upper_tail(0) == 0.5
    assert upper_tail(1.959964) == pytest.approx(0.025, rel=1e-5)
    assert upper_tail(-1.959964) == pytest.approx(0.975, rel=1e-5)
    assert 0 < upper_tail(35) < 1e-200


VALUES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(1, 4)), min_size=0, max_size=30)


@settings(max_examples=200, deadline=None)
@given(
    values=VALUES, zeros=st.lists(st.integers(0, 5), min_size=4, max_size=4), level=st.sampled_from([0.05, 0.5, 0.95])
)
def test_grouped_quantiles_are_those_of_lists(
    values: list[tuple[int, int, int]], zeros: list[int], level: float
) -> None:
    """A value of weight three counts as three values, and what is not given is zero."""
    columns = np.array(values, dtype=float).reshape(len(values), 3)
    lists: dict[int, list[int]] = {group: [0] * zeros[group] for group in range(4)}
    for group, members in groupby(sorted(values), key=lambda each: each[0]):
        lists[group] += [value for _, value, weight in members for _ in range(weight)]
    found = grouped_quantile(
        columns[:, 0].astype(np.int64),
        columns[:, 1],
        columns[:, 2],
        totals=np.array([float(len(lists[group])) for group in range(4)]),
        level=level,
    )
    for group, ordered in lists.items():
        at = next((n for n in range(len(ordered)) if n + 1 >= level * len(ordered) * (1 - 1e-12)), None)
        assert found[group] == (0 if at is None else sorted(ordered)[at])
