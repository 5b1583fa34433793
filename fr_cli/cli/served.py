"""Which commands a station serves, and what of them is a file; one line for each.

A command's function is the same in both modes. What the client does with its line is in station.py,
how the service calls it in serving.py; neither knows any command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from fr_cli.service.request import Place


#: What the client makes of what it is sent: a page (which replaces pages only), a file that must be
#: a new one, any file, or a new folder.
Written: TypeAlias = Literal["page", "new", "file", "folder"]


@dataclass(frozen=True)
class Served:
    """What of a command's parameters is no word or number; all others are sent as they are.

    `photo` names the one that is a photo, `feed` the one that is a manifest or a folder of photos,
    `reads` those that are files to be read: the client reads them, and sends bytes. `writes` are
    those that are to be written, and how: the service sends bytes, the client writes them.
    `confirm` is what is asked at the terminal where `--yes` is due. `unless` is a parameter with
    which the command needs no home, and is not sent; nor is `own`, a secret of this account.
    """

    place: Place = "errand"
    photo: str = ""
    feed: str = ""
    reads: tuple[str, ...] = ()
    writes: Mapping[str, Written] = field(default_factory=dict)
    confirm: str = ""
    unless: str = ""
    own: str = ""


#: Of acts that may take two people: the request that is asked for, and what comes back signed.
_ASKED: Mapping[str, Written] = {"ask": "new"}
_APPROVED = ("approved", "signature")
#: Files to be read that lie beside another one, with this ending, unless they are named.
BESIDE = {"signature": ("approved", ".sig")}

SERVED = {
    "identify": Served("worker", photo="photo", writes={"html": "page"}),
    "decide": Served(),
    "outcome": Served(),
    "approve": Served(reads=_APPROVED, writes=_ASKED, unless="request", own="key"),
    "verify": Served("worker", photo="photo"),
    "enroll": Served(feed="source", writes={"rejects": "file"}),
    "purge": Served(
        reads=_APPROVED, writes={"certificate": "new", **_ASKED}, confirm="Delete for good?"
    ),
    "watchlist create": Served(reads=("subjects",)),
    "watchlist add": Served(reads=("subjects",)),
    "watchlist remove": Served(reads=("subjects",)),
    "watchlist list": Served(),
    "watchlist show": Served(),
    "watchlist close": Served(confirm="Close it for good?"),
    "sample draw": Served(writes={"out": "folder"}),
    "sample record": Served(reads=("findings",)),
    "sample result": Served(),
    "sample search": Served(),
    "sample size": Served(),
    "gallery stats": Served(),
    "gallery check": Served(),
    "gallery rebuild": Served(),
    "audit show": Served(),
    "audit extract": Served(reads=_APPROVED, writes={"out": "file", **_ASKED}),
    "audit export": Served(reads=_APPROVED, writes={"out": "folder", **_ASKED}),
    "audit verify": Served(reads=("witnessed", "witness_key", "key"), unless="log"),
    "audit head": Served(reads=("key",), writes={"out": "file"}, unless="log"),
    "audit prove": Served(reads=("key",), writes={"out": "file"}, unless="log"),
    "report": Served(writes={"csv": "file", "html": "page"}),
    "status": Served(),
    "policy show": Served(),
    "policy check": Served(unless="file"),
    "policy clock": Served(),
    "policy put": Served(reads=("file", *_APPROVED), writes=_ASKED),
}
#: What needs no home, or makes one: never sent.
LOCAL = frozenset({"demo", "init", "serve", "doctor", "audit check-proof", "audit witness"})


def place_of(command: str) -> Place | None:
    """Where a station carries out this command; None if it does not."""
    served = SERVED.get(command)
    return None if served is None else served.place
