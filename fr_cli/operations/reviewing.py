"""What a reviewer of a dip sample gets to see of each reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fr_cli.errors import FrError
from fr_cli.gallery.frame import Described
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.retention import Facts, is_hold, judge
from fr_cli.gallery.watchlists import standing
from fr_cli.operations.bench import Bench
from fr_cli.records import Listener


@dataclass(frozen=True)
class Item:
    """A reference of a sample; `face` is a JPEG, empty where no photo can be shown.

    `watchlists` are those on which the subject stands, each with the reason; `retention` is what
    the policy's rules say of the reference today: which lets it go or keeps it.
    """

    number: int
    stratum: str
    reference: Described
    watchlists: Mapping[str, str]
    retention: str
    face: bytes


def items_of(
    chosen: Sequence[tuple[str, Described]], gallery: Gallery, bench: Bench, listener: Listener
) -> Iterator[Item]:
    """The references of a sample (stratum, reference), numbered from 1."""
    on = standing(gallery.store)
    for number, (stratum, one) in enumerate(
        listener.track(chosen, "Gathering", len(chosen)), start=1
    ):
        yield Item(
            number=number,
            stratum=stratum,
            reference=one,
            watchlists=on.get(one.subject, {}),
            retention=_retention(one, bench),
            face=_face(one.uid, gallery, bench) if bench.policy.keep_photos else b"",
        )


def _retention(one: Described, bench: Bench) -> str:
    said = {name: one.columns[name] for name in ("retention", "review_date", "captured_at")}
    facts = Facts(one.enrolled_at, hold=is_hold(one.columns["hold"]), **said)
    verdict = judge(facts, bench.policy.retention, datetime.now(UTC).date())
    if verdict.doubt:
        return f"in doubt: {verdict.rule}"
    return f"{'should be gone' if verdict.expires else 'kept'}: {verdict.rule}"


def _face(uid: str, gallery: Gallery, bench: Bench) -> bytes:
    with suppress(FrError):  # one that cannot be shown is said to be so on the sheet
        for photo, template in gallery.photos([uid]).values():
            return bench.pipeline.portrait_of(photo, template)
    return b""
