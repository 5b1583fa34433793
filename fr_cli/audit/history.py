"""What the entries of a log say one after the other: phases, erasures, times.

An act is one intent, any number of batches, and one outcome or one note that it was abandoned.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from fr_cli.audit.canonical import JSON
from fr_cli.audit.entry import CLOSING
from fr_cli.audit.rotation import PHASE as ROTATION


class History:
    """Hears the entries in their order and tells `fault` what cannot follow what came before."""

    def __init__(self, public_key: bytes, fault: Callable[[str], None]) -> None:
        self.open: dict[str, None] = {}
        self.erased: set[int] = set()
        self.abandoned = self.recovered = 0
        self.first_time = self.last_time = ""
        self.steps_back = self.first_step_back = 0
        self._key = base64.b64encode(public_key).decode()
        self._fault = fault
        self._closed: set[bytes] = set()
        self._orphans = 0
        self._named: set[int] = set()

    def erased_line(self, seq: int) -> None:
        """An entry of which only the leaf hash is left."""
        if seq == 0:
            self._fault("is the genesis entry, which cannot be erased")
        self.erased.add(seq)

    def entry(self, entry: dict[str, JSON], number: int, origin: str | None) -> None:
        """An entry that is well formed by itself."""
        phase = entry["ph"]
        if (phase == "genesis") != (entry["seq"] == 0):
            self._fault("is a second genesis" if phase == "genesis" else "is not a genesis entry")
        elif phase == "genesis":
            if (entry.get("key"), entry.get("origin")) != (self._key, origin):
                self._fault("begins the log of another key or another origin")
        elif phase == "recovery":
            self.recovered += 1
        elif phase == ROTATION:
            pass  # what it says of keys is the tree's matter
        else:
            self._phase(str(entry["req"]), str(phase))
        if entry["act"] == "erasure":
            self._erasures(entry)
        time = str(entry["t"])
        if time < self.last_time:
            self.steps_back += 1
            self.first_step_back = self.first_step_back or number
        self.first_time = self.first_time or time
        self.last_time = time

    def examined(self, phase: str, req: str, seq: int) -> None:
        """An entry of an act, an erased one (empty phase), or a recovery; its time is in order."""
        if not phase:
            self.erased_line(seq)
        elif phase == "recovery":
            self.recovered += 1
        else:
            self._phase(req, phase)

    def _phase(self, req: str, phase: str) -> None:
        known = bytes.fromhex(req)
        if known in self._closed:
            return self._fault(f"is a second {phase} or a late one: its act was closed before")
        if phase == "intent":
            if req in self.open:
                self._fault("is a second intent of the same act")
            self.open[req] = None
            return
        if req not in self.open:
            # The intent may be a line that was erased, but each such line only once.
            self._orphans += 1
            if self._orphans > len(self.erased):
                return self._fault(f"is of phase {phase} without an intent")
            self.open[req] = None
        if phase in CLOSING:
            del self.open[req]
            self._closed.add(known)
            self.abandoned += phase == "abandoned"

    def _erasures(self, entry: dict[str, JSON]) -> None:
        named = entry.get("erases", [])
        seqs = named if isinstance(named, list) else [named]
        for seq in seqs:
            if type(seq) is not int or not 0 < seq < int(str(entry["seq"])):
                self._fault("names an erased entry that cannot be")
            else:
                self._named.add(seq)

    def unexplained(self) -> list[int]:
        """The erased entries, by sequence number, that no later erasure names."""
        return sorted(self.erased - self._named)
