"""Any order of acts, of entries left to others, crashes at any byte, rotations, erasures, heads."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fr_cli.audit.line import read_line
from fr_cli.audit.log import Act, AuditLog
from fr_cli.audit.merkle import Frontier
from fr_cli.audit.verify import verify_log
from fr_cli.audit.waiting import Inbox, Turn
from fr_cli.errors import AuditBroken
from fr_cli.keys import SigningKey
from fr_cli.records import Head

from .conftest import ORIGIN


class Log(RuleBasedStateMachine):
    """A log, and beside it what was acknowledged."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for name in ("fsync", "fdatasync"):
            self.patch.setattr(os, name, lambda handle: None)
        self.home = Path(tempfile.mkdtemp())
        self.genesis = SigningKey.create(self.home)
        (self.home / "audit").mkdir()
        self.log = AuditLog.create(self.home / "audit", self.genesis, ORIGIN)
        self.cache = self.home / "audit" / "frontier.json"
        self.done: list[str] = []
        self.dead: set[str] = set()
        self.running: list[Act] = []
        self.left: list[tuple[Act, Turn]] = []
        self.seen: list[Head] = []
        self.erased: set[int] = set()
        self.torn = False
        self.keys = 1

    def teardown(self) -> None:
        waiting = [act for act, _ in getattr(self, "left", [])]
        for act in [*waiting, *getattr(self, "running", [])]:
            act._lease.drop()
        if hasattr(self, "home"):
            self.patch.undo()
            shutil.rmtree(self.home)

    def mended(self) -> None:
        """What any act does first."""
        self.held()
        self.dead.clear()

    def held(self) -> None:
        """What whoever has had the lock has done; what was left to it, its writer finds written."""
        self.torn = False
        for act, turn in self.left:
            with self.log._writer() as writer:
                head = writer.found(turn)
                # One that was left under the key before is not taken.
                assert head or turn._signer != writer.signer
                head = head or writer.append(turn.draft)
            act._lease.end()
            self.done.append(act.id)
            lines = self.log.path.read_bytes().splitlines(keepends=True)
            assert read_line(lines[head.size - 1]).root == head.root
            assert act.id.encode() in lines[head.size - 1]
        self.left.clear()

    @rule(text=st.text(max_size=20))
    def act(self, text: str) -> None:
        with self.log.act("identify", "consultation", why={"text": text}) as act:
            act.decide(result="no_candidate")
        self.done.append(act.id)
        self.mended()

    @rule(batches=st.integers(0, 2))
    def begin_act(self, batches: int) -> None:
        act = self.log.act("enroll", "collection")
        for number in range(batches):
            act.batch(number=number)
        self.running.append(act)
        self.mended()

    @precondition(lambda self: self.running)
    @rule(fails=st.booleans(), data=st.data())
    def end_act(self, fails: bool, data: st.DataObject) -> None:
        act = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        try:
            with act:
                if fails:
                    raise RuntimeError
        except RuntimeError:
            assert fails
        self.done.append(act.id)
        self.held()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def leave_outcome(self, data: st.DataObject) -> None:
        """Somebody else has the lock, and is to write it."""
        act = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        outcome = act._draft("outcome", act._outcome(None))
        turn = Turn(outcome, self.log.path.parent, self.log.signer, Inbox())
        turn.wait(0)
        self.left.append((act, turn))

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """All processes die; the line that one was writing is cut at any byte, or whole."""
        before = self.log.path.read_bytes()
        cache = self.cache.read_bytes() if self.cache.exists() else b""
        torn = self.torn
        act = self.log.act("purge", "erasure")
        self.mended()
        whole = self.log.path.read_bytes()
        self.running.append(act)
        start = whole.rindex(b"\n", 0, -1) + 1
        assert start >= len(before) or torn
        cut = data.draw(st.integers(start, len(whole)))
        self.log.path.write_bytes(whole[:cut])
        if cut < len(whole) and start == len(before):
            self.cache.write_bytes(cache)
        elif cut < len(whole):  # more was mended before: only an older cache can be there
            self.cache.unlink()
        self.torn = start < cut < len(whole)
        for one in self.running:
            one._lease.drop()
        self.dead |= {one.id for one in self.running if one is not act or cut == len(whole)}
        self.dead -= set(self.done)
        self.running.clear()
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.log = AuditLog(self.log.path.parent, SigningKey.load(self.home), ORIGIN)

    @rule()
    def lose_the_cache(self) -> None:
        self.cache.unlink(missing_ok=True)

    @rule(renamed=st.booleans())
    def rotate(self, renamed: bool) -> None:
        old = (self.home / "audit.key").read_bytes()
        new = SigningKey.new()
        self.log.rotate(new, self.home)
        self.keys += 1
        self.held()
        if not renamed:  # as a crash before the last step leaves it
            (self.home / "audit.key").rename(self.home / "audit.key.next")
            (self.home / "audit.key").write_bytes(old)
            (self.home / "audit.key").chmod(0o600)
            self.reopen()

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        req = data.draw(st.sampled_from(self.done))
        lines = self.log.path.read_bytes().splitlines()
        mark = f'"req":"{req}"'.encode()
        seqs = [seq for seq, line in enumerate(lines) if mark in line]
        if seqs:
            self.log.erase(seqs, "retention is over")
            self.erased |= set(seqs)
            self.mended()

    @rule()
    def witness(self) -> None:
        self.seen.append(self.log.head())

    @precondition(lambda self: not self.torn)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        """Any cut of whole lines is seen by whoever has seen the head."""
        whole, head = self.log.path.read_bytes(), self.log.head()
        lines = whole.splitlines(keepends=True)
        left = data.draw(st.integers(0, len(lines) - 1))
        self.log.path.write_bytes(b"".join(lines[:left]))
        with pytest.raises(AuditBroken):
            verify_log(self.log.path, self.genesis.public, ORIGIN, witnessed=[head])
        self.log.path.write_bytes(whole)

    @invariant()
    def verifies(self) -> None:
        if not hasattr(self, "log"):
            return
        if self.torn:
            with pytest.raises(AuditBroken, match="unfinished"):
                verify_log(self.log.path, self.genesis.public, ORIGIN)
            return
        found = verify_log(self.log.path, self.genesis.public, ORIGIN, full=True)
        left = {act.id for act, _ in self.left}
        assert set(found.open_intents) == {act.id for act in self.running} | left | self.dead
        assert len(found.keys) == self.keys
        assert set(found.erased_entries) == self.erased
        lines = list(map(read_line, self.log.path.read_bytes().splitlines(keepends=True)))
        bodies = b"".join(line.body or b"" for line in lines)
        frontier, roots = Frontier(), {}
        for line in lines:
            frontier.append(line.leaf)
            roots[frontier.size] = base64.b64encode(frontier.root()).decode()
        assert all(roots[head.size] == head.root for head in self.seen)
        gone = len(self.erased)
        missing = [req for req in self.done if bodies.count(f'"req":"{req}"'.encode()) < 2]
        assert 2 * len(missing) <= gone  # an act has at least two entries


Log.TestCase.settings = settings(
    max_examples=int(os.environ.get("FR_EXAMPLES", "15")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestStates = Log.TestCase
