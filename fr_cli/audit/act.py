"""One act of the log, from its intent to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Literal

from fr_cli.audit.canonical import JSON, canonical
from fr_cli.audit.entry import Draft
from fr_cli.audit.lease import Lease
from fr_cli.audit.line import MAX_LINE
from fr_cli.errors import INTERRUPTED, AuditUnwritable, FrError
from fr_cli.records import Head

#: Bytes that the decision of an act may take; the rest of its line is for the stamp and the head.
MAX_DECISION = MAX_LINE - 4096


class Act:
    """An intent that is being carried out; leaving the block writes its outcome.

    `exit_code` may be set to what the command will exit with (0, or 100 for some skipped).
    """

    def __init__(
        self,
        record: Callable[[Draft], Head],
        command: str,
        kind: str,
        lease: Lease,
        repeated: Mapping[str, JSON],
    ) -> None:
        """`record` puts an entry on disk; `repeated` is what each says: for whom, which policy."""
        self.id = lease.intent.req
        self.exit_code = 0
        self._head: Head | None = None
        self._record = record
        self.command = command
        self._kind = kind
        self._lease = lease
        self._repeated = repeated
        self._decision: dict[str, JSON] = {}

    @property
    def head(self) -> Head:
        """The signed head of the outcome, which is on disk; RuntimeError before the act is over."""
        if self._head is None:
            raise RuntimeError("an act has no outcome before its block is left")
        return self._head

    def decide(self, **decision: JSON) -> None:
        """Add to what the outcome will record under `dec`.

        TypeError for a float, ValueError beyond MAX_DECISION: here, where the fault is, and not
        when the outcome is written.
        """
        decided = self._decision | decision
        if len(canonical(decided)) > MAX_DECISION:
            raise ValueError(f"a decision must be below {MAX_DECISION} bytes; use batches")
        self._decision = decided

    def batch(self, **body: JSON) -> None:
        """Record one part of the act, such as one transaction of many; durable on return."""
        self._record(self._draft("batch", body))

    def _draft(self, phase: str, body: dict[str, JSON]) -> Draft:
        said = {**body, **self._repeated}
        return Draft(cmd=self.command, act=self._kind, ph=phase, req=self.id, **said)

    def __enter__(self) -> Act:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        try:
            self._head = self._record(self._draft("outcome", self._outcome(trouble)))
            self._lease.end()
        except BaseException as failure:
            if self._head is None:
                self._lease.drop()
            if isinstance(failure, AuditUnwritable) or not isinstance(failure, Exception):
                raise
            raise AuditUnwritable(
                f"The outcome of this act could not be written: {failure}",
                hint="Show nothing of it. The next act will record it as abandoned.",
            ) from failure
        return False

    def _outcome(self, trouble: BaseException | None) -> dict[str, JSON]:
        # The class of an error and never its message, which may hold personal data.
        if trouble is None:
            return {"exit": self.exit_code, "dec": self._decision}
        code = 1
        if isinstance(trouble, FrError):
            code = trouble.code
        elif isinstance(trouble, KeyboardInterrupt):
            code = INTERRUPTED
        failed: dict[str, JSON] = {"exit": code, "error": type(trouble).__name__}
        return failed | ({"dec": self._decision} if self._decision else {})
