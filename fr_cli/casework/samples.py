"""Dip samples: how one is drawn, so that anybody can repeat it, and what may be found. Pure.

A sample is stratified. Of each stratum the references are put in the order of

    HMAC-SHA-256(key = seed, message = random id of the reference)

(the seed in UTF-8, the id as its 32 hexadecimal digits), and the first ones are taken. Nobody who
draws can choose who is in it but by choosing the seed, and that stands in the log.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from fr_cli.errors import UsageProblem

#: What a reviewer may find, in the words of the sheet. The first is the only one that is no error,
#: the last says that the reviewer could not tell.
FINDINGS = {
    "correct": "photo, person and particulars are right",
    "wrong-photo": "not a usable photo of one face: another object, several people",
    "wrong-subject": "the photo shows somebody else",
    "wrong-provenance": "source, offence, lawful basis or date are wrong",
    "wrong-watchlist": "there is no good reason to be on this watchlist, or not any more",
    "out-of-retention": "it should have been deleted",
    "duplicate": "the person is enrolled under another id too",
    "poor-quality": "too poor to be compared",
    "unclear": "it could not be established",
}
CORRECT, UNCLEAR = "correct", "unclear"


def in_order(seed: str, ids: Iterable[str]) -> list[str]:
    """Random ids in the order in which this seed draws them."""
    key = seed.encode()
    return sorted(ids, key=lambda uid: hmac.new(key, uid.encode(), hashlib.sha256).digest())


def allocated(size: int, strata: Mapping[str, int]) -> dict[str, int]:
    """How many of each stratum (name → references in it) are drawn, `size` of all.

    One of each stratum; the rest in proportion to what is left in each, by largest remainders,
    ties in the order of the names. UsageProblem if there are more strata than `size`.
    """
    names, everything = sorted(strata), sum(strata.values())
    size = min(size, everything)
    rest, left = size - len(names), everything - len(names)
    if rest < 0:
        raise UsageProblem(
            f"A sample of {size:,} cannot reach {len(names):,} strata.",
            hint=f"Draw at least {len(names):,}, or stratify by less: --by watchlist, --by none.",
        )
    quotas = {name: divmod(rest * (strata[name] - 1), left) if left else (0, 0) for name in names}
    drawn = {name: 1 + whole for name, (whole, _) in quotas.items()}
    largest = sorted(names, key=lambda name: (-quotas[name][1], name))
    for name in largest[: size - sum(drawn.values())]:
        drawn[name] += 1
    return drawn


def drawn(seed: str, size: int, frame: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Which references (random ids by stratum) are in the sample, in the order of their drawing."""
    counts = allocated(size, {name: len(ids) for name, ids in frame.items()})
    return {name: in_order(seed, frame[name])[:count] for name, count in counts.items()}
