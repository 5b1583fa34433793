"""Which score is high enough among N references, and how often that is still a false candidate.

N is the number of references really compared. With independent comparisons at one false match
rate, a search of a person who is not there gives on average N · FMR false candidates, and at
least one with probability (ISO/IEC 19795-1:2021, false-positive identification rate):

    FPIR = 1 − (1 − FMR)^N ≈ 1 − exp(−N · FMR)

so that a target for FPIR asks for FMR = −ln(1 − target) / N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fr_cli.decision.calibration import Calibration, score_of


@dataclass(frozen=True)
class Threshold:
    """The least score and cosine of a candidate, and the false match rate there.

    A cosine above 1 means that no photograph can reach this score under the calibration.
    """

    score: float
    cosine: float
    fmr: float

    @property
    def reachable(self) -> bool:
        """Whether any cosine reaches the threshold."""
        return self.cosine <= 1.0


@dataclass(frozen=True)
class Fpir:
    """The false-positive identification rate in [0, 1] with its interval (95 % unless said).

    `expected_false_candidates` is N · FMR, `compared` is N; `extrapolated` says that the
    calibration's data cannot show an FMR so small.
    """

    value: float
    low: float
    high: float
    expected_false_candidates: float
    compared: int
    extrapolated: bool = False


def fmr_needed(references: int, fpir_target: float) -> float:
    """The false match rate, at most 1, that keeps FPIR at the target among N ≥ 1 references."""
    return min(-math.log1p(-fpir_target) / references, 1.0)


def threshold_for(
    calibration: Calibration, references: int, floor_score: float, fpir_target: float
) -> Threshold:
    """The greater of the policy's floor and what the FPIR target needs among N references.

    With N = 0 nothing can be a false candidate, and the floor stands.
    Raises ValueError for a negative N, a floor that is negative or not finite, or a target
    outside (0, 1).
    """
    _check_count(references)
    if not 0.0 <= floor_score < math.inf:
        raise ValueError(f"the floor of the score must be finite and not negative: {floor_score}")
    if not 0.0 < fpir_target < 1.0:
        raise ValueError(f"the target for FPIR must lie in (0, 1): {fpir_target}")
    score = floor_score
    if references:
        score = max(score, score_of(fmr_needed(references, fpir_target)))
    cosine = calibration.cosine(score)
    return Threshold(score=score, cosine=cosine, fmr=calibration.fmr(cosine))


def fpir(calibration: Calibration, cosine: float, references: int, level: float = 0.95) -> Fpir:
    """The FPIR of a threshold at this cosine among N references, with its interval.

    The interval is that of the FMR (bootstrap over the subjects of the calibration's data);
    it does not hold what other cameras or another population would change.
    Raises ValueError for a negative N or a NaN.
    """
    _check_count(references)
    low, high = calibration.fmr_interval(cosine, level)
    expected = references * calibration.fmr(cosine)
    return Fpir(
        value=_any(expected),
        low=_any(references * low),
        high=_any(references * high),
        expected_false_candidates=expected,
        compared=references,
        extrapolated=calibration.extrapolated(cosine),
    )


def _any(expected: float) -> float:
    """The probability of at least one, of a Poisson number with this mean."""
    return 0.0 - math.expm1(-expected)  # 0.0 − …, lest nothing expected becomes −0.0


def _check_count(references: int) -> None:
    if references < 0:
        raise ValueError(f"the number of references cannot be negative: {references}")
