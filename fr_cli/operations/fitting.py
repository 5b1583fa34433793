"""A calibration from labelled photos, and its test on people it has not seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fr_cli.errors import UsageProblem
from fr_cli.operations import calibration_files
from fr_cli.operations.approvals import approved
from fr_cli.operations.bench import Bench
from fr_cli.operations.exclusions import Pairs
from fr_cli.operations.labelled import Labelled
from fr_cli.operations.study import Study
from fr_cli.operations.trial import compare

if TYPE_CHECKING:
    from pathlib import Path

    from fr_cli.decision.calibration import Calibration
    from fr_cli.evaluation.holdout import HeldOut
    from fr_cli.evaluation.impostors import Comparisons, ImpostorSample


def fit(
    sample: ImpostorSample,
    study: Study,
    digest: str,
    bench: Bench,
    site_references: int | None = None,
) -> Calibration:
    """A calibration from all comparisons of different people; UsageProblem if they are too few.

    `site_references` is the size of the gallery that was evaluated with it, if the photos are the
    site's own.
    """
    from fr_cli.evaluation import tail

    try:
        return tail.fit_calibration(
            sample,
            fingerprint=bench.fingerprint,
            model=bench.site.model,
            data_name=study.source.stem,
            data_sha256=digest,
            made=datetime.now(UTC).date().isoformat(),
            site_references=site_references,
        )
    except ValueError as trouble:
        raise UsageProblem(
            f"The photos are too few for a calibration: {trouble}.",
            hint="Take photos of a few thousand people; millions of pairs are needed.",
        ) from trouble


def halves(data: Labelled, excluded: Pairs, study: Study) -> tuple[Comparisons, Comparisons]:
    """The comparisons within each of two halves of the people, drawn at random by the seed.

    UsageProblem if a half has fewer than two subjects with a photo that can be used.
    """
    import numpy as np

    people = np.array(sorted({s.subject for s in data.samples if s.template is not None}))
    np.random.default_rng(study.seed).shuffle(people)
    sides = set(people[: people.size // 2].tolist()), set(people[people.size // 2 :].tolist())
    one, other = (
        compare(
            Labelled([s for s in data.samples if s.subject in side]),
            frozenset(pair for pair in excluded if pair <= side),
            study.fusion,
        )
        for side in sides
    )
    return one, other


def tested(
    parts: tuple[Comparisons, Comparisons], study: Study, digest: str, bench: Bench
) -> list[HeldOut]:
    """Fit one half, and hold what it predicts against the other."""
    from fr_cli.evaluation.holdout import held_out

    fitted = fit(parts[0].nonmated, study, digest, bench)
    return held_out(fitted, parts[1].nonmated)


def allowed_by(fitted: Calibration, file: Path, bench: Bench) -> str:
    """What allows a calibration to be put in force ("" for none needed): its request, or its act.

    A file elsewhere puts nothing in force.
    """
    if file.resolve().parent != bench.site.calibration.resolve():
        return ""
    what = calibration_files.summary(fitted) | {"file": file.name}
    by = approved(bench, "calibration", what)
    return str(by.get("request") or by.get("override") or "")
