"""How often is the answer wrong? Error rates from labelled photos, or from another's scores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fr_cli.audit.canonical import JSON
from fr_cli.errors import DONE_WITH_SKIPS, TargetMissed, UsageProblem
from fr_cli.operations import calibration_files, fitting, in_force, suspects
from fr_cli.operations.bench import Bench
from fr_cli.operations.exclusions import Exclusions, read_exclusions
from fr_cli.operations.gathering import gather
from fr_cli.operations.groups import Groups, groups, thresholds_of, ways
from fr_cli.operations.measures import Measures, Pairs, measure
from fr_cli.operations.required import Demand, Required
from fr_cli.operations.search_loss import SearchLoss, search_loss
from fr_cli.operations.study import Study
from fr_cli.operations.suspects import Doubts, Faces
from fr_cli.operations.trial import Trial, compare
from fr_cli.operations.worst import Worst, worst
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration
    from fr_cli.evaluation.holdout import HeldOut
    from fr_cli.operations.in_force import InForce


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found: the checks of its data first, then the rates.

    `model` is the home's, empty where another system's scores were evaluated.
    `doubts` are pairs whose labels look wrong, `faces` those to be looked at, where that was
    asked for, `worst` the worst errors with their faces, where their owner allows it.
    `search_loss` is what the engine annoy would miss. `holdout` is what a fit to half
    of the people predicts of the other half. `fitted` is the calibration that was written,
    `required` what became of the targets of --require, `in_force` the evaluation that it put in
    force.
    """

    study: Study
    trial: Trial
    doubts: Doubts
    measures: Measures
    groups: Groups
    warnings: list[str]
    model: str
    fingerprint: str
    faces: list[Faces] | None = None
    worst: list[Worst] | None = None
    search_loss: SearchLoss | None = None
    holdout: list[HeldOut] | None = None
    fitted: Calibration | None = None
    required: Required | None = None
    in_force: InForce | None = None
    head: Head | None = None

    @property
    def exit_code(self) -> int:
        """0, 40 if a target was not reached, or 100 if lines of the manifest could not be used."""
        if self.required and not self.required.passed:
            return TargetMissed.code
        return DONE_WITH_SKIPS if self.trial.data.bad_rows else 0


def evaluate(study: Study, bench: Bench, listener: Listener) -> Evaluation:
    """Check the labels, and measure the error rates that they give.

    Nothing of it enters the gallery. The policy's quality floors apply as in a search; what
    they refuse counts as a failure to enrol or to acquire. Raises UsageProblem for data that
    cannot be evaluated.
    """
    bench.site.refuse_inside(study.calibrate, except_for=bench.site.calibration)
    if study.site_data and study.calibrate is None:
        raise UsageProblem(
            "--site-data says of a new calibration that its photos are this site's own.",
            hint="Add --calibrate FILE.",
        )
    demand = Demand.read(study.require)
    digest = _digest(study)
    exclusions = read_exclusions(study.exclude)
    with bench.act("evaluate", "combination", data=digest) as act:
        trial = gather(study, exclusions.same, bench, act, listener)
        pairs = _pairs(study, trial, exclusions)
        found = Doubts()
        if pairs.every and trial.data.samples:
            found = suspects.doubts(trial.data, pairs.every.nonmated, exclusions.every)
        rates = measure(study, trial, pairs, exclusions, bench)
        result = Evaluation(
            study=study,
            trial=trial,
            doubts=found,
            measures=rates,
            groups=(compared := _groups(study, trial, rates, pairs, demand, bench)),
            warnings=[*trial.notes, *compared.notes, *_warnings(trial, rates)],
            model=bench.site.model if trial.cosines else "",
            fingerprint=bench.fingerprint,
        )
        if study.search_loss or (demand and demand.targets.latency):
            loss = search_loss(trial, _thresholds(rates), listener)
            result = replace(result, search_loss=loss)
        if study.holdout:
            result = replace(result, holdout=_tested(study, pairs, digest, bench))
        if study.calibrate is not None:
            sample = compare(trial.data, exclusions.every, study.fusion).nonmated
            size = trial.references if study.site_data else None
            fitted = fitting.fit(sample, study, digest, bench, size)
            by = fitting.allowed_by(fitted, study.calibrate, bench)
            data = calibration_files.signed(fitted, bench.signer, bench.site.origin, by)
            act.decide(calibration_written=calibration_files.write(data, study.calibrate))
            result = replace(result, fitted=fitted)
        if study.pairs:
            faces = suspects.faces(study, found.pairs, trial.data, bench, listener)
            act.decide(pairs_shown=len(faces))
            result = replace(result, faces=faces)
        if study.worst:
            result = replace(result, worst=worst(study, trial, exclusions, bench, listener))
            act.decide(faces_shown=len(result.worst or ()))
        if demand:
            timed = result.search_loss
            latency = timed.exact.p99_ms if timed else None
            held = demand.hold(trial, rates, compared.studies, digest, act.id, bench, latency)
            act.decide(targets=held.sha256, passed=held.passed, in_force=held.in_force)
            result = replace(result, required=held)
        act.exit_code = result.exit_code
        act.decide(**trial.for_the_log)
        act.decide(**_for_the_log(result))
    result = replace(result, head=act.head)
    if result.required and result.required.statement:
        # After the outcome: what the log does not name is not in force.
        result = replace(result, in_force=in_force.put_in_force(result.required.statement, bench))
    return result


def _groups(
    study: Study, trial: Trial, rates: Measures, pairs: Pairs, demand: Demand | None, bench: Bench
) -> Groups:
    """The groups of --group-by at the usual thresholds, and those that targets ask about."""
    if trial.protocol == "verification":
        return Groups((), (), ())
    calibration, score = rates.calibration, rates.floor_score
    floor = calibration.cosine(score) if calibration else None
    thresholds = thresholds_of(rates.probes, floor, score)
    wanted = {columns: [one.value for one in thresholds] for columns in ways(study)}
    for columns, value in demand.groups(trial, rates, bench) if demand else ():
        values = wanted.setdefault(columns, [])
        values += [value] if value not in values else []
    sample = pairs.every.nonmated if pairs.every else None
    return groups(trial, sample, thresholds, [*wanted.items()])


def _pairs(study: Study, trial: Trial, exclusions: Exclusions) -> Pairs:
    """All comparisons one to one, as far as there are photos or the protocol made them."""
    if not trial.cosines:
        return Pairs(trial.comparisons)
    try:
        every = trial.comparisons or compare(trial.data, exclusions.same, study.fusion)
    except UsageProblem:  # all photos of one person, asked about in the home's gallery
        return Pairs()
    try:
        return Pairs(every, fitting.halves(trial.data, exclusions.every, study))
    except UsageProblem:
        return Pairs(every)


def _tested(study: Study, pairs: Pairs, digest: str, bench: Bench) -> list[HeldOut]:
    if pairs.halves is None:
        raise UsageProblem(
            "There are too few people to fit on one half and test on the other.",
            hint="Leave --holdout out, or take photos of a few thousand people.",
        )
    return fitting.tested(pairs.halves, study, digest, bench)


def _thresholds(rates: Measures) -> list[float]:
    """The cosines at which rates are stated: those of the points, and the policy's floor."""
    cosines = [point["threshold_cosine"] for point in rates.points]
    if rates.calibration:
        cosines.append(rates.calibration.cosine(rates.floor_score))
    return [cosine for cosine in cosines if cosine is not None]


def _warnings(trial: Trial, rates: Measures) -> list[str]:
    from fr_cli.decision.answer import one_in

    warnings = [f"line {bad.line} was left out: {bad.reason}" for bad in trial.data.bad_rows[:20]]
    if trial.protocol == "verification":
        return warnings
    claim = rates.claim
    if not claim.people and trial.protocol != "closed-set":
        warnings.append(
            "There are no non-mated probes, so no false-positive rate can be measured. Add "
            "probes of people who have no reference."
        )
    elif claim.people < claim.needed:
        warnings.append(
            f"To show a false-positive rate of 1 in {1 / claim.fpir:,.0f} takes {claim.needed:,} "
            f"people without a reference, and none of them with a candidate; here are "
            f"{claim.people:,}, who can show {one_in(claim.shown)} at best."
        )
    if not rates.probes.mated_count:
        warnings.append("There are no mated probes, so no true-positive rate can be measured.")
    return warnings


def _digest(study: Study) -> str:
    """SHA-256 over the manifest and the exclusions: which labels were evaluated."""
    whole = hashlib.sha256()
    for path in (study.source, study.exclude):
        if path is not None and path.is_file():
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _for_the_log(result: Evaluation) -> dict[str, JSON]:
    """The main figures as the log keeps them: numbers as strings, no names."""
    trial, rates = result.trial, result.measures
    pairs = rates.verification
    return {
        "model": result.fingerprint if trial.cosines else "",
        "faces": str(result.study.face),
        "references": trial.references,
        "probes_mated": rates.probes.mated_count,
        "probes_nonmated": rates.probes.nonmated_count,
        "fte": trial.fte,
        "fta": rates.probes.failures_to_acquire,
        "doubts": result.doubts.total,
        "rank1": _text(rates.rank1.value),
        "points": [
            {
                "fpir": f"{point['fpir']:.3e}",
                "method": point["method"],
                "tpir": _text(point["tpir"]),
                "tpir_low": _text(point["tpir_low"]),
                "tpir_high": _text(point["tpir_high"]),
            }
            for point in rates.points
        ],
        "fnmr": [
            {
                "fmr": f"{point.fmr:.3e}",
                "method": point.method,
                "fnmr": _text(point.fnmr.value if point.fnmr else None),
            }
            for point in (pairs.points if pairs else ())
        ],
        "holdout": [
            {"fmr": f"{row.predicted:.3e}", "holds": row.holds}
            for row in result.holdout or ()
            if row.holds is not None
        ],
    }


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
