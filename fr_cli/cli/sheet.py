"""The candidate sheet: one answer as a page to print, to file or to read on a phone.

Self-contained, without scripts: the strict content policy of its head allows the one style sheet,
by its hash, and pictures that lie in the page itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fr_cli.cli.page import template

if TYPE_CHECKING:
    from fr_cli.decision.answer import Candidate
    from fr_cli.decision.threshold import Fpir
    from fr_cli.operations.identify import Identification
    from fr_cli.records import Origin

HEADS = {
    "candidates": "Candidates to look at",
    "no_candidate": "No candidate",
    "inconclusive": "Inconclusive: nobody is named",
}
#: What must not be concluded: from any sheet, and from each outcome.
NOT_CONCLUDED = {
    "candidates": (
        "That a candidate is the person in the photo. A candidate is somebody to look at: "
        "compare the faces yourself, and look for evidence of another kind.",
        "That the score is the probability of being that person. It says how rarely two "
        "different people look so alike to the model.",
        "That a higher rank settles it. Kin, twins and some strangers score as high.",
        "That nobody else comes into question. Who is not listed may be in the gallery.",
    ),
    "no_candidate": (
        "That the person is not in the gallery. Nobody reached the threshold with this photo; "
        "another photo may.",
        "That the person is unknown, or has given a true name.",
    ),
    "inconclusive": (
        "Anything about the person. The photo was usable, but no answer could be given with a "
        "known rate of error.",
    ),
}
_BESIDES = {
    "place": "Place",
    "flags": "Seems to be",
    "supervisor": "Supervisor",
    "necessity": "Necessary because",
}
_ORIGIN = {
    "source": "Source",
    "captured_at": "Captured",
    "lawful_basis": "Lawful basis",
    "retention": "Retention",
    "review_date": "Review",
    "watchlist": "Watchlist",
    "enrolled_at": "Enrolled",
}


@dataclass(frozen=True)
class Bar:
    """A score beside the threshold, as lengths of 100."""

    score: float
    threshold: float


def page(result: Identification) -> str:
    """The sheet of an answer as HTML; the question must have asked for one."""
    assert result.sheet is not None
    answer = result.answer
    rendered, style = template("sheet.html.j2")
    return rendered.render(
        style_hash=style,
        head=HEADS[answer.outcome],
        answer=answer,
        asked=result.sheet,
        besides=_besides(result.grounds),
        asked_at=f"{result.sheet.asked_at:%Y-%m-%d %H:%M:%S} UTC",
        portrait=base64.b64encode(result.sheet.portrait).decode(),
        eyes=result.quality.native("InterEyeDistance"),
        candidates=[_row(one, result) for one in answer.candidates],
        shown=len(result.sheet.faces),
        expected=expected(answer.fpir) if answer.fpir else "",
        quality=result.quality.advice,
        compared=result.compared,
        evaluation=result.behind.sentence,
        model=result.model,
        fingerprint=result.fingerprint,
        search_id=result.search_id,
        log=result.head,
        not_concluded=NOT_CONCLUDED[answer.outcome],
    )


def expected(rate: Fpir) -> str:
    """How often a stranger would get a candidate, in whole people, with the interval."""
    if not rate.compared:
        return ""
    from fr_cli.decision.answer import one_in

    middle, few, many = (one_in(share)[5:] for share in (rate.value, rate.high, rate.low))
    how = "extrapolated; " * rate.extrapolated
    return (
        f"Of {middle} people who are not in this gallery, about one would still get a candidate "
        f"at this threshold ({how}95 % interval: one of {few} to one of {many})."
    )


def _besides(grounds: Mapping[str, Any]) -> dict[str, str]:
    """What was said of the search beside case and reason, by its label."""
    said = {label: grounds.get(name) for name, label in _BESIDES.items()}
    return {
        label: one if isinstance(one, str) else " and ".join(one)
        for label, one in said.items()
        if one
    }


def _row(one: Candidate, result: Identification) -> dict[str, Any]:
    assert result.sheet is not None
    threshold = result.answer.threshold
    floor = threshold.score if threshold else 0.0
    # The bar ends where a photo would lie that is compared with itself.
    whole = max(one.score, result.calibration.score(1.0) if result.calibration else 0.0)
    return {
        "is": one,
        "bar": Bar(round(100 * one.score / whole, 1), round(100 * floor / whole, 1)),
        "above": f"{one.score - floor:.2f} above the threshold {floor:.2f}",
        "origin": _said(result.sheet.origins.get(one.reference_uid)),
        "face": base64.b64encode(result.sheet.faces.get(one.reference_uid, b"")).decode(),
    }


def _said(origin: Origin | None) -> dict[str, str]:
    """What is known of a reference, by label; nothing of one that is gone since the search."""
    values = {label: str(getattr(origin, name, "")) for name, label in _ORIGIN.items()}
    values["Enrolled"] = values["Enrolled"][:10]  # the day will do
    return {label: value for label, value in values.items() if value}
