"""How often is the answer wrong? Error rates from a labelled manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.audit.entry import JSON
from fr_cli.errors import DONE_WITH_SKIPS, ConfigurationError, UsageProblem
from fr_cli.face.pipeline import Choice
from fr_cli.operations.bench import Bench
from fr_cli.operations.labelled import Labelled, Sample, read_exclusions
from fr_cli.operations.trial import Study, Trial, compare, gather
from fr_cli.records import Head, Listener

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration
    from fr_cli.evaluation.intervals import Rate
    from fr_cli.evaluation.points import Point
    from fr_cli.evaluation.rates import DetPoint, Probes


@dataclass(frozen=True)
class GroupRates:
    """One group's rates at the policy's floor score."""

    columns: tuple[str, ...]
    values: tuple[str, ...]
    tpir: Rate
    fpir: Rate
    fta: int


@dataclass(frozen=True)
class Evaluation:
    """The measured rates; docs/reference/json.md explains each."""

    references: int
    subjects: int
    probes: Probes
    fte: int
    points: list[Point]
    rank1: Rate
    cmc: list[float]
    det: list[DetPoint]
    floor_score: float
    tpir_at_floor: Rate | None
    fpir_at_floor: Rate | None
    groups: list[GroupRates]
    failures: list[tuple[str, str]]
    warnings: list[str]
    unusable_rows: int
    faces: Choice
    fingerprint: str
    calibration: Calibration | None
    fitted: Calibration | None
    head: Head | None = None

    @property
    def exit_code(self) -> int:
        """0, or 100 if lines of the manifest could not be used."""
        return DONE_WITH_SKIPS if self.unusable_rows else 0


def evaluate(study: Study, bench: Bench, listener: Listener) -> Evaluation:
    """Measure the error rates of the home's model on the images of a manifest.

    Nothing of it enters the gallery. The policy's quality floors apply as in a search; what
    they refuse counts as a failure to enrol or to acquire. Raises UsageProblem for a manifest
    that cannot be evaluated.
    """
    bench.site.refuse_inside(study.calibrate, except_for=bench.site.calibration)
    digest = _digest(study)
    excluded = read_exclusions(study.exclude)
    with bench.audit.act("evaluate", "combination", policy=bench.policy_digest, data=digest) as act:
        trial = gather(study, excluded, bench, listener)
        result = _measure(study, trial, bench)
        if study.calibrate is not None:
            fitted = _fit(trial.data, excluded, study.source.stem, digest, bench)
            written = _write(fitted, study.calibrate)
            result = replace(result, fitted=fitted)
            act.decide(calibration_written=written)
        act.exit_code = result.exit_code
        act.decide(**_for_the_log(result))
    return replace(result, head=act.head)


def _measure(study: Study, trial: Trial, bench: Bench) -> Evaluation:
    from fr_cli.evaluation import points, rates

    searched, data = trial.probes, trial.data
    calibration, floor = (
        bench.calibration if trial.cosines else None,
        bench.policy.identify.floor_score,
    )
    cosine = calibration.cosine(floor) if calibration else None
    return Evaluation(
        references=trial.references,
        subjects=trial.subjects,
        probes=searched,
        fte=trial.fte,
        points=points.points(searched, calibration),
        rank1=rates.within_rank(searched, 1),
        cmc=rates.cmc(searched),
        det=rates.det(searched),
        floor_score=floor,
        tpir_at_floor=rates.tpir(searched, cosine) if cosine is not None else None,
        fpir_at_floor=rates.fpir(searched, cosine) if cosine is not None else None,
        groups=list(_groups(study.group_by, trial.samples, searched, cosine)),
        failures=data.failures,
        warnings=_warnings(data, searched),
        unusable_rows=len(data.bad_rows),
        faces=study.face,
        fingerprint=bench.fingerprint,
        calibration=calibration,
        fitted=None,
    )


def _groups(
    columns: tuple[str, ...], probes: Sequence[Sample], searched: Probes, cosine: float | None
) -> Iterator[GroupRates]:
    """The rates of each group that the columns make together."""
    import numpy as np

    from fr_cli.evaluation import protocol, rates

    if not columns or cosine is None:
        return
    labels = [tuple(s.columns.get(name, "") for name in columns) for s in probes]
    for values in sorted(set(labels)):
        part = protocol.part(searched, np.array([label == values for label in labels]))
        yield GroupRates(
            columns, values, rates.tpir(part, cosine), rates.fpir(part, cosine),
            part.failures_to_acquire,
        )  # fmt: skip


def _warnings(data: Labelled, searched: Probes) -> list[str]:
    warnings = [f"line {bad.line} was left out: {bad.reason}" for bad in data.bad_rows[:20]]
    if not searched.nonmated_count:
        warnings.append(
            "There are no non-mated probes, so no false-positive rate can be measured. Add "
            "probes of people who have no reference."
        )
    if not searched.mated_count:
        warnings.append("There are no mated probes, so no true-positive rate can be measured.")
    return warnings


def _fit(
    data: Labelled, excluded: frozenset[frozenset[str]], name: str, digest: str, bench: Bench
) -> Calibration:
    """A calibration from all pairs of photos of different people in the manifest."""
    from fr_cli.evaluation import tail

    sample = compare(data, excluded, "best").nonmated
    try:
        return tail.fit_calibration(
            sample,
            fingerprint=bench.fingerprint,
            model=bench.site.model,
            data_name=name,
            data_sha256=digest,
            made=datetime.now(UTC).date().isoformat(),
        )
    except ValueError as trouble:
        raise UsageProblem(
            f"The manifest is too small for a calibration: {trouble}.",
            hint="Take photos of a few thousand people; millions of pairs are needed.",
        ) from trouble


def _write(calibration: Calibration, path: Path) -> str:
    """Write the file whole or not at all; returns the SHA-256 of its bytes."""
    from fr_cli.decision.document import calibration_to_dict

    draft = path.with_name(path.name + ".new")
    try:
        data = json.dumps(calibration_to_dict(calibration), indent=1).encode() + b"\n"
        draft.write_bytes(data)
        draft.replace(path)
        return hashlib.sha256(data).hexdigest()
    except OSError as trouble:
        raise ConfigurationError(
            f"The calibration {path} cannot be written: {trouble.strerror}.",
            hint="Choose another path for --calibrate.",
        ) from trouble


def _digest(study: Study) -> str:
    """SHA-256 over the manifest and the exclusions: which labels were evaluated."""
    whole = hashlib.sha256()
    for path in (study.source, study.exclude):
        if path is not None and path.is_file():
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _for_the_log(result: Evaluation) -> dict[str, JSON]:
    return {
        "model": result.fingerprint,
        "faces": str(result.faces),
        "references": result.references,
        "probes_mated": result.probes.mated_count,
        "probes_nonmated": result.probes.nonmated_count,
        "fte": result.fte,
        "fta": result.probes.failures_to_acquire,
        "rank1": _text(result.rank1.value),
        "points": [
            {
                "fpir": f"{point['fpir']:.3e}",
                "method": point["method"],
                "tpir": _text(point["tpir"]),
            }
            for point in result.points
        ],
    }


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
