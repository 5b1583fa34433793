"""What a dip sample says, for scripts and for people, and what it does not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.cli.output import plain, table
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.casework.suspicions import Neighbour
    from fr_cli.evaluation.finite_population import Share
    from fr_cli.operations.findings import Outcome
    from fr_cli.operations.suspicions import Searched

#: Suspicions that are listed on the screen; --json has them all.
SHOWN = 50


def result_document(outcome: Outcome) -> dict[str, Any]:
    """The JSON document `fr/sample-result/1`."""
    return {
        "schema": "fr/sample-result/1",
        "sample": outcome.sample,
        "drawn_at": outcome.drawn_at,
        "drawn": outcome.drawn,
        "references": outcome.population,
        "findings": _findings(outcome.findings),
        "wrong": asdict(outcome.wrong),
        "strata": [
            {
                "stratum": part.name,
                "drawn": part.drawn,
                "references": part.population,
                "findings": _findings(part.findings),
                "wrong": asdict(part.wrong),
            }
            for part in outcome.parts
        ],
        "audit": asdict(outcome.head),
    }


def _findings(found: Any) -> list[dict[str, Any]]:
    return [{"finding": name, "count": count} for name, count in found.items()]


def result_pictures(outcome: Outcome) -> list[RenderableType]:
    """The share that is wrong, in each stratum and in all, and what to make of it."""
    from fr_cli.casework.samples import FINDINGS, UNCLEAR

    rows = table("Stratum", "Of", "Drawn", "Wrong", "95 %", right=("Of", "Drawn", "Wrong"))
    for part in outcome.parts:
        rows.add_row(
            plain(part.name), f"{part.population:,}", f"{part.drawn:,}", *_share(part.wrong)
        )
    value, interval = _share(outcome.wrong)
    lines: list[RenderableType] = [
        plain(
            f"About {value} of {counted(outcome.population, 'reference')} are wrong ({interval}).",
            "bold",
        ),
        rows,
        *(
            plain(f"{name} {count:,}: {FINDINGS[name]}.")
            for name, count in outcome.findings.items()
        ),
    ]
    if outcome.findings.get(UNCLEAR):
        lines.append(plain("The intervals allow for every unclear one being wrong."))
    return [
        *lines,
        plain(
            f"It speaks of the references that were there on {outcome.drawn_at[:10]}, each stratum "
            "weighing as much as it has, and of what these reviewers could see. It does not say "
            "which of the others are wrong, nor anything of photos that no reviewer could judge."
        ),
        plain(f"Entry {outcome.head.size} of the audit log.", "dim"),
    ]


def _share(one: Share) -> tuple[str, str]:
    return f"{one.value:.1%}", f"{one.low:.1%} … {one.high:.1%}"


def search_document(found: Searched) -> dict[str, Any]:
    """The JSON document `fr/sample-search/1`."""
    return {
        "schema": "fr/sample-search/1",
        "sample": found.sample,
        "searched": found.searched,
        "references": found.references,
        "threshold": {"score": found.threshold.score, "cosine": found.threshold.cosine},
        "stranger_cosine": found.stranger_cosine,
        "expected_by_chance": found.expected,
        "suspicions": [
            {
                "kind": one.kind,
                "says": one.says,
                "number": found.number[one.reference.uid],
                "reference": _named(one.reference),
                "others": [_named(other) for other in one.others],
                "score": score,
                "cosine": one.cosine,
            }
            for one, score in zip(found.found, found.scores, strict=True)
        ],
        "audit": asdict(found.head),
    }


def _named(one: Neighbour) -> dict[str, str]:
    return {"subject_id": one.subject_id, "reference_id": one.reference_id}


def search_pictures(found: Searched) -> list[RenderableType]:
    """The suspicions, and what they are held against."""
    rows = table("No.", "Reference", "Other", "Score", "Suspicion", right=("No.", "Score"))
    for one, score in list(zip(found.found, found.scores, strict=True))[:SHOWN]:
        others = ", ".join(map(_words, one.others))
        rows.add_row(
            str(found.number[one.reference.uid]), plain(_words(one.reference)), plain(others),
            f"{score:.2f}", plain(one.says),
        )  # fmt: skip
    lines: list[RenderableType] = [rows] if found.found else []
    if len(found.found) > SHOWN:
        lines.append(plain(f"… and {len(found.found) - SHOWN:,} more; --json lists all."))
    least = found.threshold.score
    return [
        *lines,
        plain(
            f"{counted(len(found.found), 'suspicion')} in {counted(found.searched, 'reference')}, "
            f"each held against {found.references:,}. Suspicions, not findings: look at the photos "
            "and the records.",
            "bold",
        ),
        plain(
            f"Held against the threshold of a candidate in this gallery (score {least:.2f}, cosine "
            f"{found.threshold.cosine:.3f}); by chance {found.expected:.1g} pairs of strangers "
            "would reach it."
        ),
        plain(f"Entry {found.head.size} of the audit log.", "dim"),
    ]


def _words(one: Neighbour) -> str:
    return f"{one.subject_id} ({one.reference_id})"
