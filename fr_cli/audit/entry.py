"""What every entry says: what was done, and who, when and where it was written."""

from __future__ import annotations

import base64
import os
import pwd
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from fr_cli import __version__
from fr_cli.audit.canonical import JSON, LIMIT, canonical
from fr_cli.records import utc

#: Section 62 of the Data Protection Act 2018 names six; the seventh is the care of the home.
KINDS = frozenset({
    "collection", "alteration", "consultation", "disclosure", "combination", "erasure",
    "administration",
})  # fmt: skip
PHASES = frozenset({
    "genesis", "intent", "batch", "outcome", "abandoned", "recovery", "rotation",
})  # fmt: skip
#: The phases that close an intent.
CLOSING = frozenset({"outcome", "abandoned"})

_NOBODY = 2**32 - 1
_FORMS = {
    "n": re.compile(r"[A-Za-z0-9_-]{21}[AQgw]"),
    "t": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"),
    "req": re.compile(r"[0-9a-f]{32}"),
}
_FORM = re.compile("\n".join(form.pattern for form in _FORMS.values()))
_TYPES: dict[str, type] = {
    "v": int, "seq": int, "n": str, "t": str, "boot": str, "mono": int, "host": str,
    "tool": str, "op": dict, "cmd": str, "act": str, "ph": str, "req": str,
}  # fmt: skip


def check_fields(entry: Mapping[str, JSON], seq: int) -> None:
    """ValueError unless the fields that every entry has are there and well formed."""
    for name, kind in _TYPES.items():
        if type(entry.get(name)) is not kind:
            raise ValueError(f"lacks {name!r}, or it is not of its type")
    # One match for the three is faster; a newline is in none of them.
    if not _FORM.fullmatch(f"{entry['n']}\n{entry['t']}\n{entry['req']}"):
        for name, form in _FORMS.items():
            if not form.fullmatch(str(entry[name])):
                raise ValueError(f"has a malformed {name!r}")
    try:
        datetime.fromisoformat(str(entry["t"]))
    except ValueError:
        raise ValueError("has a time that does not exist") from None
    if entry["v"] != 1:
        raise ValueError("is of another version")
    if entry["seq"] != seq:
        raise ValueError(f"has the sequence number {entry['seq']} in the place of {seq}")
    if entry["act"] not in KINDS:
        raise ValueError("has an unknown kind of act")
    if entry["ph"] not in PHASES:
        raise ValueError("has an unknown phase")


def clock() -> tuple[str, int]:
    """The time in UTC, and nanoseconds of the monotonic clock modulo 2^53: 104 days."""
    return utc(datetime.now(UTC), exact=True), time.monotonic_ns() % LIMIT


class Draft:
    """An entry but for its number and its times, which its place in the log gives it.

    So whatever can be done without the lock of the log is. `op`, if given, is on whose behalf this
    process acts; else it is who runs it. TypeError if the caller gives another field that is set
    here, and as `canonical`. The nonce (128 random bits) makes the leaf hash reveal
    nothing of a body that was erased.
    """

    def __init__(self, **fields: JSON) -> None:
        # A number that stands nowhere else in it, so that it can be cut there.
        blank = 10**15 + secrets.randbelow(10**15)
        asker = fields.pop("op", None)
        self.nonce = base64.urlsafe_b64encode(secrets.token_bytes(16))[:22].decode()
        entry = dict(
            v=1,
            seq=blank,
            n=self.nonce,
            t=str(blank),
            boot=boot_id(),
            mono=blank,
            host=os.uname().nodename,
            tool=__version__,
            op=asker or _operator(os.getpid(), os.getuid(), os.environ.get("SUDO_UID", "")),
            **fields,
        )
        text = canonical(entry)
        self.length = len(text)
        self._to_mono, self._to_seq, self._to_time, self._rest = text.split(b"%d" % blank)

    def packed(self) -> bytes:
        """All of it on one line, for another process."""
        # No tab stands in JSON but escaped.
        parts = self.nonce.encode(), self._to_mono, self._to_seq, self._to_time, self._rest
        return b"\t".join(parts)

    @classmethod
    def unpacked(cls, packed: bytes) -> Draft:
        """What `packed` gave."""
        draft = cls.__new__(cls)
        nonce, draft._to_mono, draft._to_seq, draft._to_time, draft._rest = packed.split(b"\t")
        draft.nonce, draft.length = nonce.decode(), len(packed)
        return draft

    def body(self, seq: int) -> bytes:
        """The canonical bytes of the entry as it is written now, with this number."""
        when, mono = clock()
        return b"%b%d%b%d%b%b%b" % (
            self._to_mono, mono, self._to_seq, seq, self._to_time, when.encode(), self._rest,
        )  # fmt: skip


@lru_cache(maxsize=1)
def _operator(*process: object) -> dict[str, JSON]:
    # What /proc and the terminal say stays the same for a process and its account.
    return operator()


def operator() -> dict[str, JSON]:
    """Who runs this, as the kernel says; no flag can change it.

    `loginuid` survives sudo and su; None where no login set it. `sudo_uid` is only what sudo
    says in the environment, so it is evidence where sudo is the only way in.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = ""
    who: dict[str, JSON] = {"uid": uid, "user": user, "loginuid": _loginuid(), "tty": _terminal()}
    sudo = os.environ.get("SUDO_UID", "")
    if re.fullmatch(r"[0-9]{1,10}", sudo):
        who["sudo_uid"] = int(sudo)
    return who


def _loginuid() -> int | None:
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _NOBODY else uid


def _terminal() -> str:
    for stream in (0, 1, 2):
        try:
            return os.ttyname(stream).removeprefix("/dev/")
        except OSError:
            continue
    return ""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The kernel's random name of this boot; empty where it gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
