"""`fr demo`: the whole story, watched."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fr_cli.cli import enroll, identify
from fr_cli.cli.output import plain
from fr_cli.cli.wiring import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fr_cli.operations.demo import Chapter

OPENING = (
    "Ten people who do not exist, a home that is made for this alone, eight steps, a few seconds "
    "(the first time, 39 MB of weights are fetched)."
)
#: The chapter in which the notes to an answer are shown; they are the same in those after it.
FIRST_SEARCH = 3


def demo(
    context: typer.Context,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Make the home here and leave it to play with.")
    ] = None,
) -> None:
    """See it all once, on people who do not exist.

    Nine are enrolled, three are asked for, one is purged, and the log is checked.
    """
    from fr_cli.operations.demo import demo as story

    session = session_of(context)
    chapters = []
    session.output.note(plain(OPENING, "italic"))
    with _home(keep) as home:
        for number, chapter in enumerate(story(home, session.listener), start=1):
            title = plain(f"{number}. {chapter.title}", "bold")
            pictures = _pictures(chapter, notes=number == FIRST_SEARCH)
            session.output.tell("", title, plain(chapter.text, "italic"), *pictures)
            chapters.append({"title": chapter.title, "result": _document(chapter)})
    session.output.show(
        {"schema": "fr/demo/1", "home": str(keep) if keep else None, "chapters": chapters},
        "",
        *(plain(line) for line in _to_play(keep)),
        plain("With photos of your own:", "bold"),
        plain("  fr init && fr models pull"),
        plain("  fr enroll FOLDER            one folder a person, or a manifest"),
        plain("  fr identify PHOTO --case ID --reason unknown-person"),
    )


def _to_play(keep: Path | None) -> list[str]:
    """What to type next in the home that was kept, or how to keep one."""
    if keep is None:
        return ["The home is gone again. To keep one and play with it: fr demo --keep DIR"]
    from fr_cli.operations.demo import LOOKALIKE, selfie

    fr = f"fr --home {keep}"
    return [
        f"The home stays in {keep}. Try:",
        f"  {fr} status",
        f"  {fr} identify {selfie(LOOKALIKE)} --case DEMO --reason test --html sheet.html",
        f"  {fr} audit show",
        f"  {fr} doctor",
    ]


@contextlib.contextmanager
def _home(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="fr-demo-") as folder:
        yield Path(folder) / "home"


def _pictures(chapter: Chapter, *, notes: bool) -> list[RenderableType]:
    from fr_cli.audit.verify import Verification
    from fr_cli.operations.enroll import Enrolled
    from fr_cli.operations.identify import Identification
    from fr_cli.operations.purge import PurgeReport

    match chapter.result:
        case Identification() as found:
            return identify.pictures(found, notes=notes)
        case Enrolled() as taken:
            return enroll.pictures(taken)
        case PurgeReport() as gone:
            return [plain(f"{gone.subject_id} is deleted, and the key of their template with it.")]
        case Verification() as log:
            return [plain(f"The log is whole: {log.entries} entries, every signature checked.")]
        case list() as pulled:
            return [plain(f"{one.model.name}: {one.path}") for one in pulled]


def _document(chapter: Chapter) -> Any:
    from fr_cli.audit.verify import Verification
    from fr_cli.operations.enroll import Enrolled
    from fr_cli.operations.identify import Identification
    from fr_cli.operations.purge import PurgeReport

    match chapter.result:
        case Identification() as found:
            return identify.document(found)
        case Enrolled() as taken:
            return enroll.document(taken)
        case PurgeReport() | Verification() as other:
            return asdict(other)
        case list() as pulled:
            return [one.model.name for one in pulled]
