"""What an evaluation measures, each by its own file of the room evaluation/.

To add a measure: a file with one dataclass and one function there, a field and a line here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from fr_cli.operations.bench import Bench
from fr_cli.operations.exclusions import Exclusions
from fr_cli.operations.labelled import Labelled, Sample
from fr_cli.operations.study import Study
from fr_cli.operations.trial import Trial
from fr_cli.operations.variants import Gate, WithoutKin, gate, pooled, without_kin

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration
    from fr_cli.evaluation.ageing import AgeBand
    from fr_cli.evaluation.at_scores import AtScore
    from fr_cli.evaluation.at_threshold import AtThreshold
    from fr_cli.evaluation.discarding import ErrorDiscard
    from fr_cli.evaluation.growth import FpirAtN, Growth
    from fr_cli.evaluation.histograms import Histograms
    from fr_cli.evaluation.impostors import Comparisons
    from fr_cli.evaluation.intervals import Rate
    from fr_cli.evaluation.likelihood import LikelihoodRatio
    from fr_cli.evaluation.lists import Lists
    from fr_cli.evaluation.points import Point
    from fr_cli.evaluation.rates import DetPoint, Probes
    from fr_cli.evaluation.repeated import Repeated
    from fr_cli.evaluation.selectivity import Selectivity
    from fr_cli.evaluation.verification import Verification


@dataclass(frozen=True)
class Claim:
    """What the non-mated probes can show of the policy's FPIR target, at 95 %.

    `needed` people without a false positive would show the target; if none of the `people`
    there are had one, that would show `shown`.
    """

    fpir: float
    people: int
    needed: int
    shown: float


@dataclass(frozen=True)
class Measures:
    """The measured rates; docs/reference/json.md explains each.

    None, or empty, is what the protocol or the data does not give.
    """

    probes: Probes
    calibration: Calibration | None
    floor_score: float
    claim: Claim
    points: list[Point]
    rank1: Rate
    cmc: list[float]
    det: list[DetPoint]
    at_floor: AtThreshold | None = None
    at_scores: list[AtScore] = field(default_factory=list)
    verification: Verification | None = None
    likelihood_ratio: LikelihoodRatio | None = None
    histograms: Histograms | None = None
    selectivity: list[Selectivity] = field(default_factory=list)
    fpir_by_n: list[FpirAtN] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    quality: list[ErrorDiscard] = field(default_factory=list)
    gate: Gate | None = None
    ageing: list[AgeBand] = field(default_factory=list)
    without_kin: WithoutKin | None = None
    draws: Repeated | None = None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Comparisons one to one: of all photos, and within each of two halves of the people."""

    every: Comparisons | None = None
    halves: tuple[Comparisons, Comparisons] | None = None


def measure(
    study: Study, trial: Trial, pairs: Pairs, exclusions: Exclusions, bench: Bench
) -> Measures:
    """Every measure that the trial and its pairs allow."""
    from fr_cli.evaluation.at_scores import at_scores
    from fr_cli.evaluation.at_threshold import at_threshold
    from fr_cli.evaluation.growth import fpir_by_n, growth
    from fr_cli.evaluation.histograms import histograms
    from fr_cli.evaluation.likelihood import likelihood_ratio, scored
    from fr_cli.evaluation.points import TARGETS, points
    from fr_cli.evaluation.rates import cmc, det, within_rank
    from fr_cli.evaluation.repeated import repeated
    from fr_cli.evaluation.selectivity import selectivity
    from fr_cli.evaluation.verification import verification

    probes, samples = pooled(trial), list(trial.samples) * len(trial.draws)
    calibration = bench.calibration_of(trial.fusion) if trial.cosines else None
    floor = bench.policy.identify.floor_score
    result = Measures(
        probes=probes,
        calibration=calibration,
        floor_score=floor,
        claim=_claim(probes, bench.policy.identify.fpir_target),
        points=points(probes, calibration),
        rank1=within_rank(probes, 1),
        cmc=cmc(probes),
        det=det(probes),
        verification=verification(pairs.every, calibration, with_eer=study.eer)
        if pairs.every
        else None,
        likelihood_ratio=likelihood_ratio(*map(scored, pairs.halves)) if pairs.halves else None,
        histograms=histograms(pairs.every) if pairs.every else None,
        draws=repeated(trial.draws, calibration.cosine(floor) if calibration else None, TARGETS)
        if len(trial.draws) > 1
        else None,
    )
    if calibration is None or not probes.mated.size:
        return result
    # What follows needs a threshold that means something, or a gallery to be searched.
    cosine = calibration.cosine(floor)
    floors = dict(bench.policy.quality_floors)
    rows = at_scores(probes, calibration, trial.compared)
    lists = _lists(study, trial, exclusions)
    return replace(
        result,
        at_floor=at_threshold(probes, cosine),
        at_scores=rows,
        quality=_quality(samples, probes, cosine),
        gate=gate(study, trial, exclusions, floors, cosine),
        ageing=_ageing(trial.data, cosine),
        without_kin=without_kin(study, trial, exclusions, calibration, cosine)
        if exclusions.kin
        else None,
        selectivity=selectivity(lists, calibration, [row.threshold_cosine for row in rows]),
        fpir_by_n=fpir_by_n(lists, calibration, [cosine, *_loose(probes)]),
        growth=growth(lists, study.seed),
    )


def _claim(probes: Probes, target: float) -> Claim:
    from fr_cli.evaluation.intervals import bound_when_none, trials_needed

    people = probes.nonmated_people
    return Claim(target, people, trials_needed(target), bound_when_none(people))


def _loose(probes: Probes) -> list[float]:
    """Thresholds at which FPIR is 1 % and 10 %, so that smaller galleries still show some."""
    from fr_cli.evaluation.rates import threshold_at_fpir

    people = probes.nonmated_people
    return [threshold_at_fpir(probes, rate) for rate in (0.01, 0.1) if people * rate >= 1.0]


def _lists(study: Study, trial: Trial, exclusions: Exclusions) -> Lists:
    """The most alike others of each non-mated probe; under leave-one-out, of each photo."""
    import numpy as np

    from fr_cli.evaluation.lists import candidate_lists

    if trial.enrolled is not None:
        vectors, subjects = trial.enrolled.vectors, trial.enrolled.subjects
        asked = [s for s in trial.samples if s.subject not in trial.enrolled.listed]
    else:  # leave one out
        asked = [s for s in trial.data.samples if s.template is not None]
        vectors = np.stack([s.template.vector for s in asked if s.template is not None])
        subjects = [s.subject for s in asked]
    return candidate_lists(
        vectors,
        subjects,
        [s.template.vector if s.template else None for s in asked],
        [s.subject for s in asked],
        excluded=exclusions.same,
        fusion=study.fusion,
    )


def _quality(samples: Sequence[Sample], probes: Probes, cosine: float) -> list[ErrorDiscard]:
    """Error against discarded quality, by each measure and by the lowest of all."""
    import numpy as np

    from fr_cli.evaluation.discarding import LOWEST, error_discard, lowest

    made = [{m.name: m.component for m in s.template.quality.measures} if s.template else {}
            for s in samples]  # fmt: skip
    names = dict.fromkeys(name for one in made for name in one)
    if not names:
        return []
    components = {
        name: np.array([math.nan if (c := one.get(name)) is None else c for one in made], float)
        for name in names
    }
    return error_discard(probes, {LOWEST: lowest(components), **components}, cosine)


def _ageing(data: Labelled, cosine: float) -> list[AgeBand]:
    """Mated pairs by the years between their dates, where both photos have one."""
    import numpy as np

    from fr_cli.evaluation.ageing import ageing
    from fr_cli.evaluation.checks import mated_pairs

    dated = [(s, day) for s in data.samples
             if s.template and (day := _day(s.columns.get("captured_at", "")))]  # fmt: skip
    if len(dated) < 2:
        return []
    _, numbers = np.unique([s.subject for s, _ in dated], return_inverse=True)
    vectors = np.stack([s.template.vector for s, _ in dated if s.template])
    first, second, cosines = mated_pairs(vectors, numbers.astype(np.int64))
    days = np.array([day.toordinal() for _, day in dated])
    years = np.abs(days[first] - days[second]) / 365.25
    return ageing(cosines, numbers.astype(np.int64)[first], years, cosine)


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
