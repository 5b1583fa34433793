"""`fr report`: what the log shows of a period."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli.audit import options
from fr_cli.cli.draft import draft
from fr_cli.cli.output import plain, table
from fr_cli.cli.wiring import Session, session_of
from fr_cli.errors import UsageProblem
from fr_cli.records import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.evaluation.intervals import Rate
    from fr_cli.operations.drift import Watched


def report(
    context: typer.Context,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="Do searches still lie within the evaluation in force?"),
    ] = False,
    since: options.Since = "",
    until: options.Until = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every number here.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the report here, with plots.", metavar="FILE"),
    ] = None,
    subject: Annotated[
        str, typer.Option("--subject", help="What is held on this person, and who searched them.")
    ] = "",
    to: Annotated[
        str, typer.Option("--to", help="Who receives what --subject says; written to the log.")
    ] = "",
    reason: options.Reason = "",
) -> None:
    """Report on a period from the log. Looking is an act, and is written down in it."""
    session = session_of(context)
    if subject:
        if drift or since or until or csv or html:
            raise UsageProblem("--subject goes with --to and --reason only.")
        _tell(session, subject, to, reason)
    elif to or reason:
        raise UsageProblem("--to and --reason go with --subject only.")
    elif drift:
        if csv or html:
            raise UsageProblem("--drift has no file; use --json.")
        from fr_cli.operations.drift import watch

        with session.bench() as bench:
            result = watch(since, until, bench, session.listener)
        session.output.show(document(result), *pictures(result))
    else:
        _oversee(session, since, until, csv, html)


def _tell(session: Session, subject: str, to: str, reason: str) -> None:
    from fr_cli.cli.oversight import subject as words
    from fr_cli.operations.subject_report import report_on

    with session.bench() as bench:
        result = report_on(subject, to, bench, session.listener, reason=reason)
    session.output.show(words.document(result), *words.pictures(result))


def _oversee(session: Session, since: str, until: str, csv: Path | None, html: Path | None) -> None:
    from fr_cli.cli.oversight import document as documents
    from fr_cli.cli.oversight import page, plots, terminal
    from fr_cli.operations.oversight import oversee

    if html:
        plots.require()
    head = ",".join(documents.CSV_HEAD[:3]).encode()
    with (
        session.bench() as bench,
        draft(csv, bench.site, begins=head) as table_file,
        draft(html, bench.site) as page_file,
    ):
        result = oversee(since, until, bench, session.listener)
        if table_file:
            table_file.publish(documents.as_csv(result))
        if page_file:
            page_file.publish(page.page(result))
    session.output.show(documents.document(result), *terminal.pictures(result))
    for path in filter(None, (csv, html)):
        session.output.note(plain(f"Written: {path}", "dim"))


def document(result: Watched) -> dict[str, Any]:
    """The JSON document `fr/report-drift/1`."""
    found, evaluation = result.drift, result.evaluation
    return {
        "schema": "fr/report-drift/1",
        "since": result.since or None,
        "until": result.until or None,
        "verdict": found.verdict,
        "sentence": found.sentence,
        "evaluation": evaluation
        and {
            "sha256": evaluation.sha256,
            "fpir": evaluation.fpir,
            "references": evaluation.references,
            "until": evaluation.until.isoformat(),
        },
        "false_lists_of_searches": {"least": asdict(found.least), "most": asdict(found.most)},
        "false_lists_of_lists": {
            "least": asdict(found.least_of_lists),
            "most": asdict(found.most_of_lists),
        },
        "lists": asdict(found.lists),
        "lists_before": asdict(found.lists_before),
        "change": {"verdict": found.change.verdict, "sentence": found.change.sentence},
        "score_shift": found.score_shift and asdict(found.score_shift),
        "undecided": found.undecided,
        "refused": result.refused,
        "inconclusive": result.inconclusive,
        "uncovered": result.uncovered,
        "audit": asdict(result.head),
    }


def pictures(result: Watched) -> list[RenderableType]:
    """What an overseer reads."""
    found = result.drift
    colour = {"outside": "bold red", "within": "bold green"}.get(found.verdict, "bold yellow")
    rows = table("", "Least", "Most", right=("Least", "Most"))
    rows.add_row("False lists, of all searches", _share(found.least), _share(found.most))
    rows.add_row(
        "False lists, of all candidate lists",
        _share(found.least_of_lists),
        _share(found.most_of_lists),
    )
    lines: list[RenderableType] = [
        plain(found.sentence, colour),
        plain(
            f"{counted(found.lists.of, 'search answered', 'searches answered')}, "
            f"{found.lists.cases:,} with candidates; "
            f"{result.inconclusive:,} inconclusive; {result.uncovered:,} that no evaluation in "
            "force covered (left out)."
        ),
        rows,
        plain(
            f"Without an officer's decision: {counted(found.undecided, 'candidate list')}. Least "
            "counts them as true, most as false. Groups are not recorded, so nothing is said of "
            "them."
        ),
    ]
    if result.refused:
        words = ", ".join(f"{name} {count:,}" for name, count in sorted(result.refused.items()))
        lines.append(plain(f"Not searched: {words}."))
    if found.lists_before.of:
        lines.append(plain(f"Against the time before: {found.change.sentence}"))
    if found.score_shift:
        by = found.score_shift
        lines.append(
            plain(
                f"First candidates' scores: {by.value:+.3f} against before "
                f"({by.low:+.3f} … {by.high:+.3f})."
            )
        )
    lines.append(plain(f"Entry {result.head.size} of the audit log.", "dim"))
    return lines


def _share(one: Rate) -> str:
    if one.value is None:
        return "nothing to count"
    return f"{one.value:.1%} ({one.cases:,} of {one.of:,}; {one.low:.1%} … {one.high:.1%})"
