"""Searches that stand in the log without a photo, by people of different accounts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fr_cli.audit.canonical import JSON
from fr_cli.casework.decisions import Verdict
from fr_cli.errors import FrError
from fr_cli.gallery.store import Store
from fr_cli.operations.bench import Bench
from fr_cli.operations.decide import Decided, Order, decide
from tests.conftest import Fr


def account(uid: int, user: str, loginuid: int | None = None) -> dict[str, JSON]:
    """Somebody as the log names them."""
    return {"uid": uid, "user": user, "loginuid": loginuid or uid, "tty": ""}


ALICE, BOB, CAROL = account(1001, "alice"), account(1002, "bob"), account(1003, "carol")


@contextlib.contextmanager
def at(fr: Fr, who: Mapping[str, JSON]) -> Iterator[Bench]:
    """The tools of a home in somebody's hands."""
    with Bench(fr.home, asker=who) as bench:
        yield bench


def uids(fr: Fr) -> dict[str, tuple[str, str]]:
    """The random ids of everybody enrolled, and of a reference: by the feed's id."""
    with contextlib.closing(Store.open(fr.home / "gallery" / "gallery.db")) as store:
        rows = store.db.execute(
            "SELECT subject_id, subjects.uid, refs.uid FROM subjects "
            "JOIN refs ON refs.subject = subjects.pk"
        ).fetchall()
    return {str(name): (str(subject), str(reference)) for name, subject, reference in rows}


def search(
    fr: Fr,
    *people: str,
    by: Mapping[str, JSON] = ALICE,
    outcome: str = "",
    error: FrError | None = None,
    **why: JSON,
) -> str:
    """A search that showed these people, as `identify` logs it; its id."""
    ids = uids(fr)
    grounds: dict[str, JSON] = {"case": "CR/26/1", "reason": "unknown-person", **why}
    with (
        contextlib.suppress(FrError),
        at(fr, by) as bench,
        bench.act("identify", "consultation", why=grounds, policy="", watchlist="") as act,
    ):
        if error:
            raise error
        act.decide(
            outcome=outcome or ("candidates" if people else "no_candidate"),
            candidates=[
                {"rank": n, "subject": ids[who][0], "reference": ids[who][1], "score": "0.7000"}
                for n, who in enumerate(people, 1)
            ],
        )
    return act.id


def says(
    fr: Fr, who: Mapping[str, JSON], search_id: str, correct: bool = False, **verdicts: Verdict
) -> Decided:
    """Somebody decides."""
    order = Order(search_id, "features compared", verdicts, correct=correct)
    with at(fr, who) as bench:
        return decide(order, bench)


def entries(fr: Fr, command: str) -> Sequence[dict[str, Any]]:
    """The entries of a command."""
    return [entry for entry in fr.log() if entry["cmd"] == command]


def asks_for_a_second(fr: Fr) -> None:
    """Change the policy."""
    with (fr.home / "policy.yaml").open("a") as file:
        file.write("\ndecisions: {due_days: 7, second: true}\n")
