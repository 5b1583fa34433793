"""How unequal the error rates of groups are, in one number: four that are in use, and their limits.

    max/min             the worst rate over the best (NIST IR 8280)
    max/geometric mean  the worst over the geometric mean of all (NIST IR 8429)
    Gini                Σ_ij |x_i − x_j| / (2 n² x̄); GARBE (Howard et al., arXiv 2203.05051) takes
                        it times n/(n − 1), so that 1 is reached, of false positives and misses
                        with weights α and 1 − α
    FDR                 1 − α max|FPIR_i − FPIR_j| − (1 − α) max|FNIR_i − FNIR_j|
                        (de Freitas Pereira and Marcel 2021); 1 is equal

FDR adds differences of rates, so that at an operating threshold it lies near 1 whatever the ratios
are: for 0.04, 4.0 and 5.5 % it is 0.97. It is given because it is asked for; the ratios decide.

A ratio to a group without errors has no value: such numbers are None, with the reason. Its limits
stay known as far as the counts say: they come from the conditional test of two Poisson rates
(Przyborowski and Wilenski 1940), which errs on the wide side for rates that are not small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fr_cli.evaluation.trials import Tally

#: Weight of false positives in GARBE and FDR.
ALPHA = 0.5


@dataclass(frozen=True)
class Ratio:
    """A ratio ≥ 1 of rates. `value` is None where it is undefined, and `why` says why.

    The true ratio is at least `low`, and at most `high` (None: no limit is known), each with
    the level asked for.
    """

    value: float | None
    low: float
    high: float | None
    why: str = ""


def max_min(groups: Sequence[Tally], level: float = 0.95) -> Ratio:
    """The highest rate over the lowest.

    `high` is the greatest upper limit of any pair: the pair that is in truth the worst is one of
    them, so its own limit at `level` is enough (intersection–union). `low` is the greatest lower
    limit of any pair, each at the level that many pairs need (Bonferroni).
    """
    rates, why = _rates(groups)
    value = None
    if rates and not why:
        value = max(rates) / min(rates)
    return Ratio(value, *_limits(groups, level), why)


def max_geomean(groups: Sequence[Tally], level: float = 0.95) -> Ratio:
    """The highest rate over the geometric mean of all; the limits as for `max_min`.

    The logarithm is the mean of those of max/x_j, so its upper limit is the mean of theirs.
    """
    rates, why = _rates(groups)
    value = max(max(rates) / _geomean(rates), 1.0) if rates and not why else None
    count = len(groups)
    if count < 2:
        return Ratio(value, 1.0, None, why)
    each = 1.0 - (1.0 - level) / (count - 1)
    logs = [
        sum(_log(upper_limit(one, other, each)) for other in groups if other is not one) / count
        for one in groups
    ]
    high = None if math.inf in logs else math.exp(max(logs))
    return Ratio(value, 1.0, high, why)


def gini(rates: Sequence[float], *, corrected: bool = False) -> float | None:
    """The Gini coefficient of rates in [0, 1]: 0 is equal. None if all are 0, or fewer than 2.

    `corrected` multiplies by n/(n − 1), as GARBE does.
    """
    x = np.array(rates, dtype=np.float64)
    if x.size < 2 or not x.any():
        return None
    raw = float(np.abs(x[:, None] - x[None, :]).sum() / (2.0 * x.size**2 * x.mean()))
    return raw * x.size / (x.size - 1) if corrected else raw


def garbe(false: Sequence[float], missed: Sequence[float], alpha: float = ALPHA) -> float | None:
    """Howard's GARBE of the groups' FPIR and FNIR: 0 is equal, 1 the worst.

    None where one of the two is undefined (`gini`): half a measure would pass for the whole.
    """
    parts = gini(false, corrected=True), gini(missed, corrected=True)
    if parts[0] is None or parts[1] is None:
        return None
    return alpha * parts[0] + (1.0 - alpha) * parts[1]


def fdr(false: Sequence[float], missed: Sequence[float], alpha: float = ALPHA) -> float | None:
    """The fairness discrepancy rate of the groups' FPIR and FNIR: 1 is equal. None below two."""
    if len(false) < 2 or len(missed) < 2:
        return None
    return 1.0 - alpha * (max(false) - min(false)) - (1.0 - alpha) * (max(missed) - min(missed))


def upper_limit(one: Tally, other: Tally, level: float) -> float:
    """The one-sided upper limit of the ratio of two groups' rates; infinite if none is known."""
    from scipy.special import betaincinv

    if not other.rate.cases or not one.rate.of:
        return math.inf
    share = float(betaincinv(one.cases + 1.0, other.cases, level))
    return math.inf if share >= 1.0 else share / (1.0 - share) * other.of / one.of


def lower_limit(one: Tally, other: Tally, level: float) -> float:
    """The one-sided lower limit of the ratio of two groups' rates; 0 if none is known."""
    high = upper_limit(other, one, level)
    return 0.0 if math.isinf(high) else 1.0 / high


def _limits(groups: Sequence[Tally], level: float) -> tuple[float, float | None]:
    pairs = [(one, other) for one in groups for other in groups if one is not other]
    if not pairs:
        return 1.0, None
    strict = 1.0 - (1.0 - level) / len(pairs)
    low = max(lower_limit(*pair, strict) for pair in pairs)
    high = max(upper_limit(*pair, level) for pair in pairs)
    return max(low, 1.0), None if math.isinf(high) else max(high, 1.0)


def _rates(groups: Sequence[Tally]) -> tuple[list[float], str]:
    """The groups' rates, and why no ratio of them has a value; "" if it has one."""
    rates = [group.rate.value for group in groups if group.rate.value is not None]
    if len(rates) < 2 or len(rates) < len(groups):
        return [], "there are not two groups to compare"
    if not any(rates):
        return rates, "no group had a case"
    without = [group.name for group in groups if not group.rate.cases]
    return rates, f"there was no case in {' and '.join(without)}" if without else ""


def _geomean(rates: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, rates)) / len(rates))


def _log(ratio: float) -> float:
    return math.inf if math.isinf(ratio) else math.log(max(ratio, 1e-300))
