"""The folder of a drawn sample: a sheet to review by, a table to fill in, and what it came from.

`sheet.html` holds photos and names, and is for the reviewer alone. `findings.csv` and `frame.csv`
hold random ids only.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fr_cli.cli.draft import Draft, draft
from fr_cli.cli.page import template
from fr_cli.errors import ConfigurationError

if TYPE_CHECKING:
    from fr_cli.operations.reviewing import Item
    from fr_cli.operations.samples import Sample
    from fr_cli.site import Site

SHEET, FINDINGS, FRAME = "sheet.html", "findings.csv", "frame.csv"
#: What a reviewer ticks, in this order; a finding of the list names the first that is not so.
CHECKS = (
    "The photo shows one face, well enough to be compared.",
    "It is the person of this id, by the record it came from.",
    "Source, date, lawful basis and particulars are those of the record.",
    "It should still be kept, by the policy's rule and the record.",
    "Each watchlist still has a good reason to hold this person.",
    "The person is not enrolled under another id.",
)
_LABELS = {
    "source": "Source",
    "captured_at": "Captured",
    "lawful_basis": "Lawful basis",
    "retention": "Retention",
    "review_date": "Review",
    "hold": "Hold",
    "watchlist": "Label",
}


@dataclass(frozen=True)
class Desk:
    """The files of a folder, open before anything is drawn."""

    sheet: Draft
    findings: Draft
    frame: Draft

    def publish(self, sample: Sample) -> None:
        """Write them all; OutputFailed if the disk does not take one."""
        self.sheet.publish(page(sample))
        self.findings.publish(findings_table(sample))
        self.frame.publish(frame_table(sample))


@contextlib.contextmanager
def folder(place: Path, site: Site) -> Iterator[Desk]:
    """A new folder for a sample, readable by its owner alone; gone again unless it was filled.

    ConfigurationError, before anything is drawn, if it is there already, or cannot be made.
    """
    site.refuse_inside(place)
    try:
        place.mkdir(mode=0o700)
    except OSError as trouble:
        raise ConfigurationError(
            f"The folder {place} cannot be made: {trouble.strerror}.",
            hint="Give the path of a new folder, in one that exists and that you may write to.",
        ) from trouble
    try:
        with ExitStack() as files:
            drafts = [files.enter_context(draft(place / n, site)) for n in (SHEET, FINDINGS, FRAME)]
            sheet, findings, frame = drafts
            assert sheet
            assert findings
            assert frame
            yield Desk(sheet, findings, frame)
    finally:
        with contextlib.suppress(OSError):  # it holds what was drawn
            place.rmdir()


def findings_table(sample: Sample) -> str:
    """The table that a reviewer fills in, as CSV; random ids only."""
    from fr_cli.operations.findings import COLUMNS

    rows = [(sample.id, one.number, one.reference.uid, "", "") for one in sample.items]
    return _csv(COLUMNS, rows)


def frame_table(sample: Sample) -> str:
    """What the sample was drawn from, as CSV: with it and the seed anybody can repeat the draw."""
    return _csv(("stratum", "reference"), [(name, uid) for uid, name in sample.frame.items()])


def _csv(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([columns, *rows])
    return file.getvalue()


def page(sample: Sample) -> str:
    """The sheet as HTML."""
    from fr_cli.casework.samples import FINDINGS as WORDS

    rendered, style = template("sample.html.j2")
    return rendered.render(
        style_hash=style,
        sample=sample,
        drawn=len(sample.items),
        rows=[_row(one) for one in sample.items],
        findings=WORDS,
        checks=CHECKS,
    )


def _row(one: Item) -> dict[str, Any]:
    said = one.reference.columns
    named = {label: said[name] for name, label in _LABELS.items() if said[name]}
    free = {name: value for name, value in said.items() if name not in _LABELS}
    return {
        "is": one,
        "face": base64.b64encode(one.face).decode(),
        "origin": named | free | {"Enrolled": one.reference.enrolled_at[:10]},
    }


def drawn_document(sample: Sample) -> dict[str, Any]:
    """The JSON document `fr/sample-draw/1`."""
    return {
        "schema": "fr/sample-draw/1",
        "sample": sample.id,
        "seed": sample.seed,
        "drawn": len(sample.items),
        "references": sample.references,
        "strata": [
            {"stratum": name, "drawn": drawn, "references": references}
            for name, (drawn, references) in sample.strata.items()
        ],
        "audit": asdict(sample.head),
    }
