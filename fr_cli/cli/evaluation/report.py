"""The report of an evaluation: one self-contained page, first in plain words, then in figures.

Self-contained, without scripts, under the same content policy as the candidate sheet. Nobody is
named; faces stand in it only where the data's owner allows it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fr_cli import __version__
from fr_cli.cli.evaluation import figures
from fr_cli.cli.evaluation.words import share, target, words
from fr_cli.cli.page import template
from fr_cli.records import counted

if TYPE_CHECKING:
    from fr_cli.evaluation.group_fmr import GroupFmr
    from fr_cli.evaluation.intervals import Rate
    from fr_cli.operations.evaluate import Evaluation

#: Sizes and targets for which a threshold is worked out.
SIZES = (1_000, 10_000, 100_000, 600_000, 1_000_000)
GOALS = (0.01, 0.001, 1.0 / 6000.0)
#: More pairs of groups than these at one cosine do not fit a page.
MOST_CELLS = 21
PLAINLY = {"fpir": "Strangers shown (FPIR)", "fnir": "People missed (FNIR)"}
NOT_CONCLUDED = (
    "That it works as well with other cameras, in other light, or on other people than these.",
    "That the rates hold in a larger gallery: false candidates grow with it. See the table of "
    "thresholds.",
    "That groups are treated alike because no difference is reported. Only the sentences on groups "
    "say what would have been noticed.",
    "That a candidate is the person in the photo. An officer decides, with other evidence.",
    "That it may be used. Whether that is lawful, necessary and proportionate is not measured.",
)


def page(result: Evaluation) -> str:
    """The report as HTML."""
    from fr_cli.decision.answer import one_in

    rendered, style = template("report.html.j2")
    trial, rates = result.trial, result.measures
    held, force = result.required, result.in_force
    return rendered.render(
        style_hash=style,
        made=f"{datetime.now(UTC):%Y-%m-%d}",
        version=__version__,
        source=result.study.source.name,
        model=result.model or "another system",
        fingerprint=result.fingerprint if trial.cosines else "",
        trial=trial,
        rates=rates,
        people=len({sample.subject for sample in trial.data.samples}),
        photos=len(trial.data.samples) or len(trial.samples),
        asked=_asked(result),
        found=list(_found(result)),
        sure=list(_sure(result)),
        not_concluded=NOT_CONCLUDED,
        held=held,
        force=force,
        points=rates.points,
        at_scores=rates.at_scores,
        words=words,
        share=share,
        target=target,
        one_in=one_in,
        figures=figures.figures(result),
        groups=[_group(result, study) for study in result.groups.studies],
        matches=list(_matches(result)),
        thresholds=list(_thresholds(result)),
        ageing=rates.ageing,
        worst=[
            {
                "is": one,
                "probe": base64.b64encode(one.probe).decode(),
                "reference": base64.b64encode(one.reference).decode(),
            }
            for one in result.worst or ()
        ],
        pictures_allowed=result.worst is not None,
        warnings=result.warnings,
        doubts=result.doubts.total,
        group_by=result.study.group_by,
        log=result.head,
    )


def _asked(result: Evaluation) -> str:
    trial, probes = result.trial, result.measures.probes
    return (
        f"How often is a stranger shown as a candidate, and how often is somebody found who is "
        f"there? {probes.mated.size:,} photos were asked about in a gallery of "
        f"{trial.references:,} reference photos of {trial.subjects:,} people: "
        f"{probes.mated_count:,} of people in it, {probes.nonmated_count:,} of people who are not."
    )


def _found(result: Evaluation) -> Iterator[str]:
    """What was found, at the threshold in use, in whole people; then groups."""
    rates = result.measures
    if rates.at_floor:
        where = f"At the threshold in use (score {rates.floor_score:.2f})"
        yield from _plainly(
            rates.at_floor.tpir, f"{where}, of people who are in the gallery", "found"
        )
        yield from _plainly(
            rates.at_floor.fpir,
            f"{where}, of people who are not in the gallery",
            "shown a stranger",
        )
    for study in result.groups.studies:
        at = next((o.at for o in result.groups.thresholds if o.value == study.threshold), "")
        for one in study.comparisons[:2]:
            said = one.judgement.sentence.replace(one.rate.upper(), PLAINLY[one.rate], 1)
            yield f"Groups by {' and '.join(study.columns)}, at {at}. {said}"


def _plainly(rate: Rate, who: str, what: str) -> Iterator[str]:
    from fr_cli.decision.answer import one_in

    if rate.value is None:
        yield f"{who}: nobody was asked about, so how many are {what} is not known."
    elif rate.cases == rate.of:
        yield (
            f"{who}, all {rate.of:,} were {what}. The true share may still be as low as "
            f"{rate.low:.2%}."
        )
    elif not rate.cases:
        yield (
            f"{who}, none of {rate.of:,} was {what}. The true share may still be as high as "
            f"{rate.high:.2%} ({one_in(rate.high)})."
        )
    else:
        yield (
            f"{who}, {100 * rate.value:.1f} of 100 were {what} (between {100 * rate.low:.1f} and "
            f"{100 * rate.high:.1f}; {rate.cases:,} of {rate.of:,})."
        )


def _sure(result: Evaluation) -> Iterator[str]:
    from fr_cli.decision.answer import one_in

    claim = result.measures.claim
    yield (
        "Each figure stands with an interval. In 95 of 100 such evaluations the true value lies in "
        "it, for people drawn as these were. It does not cover other cameras or other people."
    )
    if claim.people < claim.needed:
        yield (
            f"To show that {one_in(claim.fpir)} is not passed takes {claim.needed:,} people "
            "who are not in the gallery, and no error. "
            + (f"Here are {claim.people:,}: with no error they could show {one_in(claim.shown)}."
               if claim.people else "Here is nobody.")
        )  # fmt: skip
    if result.measures.calibration:
        yield "What is called extrapolated was not seen: a fitted curve says it, with its interval."
    if result.doubts.total:
        yield (
            f"Labels that look wrong: {counted(result.doubts.total, 'pair')} of photos. Until "
            "somebody has looked at them, every rate is in doubt."
        )


def _group(result: Evaluation, study: Any) -> dict[str, Any]:
    at = next((o.at for o in result.groups.thresholds if o.value == study.threshold), "")
    title = f"by {' and '.join(study.columns)}, at {at or f'cosine {study.threshold:.3f}'}"
    first = [study.threshold] == [one.value for one in result.groups.thresholds[:1]]
    return {
        "is": study,
        "title": title,
        "forests": figures.forests(study, title),
        "first": first,
    }


def _matches(result: Evaluation) -> Iterator[dict[str, Any]]:
    """False match rates of pairs, a table a way of grouping, at the cosines that enough reach."""
    ways: dict[tuple[str, ...], list[GroupFmr]] = {}
    for columns, one in result.groups.matches:
        if one.telling and len(one.cells) <= MOST_CELLS:
            ways.setdefault(columns, []).append(one)
    for columns, found in ways.items():
        yield {"by": " and ".join(columns), "at": found}


def _thresholds(result: Evaluation) -> Iterator[dict[str, Any]]:
    """For a gallery of N and a target of X use T: by the calibration; TPIR is of this data."""
    from fr_cli.decision.threshold import threshold_for
    from fr_cli.evaluation.rates import tpir

    calibration, probes = result.measures.calibration, result.measures.probes
    if calibration is None:
        return
    for size in SIZES:
        for goal in GOALS:
            found = threshold_for(calibration, size, 0.0, goal)
            rate = tpir(probes, found.cosine) if found.reachable else None
            yield {
                "size": size,
                "goal": goal,
                "score": found.score,
                "cosine": found.cosine if found.reachable else None,
                "tpir": rate,
                "extrapolated": calibration.extrapolated(min(found.cosine, 1.0)),
            }
