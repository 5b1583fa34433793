"""The report as one self-contained page, to send, file or print."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fr_cli import __version__
from fr_cli.cli.oversight import tables
from fr_cli.cli.oversight.plots import plots
from fr_cli.cli.page import template

if TYPE_CHECKING:
    from fr_cli.operations.oversight import Oversight


def page(result: Oversight) -> str:
    """The report as HTML."""
    rendered, style = template("oversight/page.html.j2")
    counts = vars(result.counts.all)
    shares = [(label, tables.share(counts[name], counts[of]))
              for name, (label, of) in tables.SHARES.items()]  # fmt: skip
    shares += [
        ("False, of all searches", tables.share(counts["false"], counts["asked"])),
        ("False, of candidate lists", tables.share(counts["false"], counts["lists"])),
    ]
    return rendered.render(
        style_hash=style,
        version=__version__,
        made=result.made[:10],
        period=tables.period(result),
        asked=counts["asked"],
        shares=shares,
        people=sorted(result.counts.candidates.items()),
        plots=[(one, base64.b64encode(one.svg).decode()) for one in plots(result)],
        columns=tables.COLUMNS,
        breakdowns=[
            (one.by, [(value, tables.cells(tally)) for value, tally in one.rows])
            for one in tables.breakdowns(result)
        ],
        decisions=result.counts,
        due_days=result.due_days,
        overdue=result.overdue,
        acts=tables.other_acts(result),
        refusals=tables.refusals(result),
        overrides=result.other.overrides.values(),
        sums=tables.sums(result),
        evaluation=tables.sentence(result),
        live=[name.replace("_", " ") for name in tables.LIVE],
        notes=tables.notes(result),
        log=result.head,
    )
