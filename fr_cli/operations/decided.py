"""Were the candidates of a search strangers? What officers decided and what came of it, in the log:

decide   search=ID   {"final": true, "decisions": [{"subject": UID, "decision": "rejected"}, …]}
outcome  search=ID   {"what": "false-candidate", "instead_of": ""}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fr_cli.audit.show import ActRecord

#: The outcome that says that a candidate was somebody else.
FALSE = "false-candidate"


class Decisions:
    """Hears the acts of a log in their order and keeps what was decided last on each search."""

    def __init__(self) -> None:
        self._final: dict[str, Mapping[str, str]] = {}
        self._false: set[str] = set()

    def hear(self, act: ActRecord) -> None:
        """An act of the log; all but finished decisions and outcomes are passed over."""
        if act.command not in ("decide", "outcome") or act.state != "done":
            return
        search, said = str(act.first.get("search", "")), act.decision
        if act.command == "outcome":
            if said.get("what") == FALSE:
                self._false.add(search)
            elif said.get("instead_of") == FALSE:
                self._false.discard(search)
        elif said.get("final") and isinstance(said.get("decisions"), list):
            self._final[search] = {
                str(one["subject"]): str(one["decision"]) for one in said["decisions"]
            }

    def on(self, search: str, subjects: Collection[str]) -> bool | None:
        """Whether the person was among these candidates: True once somebody was confirmed, False
        once all were rejected or the outcome says so, None while neither is known."""
        if search in self._false:
            return False
        verdicts = self._final.get(search, {})
        if "confirmed" in verdicts.values():
            return True
        all_rejected = bool(subjects) and all(verdicts.get(one) == "rejected" for one in subjects)
        return False if all_rejected else None
