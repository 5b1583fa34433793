"""The whole story in a throw-away home, on people who do not exist."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import ConfigurationError
from fr_cli.face import weights
from fr_cli.gallery.selection import Selection
from fr_cli.operations.audit import log_of
from fr_cli.operations.bench import Bench
from fr_cli.operations.enroll import Enrolled, Source, enroll
from fr_cli.operations.identify import Identification, Question, identify
from fr_cli.operations.init import init
from fr_cli.operations.purge import Order, PurgeReport, purge
from fr_cli.records import Listener
from fr_cli.site import user_home

if TYPE_CHECKING:
    from fr_cli.audit.verify import Verification

#: Who is asked for: somebody enrolled, somebody who is not, and one of two who look alike.
MATED, STRANGER, LOOKALIKE = "P003", "P007", "P010"


@dataclass(frozen=True)
class Chapter:
    """One step of the story: what is about to be shown, and what came of it."""

    title: str
    text: str
    result: list[weights.Pulled] | Enrolled | Identification | PurgeReport | Verification


def demo(home: Path, listener: Listener) -> Iterator[Chapter]:
    """Enrol nine made-up people, ask for one and for a stranger, check the log, purge.

    Raises ConfigurationError if the photos (the `demo` extra) are not installed.
    """
    people = _people()
    yield Chapter(
        "The models",
        "Weights are fetched once, and only bytes of the catalogue's hash are ever loaded.",
        weights.pull(weights.needed(), user_home() / "models", listener=listener),
    )
    init(home)
    feed = home.parent / f"{home.name}-feed.csv"
    _write_feed(feed, people)
    with Bench(home) as bench:
        yield Chapter(
            "Enrolment",
            f"Portraits of nine people enter the gallery; {STRANGER} is left out. Templates are "
            "encrypted before they are written, the photos are not kept.",
            enroll(Source(feed), bench, listener),
        )
        feed.unlink()
        yield Chapter(
            "A photo of somebody who is enrolled",
            f"An officer photographs somebody who does not say who they are. (It is {MATED}.)",
            _ask(people, MATED, bench),
        )
        yield Chapter(
            "A photo of a stranger",
            f"{STRANGER} was never enrolled. The right answer is that there is no candidate.",
            _ask(people, STRANGER, bench),
        )
        yield Chapter(
            "Two who look alike",
            f"{LOOKALIKE} is enrolled, and so is somebody much like {LOOKALIKE}: a candidate is "
            "somebody to look at, no more.",
            _ask(people, LOOKALIKE, bench),
        )
        yield Chapter(
            "Deletion",
            f"{MATED} may no longer be kept.",
            purge(Order(Selection("subject", MATED)), bench),
        )
        yield Chapter(
            "The same photo again",
            "Nobody finds a purged person, and no feed that still lists them brings them back.",
            _ask(people, MATED, bench),
        )
        from fr_cli.audit.verify import verify_log

        log = log_of(home)
        yield Chapter(
            "The signed log",
            "Each of these acts was written down before it was done, and its outcome before it "
            "was shown. Anyone can check that with the public key.",
            verify_log(log.path, log.public, log.origin, full=True),
        )


def _people() -> Path:
    try:
        import openpeople
    except ImportError:
        raise ConfigurationError(
            "The photos of the demo are not installed.",
            hint="Install them with: pip install 'fr-cli[demo]'",
        ) from None
    return Path(openpeople.__file__).parent / "data" / "curated"


def _write_feed(feed: Path, people: Path) -> None:
    with feed.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject_id", "image", "reference_id", "source"))
        for person in sorted(people.iterdir()):
            if person.name != STRANGER:
                portrait = person / "assets" / "studio_portrait.jpg"
                table.writerow((person.name, portrait, "studio_portrait", "openpeople"))


def _ask(people: Path, person: str, bench: Bench) -> Identification:
    photo = selfie(person, people).read_bytes()
    return identify(Question(photo, case="DEMO", reason="test"), bench)


def selfie(person: str, people: Path | None = None) -> Path:
    """The photo that is asked about."""
    return (people or _people()) / person / "assets" / "amateur_selfie.jpg"
