"""What a cosine means: the false match rate (FMR) behind it, and the score made of that.

A calibration belongs to one model (by fingerprint) and one way of fusing the references of a
subject. It is data: measured once on impostor comparisons, stored as JSON, read here.

    score = 0.60 · ln FMR(cosine) / ln 1.67e-8          (0 at FMR 1, 0.60 at the anchor)

FMR (ISO/IEC 19795-1:2021, false match rate: the part of non-mated comparisons at or above a
threshold) is kept as three pieces that join without a step:

- body, −1 ≤ cosine ≤ u: ln FMR interpolated linearly between stored points, from (−1, 1);
- tail, above u: generalised Pareto, p_u (1 + ξ(s − u)/β)^(−1/ξ), for ξ → 0 p_u exp(−(s − u)/β)
  (Pickands 1975; Coles, An Introduction to Statistical Modeling of Extreme Values, eq. 4.10);
- below FMR 1e-12 with ξ < 0, where the Pareto runs into its end point: straight on in ln FMR
  with the slope it has there. The Pareto falls faster, so this errs on the side of a higher
  FMR; it keeps every score finite and in the order of the cosines.

Inside, everything is `evidence` = −ln FMR (0 … some thousands), which cannot underflow.
No numpy and no scipy: an answer must not wait for them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

#: The anchor shared with the source report: 1 false candidate in 6,000 searches at N = 10,000.
ANCHOR_SCORE = 0.60
ANCHOR_FMR = 1.67e-8
_ANCHOR_EVIDENCE = -math.log(ANCHOR_FMR)

#: Below this FMR a tail with an end point is continued log-linearly.
FLOOR_FMR = 1e-12
#: An interval at 95 % needs at least one draw beyond each of its ends.
MIN_DRAWS = 40
#: How several references of a subject count: the best comparison, or the mean of all.
FUSIONS = ("best", "mean")

_XI_ZERO = 1e-12  # nearer to 0 than this, the Pareto is the exponential to the last digit
_EXP_MAX = 700.0  # exp() of more overflows; a cosine of 1e300 is out of reach just as well


def score_of(fmr: float) -> float:
    """The score that a false match rate in (0, 1] stands for, wherever it came from.

    Raises ValueError for anything outside (0, 1].
    """
    _require(0.0 < fmr <= 1.0, f"a false match rate lies in (0, 1], not {fmr}")
    return _score(-math.log(fmr))


def _score(evidence: float) -> float:
    # Written so that the anchor's evidence gives 0.60 to the last bit, and FMR 1 a plain 0.
    return ANCHOR_SCORE * (evidence / _ANCHOR_EVIDENCE) + 0.0


def _require(holds: bool, wrong: str) -> None:
    if not holds:
        raise ValueError(wrong)


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto tail above cosine u: FMR p_u at u, shape ξ, scale β (in cosine).

    Raises ValueError unless −1 < u < 1, 1e-12 < p_u < 1, −1 < ξ < 1, β > 0, all finite.
    """

    u: float
    p_u: float
    xi: float
    beta: float

    def __post_init__(self) -> None:
        _require(-1.0 < self.u < 1.0, f"tail: u must lie in (-1, 1), not {self.u}")
        _require(FLOOR_FMR < self.p_u < 1.0, f"tail: p_u must lie in (1e-12, 1), not {self.p_u}")
        _require(-1.0 < self.xi < 1.0, f"tail: xi must lie in (-1, 1), not {self.xi}")
        _require(0.0 < self.beta < math.inf, f"tail: beta must be positive, not {self.beta}")

    def evidence(self, cosine: float) -> float:
        """−ln FMR at a cosine ≥ u."""
        z = (cosine - self.u) / self.beta
        start = -math.log(self.p_u)
        if abs(self.xi) < _XI_ZERO:
            return start + z
        knee, slope = self._knee
        if z <= knee:
            return start + math.log1p(self.xi * z) / self.xi
        return -math.log(FLOOR_FMR) + (z - knee) * slope

    def cosine(self, evidence: float) -> float:
        """The cosine ≥ u at which −ln FMR is `evidence`; beyond 1 if no cosine gets there."""
        drop = evidence + math.log(self.p_u)
        if abs(self.xi) < _XI_ZERO:
            return self.u + self.beta * drop
        knee, slope = self._knee
        beyond = evidence + math.log(FLOOR_FMR)
        if self.xi < 0.0 and beyond > 0.0:
            return self.u + self.beta * (knee + beyond / slope)
        return self.u + self.beta * math.expm1(min(self.xi * drop, _EXP_MAX)) / self.xi

    @cached_property
    def _knee(self) -> tuple[float, float]:
        """Where (in units of β above u) the straight continuation begins, and its slope."""
        if self.xi >= 0.0:  # no end point: the Pareto itself is the slower, careful one
            return math.inf, 0.0
        drop = math.log(self.p_u) - math.log(FLOOR_FMR)
        return math.expm1(self.xi * drop) / self.xi, math.exp(-self.xi * drop)


@dataclass(frozen=True)
class Data:
    """The impostor data behind a calibration: a name, a hash, and how much there was of it.

    Raises ValueError unless the hash is 64 hexadecimal digits and the counts can be true.
    """

    name: str
    sha256: str
    subjects: int
    images: int
    comparisons: int

    def __post_init__(self) -> None:
        hexadecimal = len(self.sha256) == 64 and set(self.sha256) <= set("0123456789abcdef")
        _require(hexadecimal, "data: sha256 must be 64 hexadecimal digits in lower case")
        _require(self.subjects >= 2, f"data: {self.subjects} subjects cannot be compared")
        _require(self.images >= self.subjects, "data: fewer images than subjects")
        _require(self.comparisons >= 1, "data: no comparisons")


@dataclass(frozen=True)
class Calibration:
    """Cosine to FMR and score for one model and one fusion; see the page's head for the curve.

    `table` holds (cosine, FMR) below the tail's u, `draws` the tails of a bootstrap over
    subjects, `smallest_fmr` the smallest FMR that the data itself can show, and
    `largest_impostor` the highest cosine of any impostor comparison. `site_references` says that
    the data is a site's own, evaluated with a gallery of that many references; None if it is not.
    Raises ValueError, saying what is wrong, when the parts cannot make a calibration.
    """

    fingerprint: str
    model: str
    fusion: str
    data: Data
    table: tuple[tuple[float, float], ...]
    tail: Tail
    draws: tuple[Tail, ...]
    smallest_fmr: float
    largest_impostor: float
    made: str
    note: str = ""
    site_references: int | None = None

    def __post_init__(self) -> None:
        _require(bool(self.fingerprint), "fingerprint is empty")
        _require(self.fusion in FUSIONS, f"fusion {self.fusion!r} is not one of {FUSIONS}")
        points = ((-1.0, 1.0), *self.table, (self.tail.u, self.tail.p_u))
        for (cosine, fmr), (cosine_next, fmr_next) in pairwise(points):
            # A NaN fails both comparisons, as it should.
            rises, falls = cosine < cosine_next, fmr > fmr_next > 0.0
            place = f"at cosine {cosine_next} (FMR {fmr_next}), after {cosine} (FMR {fmr})"
            _require(rises and falls, f"table: cosines must rise and FMR fall, not so {place}")
        enough = len(self.draws) >= MIN_DRAWS
        _require(enough, f"draws: {len(self.draws)} are too few, an interval needs {MIN_DRAWS}")
        same = all(draw.u == self.tail.u for draw in self.draws)
        _require(same, "draws: every draw must start at the tail's u")
        supported = 0.0 < self.smallest_fmr < 1.0
        _require(supported, f"smallest_fmr must lie in (0, 1), not {self.smallest_fmr}")
        size = self.site_references
        _require(size is None or size > 0, f"site_references must be positive, not {size}")
        possible = -1.0 <= self.largest_impostor <= 1.0
        _require(possible, f"largest_impostor is no cosine: {self.largest_impostor}")

    def fmr(self, cosine: float) -> float:
        """The false match rate in (0, 1] of a threshold at this cosine.

        Cosines a rounding error outside [−1, 1] count as −1 or 1. Raises ValueError for NaN.
        """
        return _rate(self._evidence(cosine))

    def score(self, cosine: float) -> float:
        """The calibrated score, ≥ 0: 0 at cosine −1, 0.60 where the FMR is 1.67e-8."""
        return _score(self._evidence(cosine))

    def cosine(self, score: float) -> float:
        """The cosine of a score: the inverse of `score`.

        −1 for scores ≤ 0; more than 1 for a score that no pair of photographs can reach.
        Raises ValueError for NaN.
        """
        _require(not math.isnan(score), "a score must be a number")
        evidence = max(score, 0.0) / ANCHOR_SCORE * _ANCHOR_EVIDENCE
        cosines, evidences = self._body
        if evidence >= evidences[-1]:
            return self.tail.cosine(evidence)
        return _between(evidence, evidences, cosines)

    def extrapolated(self, cosine: float) -> bool:
        """Whether the FMR here is smaller than the data itself can show."""
        return self._evidence(cosine) > -math.log(self.smallest_fmr)

    def fmr_interval(self, cosine: float, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval of the FMR at this cosine, from the draws; holds the FMR itself.

        Below u, where only the tail was drawn, the body is taken to be as uncertain
        (relatively) as it is at u: more than it is, since more comparisons stand behind it.
        Raises ValueError unless 0 < level < 1.
        """
        _require(0.0 < level < 1.0, f"level must lie in (0, 1), not {level}")
        point = self._evidence(cosine)
        cosine = min(max(cosine, -1.0), 1.0)
        if cosine >= self.tail.u:
            evidences = sorted(draw.evidence(cosine) for draw in self.draws)
        else:
            at_u = math.log(self.tail.p_u)
            evidences = sorted(point + at_u - math.log(draw.p_u) for draw in self.draws)
        high = _quantile(evidences, (1.0 + level) / 2.0)
        low = _quantile(evidences, (1.0 - level) / 2.0)
        return _rate(max(high, point)), _rate(max(min(low, point), 0.0))

    def _evidence(self, cosine: float) -> float:
        _require(not math.isnan(cosine), "a cosine must be a number")
        cosine = min(max(cosine, -1.0), 1.0)
        if cosine >= self.tail.u:
            return self.tail.evidence(cosine)
        return _between(cosine, *self._body)

    @cached_property
    def _body(self) -> tuple[list[float], list[float]]:
        """The body's cosines and evidences, both rising, from (−1, 0) to (u, −ln p_u)."""
        cosines = [-1.0, *(cosine for cosine, _ in self.table), self.tail.u]
        rates = [1.0, *(fmr for _, fmr in self.table), self.tail.p_u]
        return cosines, [-math.log(rate) for rate in rates]


def _rate(evidence: float) -> float:
    return max(math.exp(-evidence), 1e-300)  # never 0: "1 in infinity" is not a rate


def _between(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Linear interpolation; x within the rising xs."""
    right = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))


def _quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of sorted values, linear between them (Hyndman & Fan's type 7)."""
    place = q * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 2)
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (place - below)
