"""Tests of significance on counts, and grouped quantiles. It knows no spans.

Invariant: counts may be weighted, so they need not be whole; where a test needs whole ones, they are rounded.
"""

from math import erfc, exp, lgamma, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Integers = NDArray[np.signedinteger]

NEGLIGIBLE: Final = 1e-17
"""Relative to the sum so far: what further terms of a tail add is below the last digit."""

TERMS_MAX: Final = 1_000_000


def summed(group: Integers, groups: int, values: Reals) -> Reals:
    """Return the sum of the values of each group."""
    return np.bincount(group, values, groups).astype(np.float64)


def upper_tail(deviation: float) -> float:
    """Return the probability that a standard normal variable is greater."""
    return 0.5 * erfc(deviation / sqrt(2))


def fisher_exact(*, hits: int, misses: int, other_hits: int, other_misses: int) -> float:
    """Return the probability of so many hits or more among `hits + misses` when both groups are alike.

    One-sided, of a table of two by two with its margins given (https://doi.org/10.2307/2340521).
    """
    inside, outside = hits + misses, other_hits + other_misses
    all_hits = hits + other_hits
    begin = _log_choose(inside, hits) + _log_choose(outside, other_hits) - _log_choose(inside + outside, all_hits)
    term = total = 1.0
    for count in range(hits, min(hits + TERMS_MAX, inside, all_hits)):
        term *= (inside - count) * (all_hits - count) / ((count + 1) * (outside - all_hits + count + 1))
        total += term
        if term < total * NEGLIGIBLE:
            break
    return min(1.0, exp(begin + log(total)))


def _log_choose(of: int, some: int) -> float:
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)


def adjusted(p_values: Reals) -> Reals:
    """Return p-values corrected for that many tests: the false discovery rate at which each is still taken.

    Benjamini and Hochberg, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * count / np.arange(1, count + 1)
    corrected = np.empty(count)
    corrected[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return corrected


def stratified_deviation(
    *, group: Integers, groups: int, inside: Reals, hits: Reals, outside: Reals, other_hits: Reals
) -> Reals:
    """Return for each group by how many standard deviations its hits exceed what equal rates would give.

    Cochran, Mantel and Haenszel (https://doi.org/10.1093/jnci/22.4.719) without their correction for continuity: each
    stratum is a table of two by two, compared only with itself; a group without anything to compare has 0.

    Args:
        group: of each stratum, which group it belongs to.
        groups: how many there are.
        inside: of each stratum, how many are in it that have the property.
        hits: how many of these are hit.
        outside: how many are in it without the property.
        other_hits: how many of these are hit.
    """
    total, all_hits = inside + outside, hits + other_hits
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(total > 0, inside * all_hits / total, 0.0)
        variance = np.where(total > 1, inside * outside * all_hits * (total - all_hits) / (total**2 * (total - 1)), 0.0)
    surplus = summed(group, groups, hits - expected)
    spread = np.sqrt(summed(group, groups, np.maximum(variance, 0)))
    return np.divide(surplus, spread, out=np.zeros(groups), where=spread > 0)


def grouped_quantile(group: Integers, value: Reals, weight: Reals, *, totals: Reals, level: float) -> Reals:
    """Return the weighted quantile of each group; what `totals` has beyond the weights given are values of 0.

    It is the smallest value at or below which there is at least `level` of the group's weight; 0 for a group without.

    Args:
        group: of each value, which group it belongs to.
        value: not negative.
        weight: of each value.
        totals: the weight of each group, zeros included.
        level: 0 to 1.
    """
    order = np.lexsort((value, group))
    group, value, weight = group[order], value[order], weight[order]
    given = summed(group, len(totals), weight)
    zeros = np.maximum(totals - given, 0)
    running = np.cumsum(weight)
    before = np.concatenate([[0.0], np.cumsum(given)[:-1]])
    reached = running - before[group] + zeros[group] >= level * np.maximum(totals, given)[group] * (1 - 1e-12)
    enough = np.flatnonzero(reached)
    quantile = np.zeros(len(totals))
    found, first = np.unique(group[enough], return_index=True)
    quantile[found] = value[enough[first]]
    quantile[zeros >= level * np.maximum(totals, given)] = 0.0
    return quantile
