"""Hits of a search → the answer an officer reads: candidates, none, or inconclusive.

A candidate is somebody to look at, never the person named: the words here keep to that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fr_cli.decision.calibration import Calibration
from fr_cli.decision.threshold import Fpir, Threshold, fpir, threshold_for
from fr_cli.records import Compared, Hit

Outcome = Literal["candidates", "no_candidate", "inconclusive"]

#: Two candidates nearer than this in score are hard to tell apart: 0.10 is a factor 20 in FMR.
CLOSE_SCORE = 0.10
#: Asking for an FMR this many times below what the data can show is a guess.
FAR_BEYOND = 100.0
#: A threshold is called raised only when the three digits that are shown differ.
_SHOWN = 0.001


@dataclass(frozen=True)
class Candidate:
    """One subject at or above the threshold, by its best reference; rank 1 is the most alike.

    `extrapolated`: the score stands for an FMR below what the calibration's data can show.
    """

    rank: int
    subject_id: str
    reference_id: str
    subject_uid: str
    reference_uid: str
    score: float
    cosine: float
    extrapolated: bool


@dataclass(frozen=True)
class Answer:
    """What a search came to. `threshold` and `fpir` are None only where none could be set."""

    outcome: Outcome
    why: str
    threshold: Threshold | None = None
    fpir: Fpir | None = None
    candidates: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()


def decide(
    hits: Sequence[Hit],
    compared: Compared,
    calibration: Calibration | None,
    *,
    floor_score: float,
    fpir_target: float,
    max_candidates: int,
) -> Answer:
    """The answer to a search that compared `compared.references` references.

    Hits may come in any order, several of one subject collapse to its best. Ranking is by
    cosine, ties by subject_id. Without a calibration, or when the threshold that this N needs
    lies above any cosine, the answer is inconclusive and names nobody.
    Raises ValueError for a NaN cosine, hits without comparisons, max_candidates < 1, and what
    `threshold_for` refuses.
    """
    if max_candidates < 1:
        raise ValueError(f"max_candidates must be at least 1, not {max_candidates}")
    if any(math.isnan(hit.cosine) for hit in hits):
        raise ValueError("a hit has no cosine")
    if hits and not compared.references:
        raise ValueError("there are hits although nothing was compared")
    if calibration is None:
        return Answer(
            "inconclusive",
            "There is no calibration for this model, so no error rate can be stated and nobody is "
            "named. Make one on labelled photos of a few thousand people: fr evaluate --calibrate.",
        )
    threshold = threshold_for(calibration, compared.references, floor_score, fpir_target)
    rate = fpir(calibration, threshold.cosine, compared.references)
    if not threshold.reachable:
        why = (
            f"The calibration does not reach {compared.references:,} references: the threshold "
            f"they need (score {threshold.score:.3f}) is above any score it can give."
        )
        return Answer("inconclusive", why, threshold, rate)
    best = _best_of_each([hit for hit in hits if hit.cosine >= threshold.cosine])
    # The search returned its most alike subjects: if all of them reach, there may be more.
    capped = len(best) == len(hits) < compared.subjects
    candidates = tuple(
        Candidate(
            rank=rank,
            subject_id=hit.subject_id,
            reference_id=hit.reference_id,
            subject_uid=hit.subject_uid,
            reference_uid=hit.reference_uid,
            score=calibration.score(hit.cosine),
            cosine=hit.cosine,
            extrapolated=calibration.extrapolated(hit.cosine),
        )
        for rank, hit in enumerate(best[:max_candidates], start=1)
    )
    return Answer(
        "candidates" if candidates else "no_candidate",
        _why(len(best), compared, threshold, least=capped),
        threshold,
        rate,
        candidates,
        (
            *_about_threshold(calibration, threshold, rate, floor_score, fpir_target),
            *_about_list(candidates, len(best), calibration),
        ),
    )


def _best_of_each(hits: Sequence[Hit]) -> list[Hit]:
    ranked = sorted(hits, key=lambda hit: (-hit.cosine, hit.subject_id, hit.reference_id))
    first: dict[str, Hit] = {}
    for hit in ranked:
        first.setdefault(hit.subject_id, hit)
    return list(first.values())


def _why(found: int, compared: Compared, threshold: Threshold, *, least: bool) -> str:
    if not compared.references:
        return "There was no reference to compare with, so nobody could be a candidate."
    among = _count(compared.references, "reference")
    at = f"the threshold (score {threshold.score:.3f})"
    if not found:
        return (
            f"None of {among} compared reaches {at}. "
            "That does not show that the person is not in the gallery."
        )
    reach = "reaches" if found == 1 else "reach"
    found_at_least = "At least " * least + _count(found, "candidate")
    return f"{found_at_least} among {among} compared {reach} {at}."


def _about_threshold(
    calibration: Calibration, threshold: Threshold, rate: Fpir, floor: float, target: float
) -> list[str]:
    if not rate.compared:
        return []
    warnings = []
    if threshold.score >= floor + _SHOWN:
        warnings.append(
            f"With {rate.compared:,} references the threshold is raised from {floor:.3f} to "
            f"{threshold.score:.3f}: a lower one would give a false candidate in more than "
            f"{one_in(target)} searches for people who are not there."
        )
    if threshold.fmr < calibration.smallest_fmr / FAR_BEYOND:
        warnings.append(
            "The threshold lies far beyond the data of the calibration (it needs a false match "
            f"rate {calibration.smallest_fmr / threshold.fmr:,.0f} times smaller than the data "
            "can show): take the error rate as a rough guess."
        )
    measured = calibration.site_references
    if measured is not None and rate.compared > measured:
        warnings.append(
            f"The error rate was measured on this site's own photos with {measured:,} references; "
            f"{rate.compared:,} were compared now. Measure again with: fr evaluate --site-data"
        )
    return warnings


def _about_list(candidates: Sequence[Candidate], found: int, calibration: Calibration) -> list[str]:
    warnings = []
    if len(candidates) > 1 and candidates[0].score - candidates[1].score < CLOSE_SCORE:
        first, second = candidates[0].score, candidates[1].score
        warnings.append(
            f"The first two candidates lie close together (scores {first:.3f} and "
            f"{second:.3f}): kin, or one person enrolled twice, are possible."
        )
    if found > len(candidates):
        more = _count(found - len(candidates), "more candidate")
        warnings.append(f"{more} at or above the threshold: the list was cut short.")
    return warnings


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def one_in(rate: float) -> str:
    """A rate in (0, 1] in words: "1 in 6,000"; two digits, because no more are known."""
    each = 1.0 / max(rate, 1e-15)
    digits = 2 - len(str(int(each)))
    return f"1 in {round(each, digits):,.0f}" if each >= 10.0 else f"1 in {each:.1f}"
