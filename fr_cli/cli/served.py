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
    which the command needs no home, and is not sent. `grounds`: what the policy wants to know of a
    search is asked at a terminal where it is left out. `beside` are files that lie by default where
    another one does, with `.sig` behind its name. `own` are never sent: secrets of this account.
    """

    place: Place = "errand"
    photo: str = ""
    feed: str = ""
    reads: tuple[str, ...] = ()
    writes: Mapping[str, Written] = field(default_factory=dict)
    confirm: str = ""
    unless: str = ""
    grounds: bool = False
    beside: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()


#: How a file that came with a request, and one of the answer, are named where the command runs, and
#: in what it prints: the client puts its own paths in their place. Short, for tables have columns.
CAME, MADE = "fr-came-", "fr-file-"

#: What a second person has signed, and that signature.
SECONDED = ("approved", "signature")
SIGNED = {"signature": "approved"}

SERVED = {
    "identify": Served("worker", photo="photo", writes={"html": "page"}, grounds=True),
    "verify": Served("worker", photo="photo", grounds=True),
    "enroll": Served(feed="source", writes={"rejects": "file"}),
    "decide": Served(),
    "outcome": Served(),
    "purge": Served(
        reads=SECONDED,
        writes={"certificate": "new", "ask": "new"},
        beside=SIGNED,
        confirm="Delete for good?",
    ),
    "watchlist create": Served(reads=("subjects",)),
    "watchlist add": Served(reads=("subjects",)),
    "watchlist remove": Served(reads=("subjects",)),
    "watchlist close": Served(confirm="Close it for good?"),
    "watchlist list": Served(),
    "watchlist show": Served(),
    "sample draw": Served(writes={"out": "folder"}),
    "sample record": Served(reads=("findings",)),
    "sample result": Served(),
    "sample search": Served(),
    "sample size": Served(),
    # With a request, it is signed where the SSH key is; --override brings what was signed.
    "approve": Served(
        reads=SECONDED, writes={"ask": "new"}, beside=SIGNED, own=("key",), unless="request"
    ),
    "gallery stats": Served(),
    "gallery check": Served(),
    "gallery rebuild": Served(),
    "audit show": Served(),
    "audit extract": Served(reads=SECONDED, writes={"out": "file", "ask": "new"}, beside=SIGNED),
    "audit export": Served(reads=SECONDED, writes={"out": "folder", "ask": "new"}, beside=SIGNED),
    "audit verify": Served(reads=("witnessed", "witness_key", "key"), unless="log"),
    "audit head": Served(reads=("key",), writes={"out": "file"}, unless="log"),
    "audit prove": Served(reads=("key",), writes={"out": "file"}, unless="log"),
    "report": Served(writes={"csv": "file", "html": "page"}),
    "status": Served(),
    "policy show": Served(),
    "policy check": Served(unless="file"),
    "policy clock": Served(),
    "policy put": Served(reads=("file", *SECONDED), writes={"ask": "new"}, beside=SIGNED),
}
#: What needs no home, or makes one: never sent.
LOCAL = frozenset({"demo", "init", "serve", "doctor", "audit check-proof", "audit witness"})


def place_of(command: str) -> Place | None:
    """Where a station carries out this command; None if it does not."""
    served = SERVED.get(command)
    return None if served is None else served.place
