"""A search as the log tells it, with what people decided on it and what came of it.

The log is the only record: nothing here is stored anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fr_cli.audit.show import ActRecord
from fr_cli.authority.identity import Person
from fr_cli.casework.decisions import VERDICTS, Decision, Verdict, in_force, open_round
from fr_cli.casework.outcomes import Outcome, standing

#: The commands whose acts make up a search.
COMMANDS = frozenset({"identify", "decide", "outcome"})


@dataclass(frozen=True)
class Candidate:
    """A candidate by the random ids of the log; the score as the log has it (a decimal string)."""

    rank: int
    subject: str
    reference: str
    score: str


@dataclass
class Search:
    """One `identify` of the log, its decisions and its outcomes, each in the order of the log.

    `state` is that of the act; `answer` is `candidates`, `no_candidate`, `inconclusive`, or empty
    where it gave none. `answered` is empty while it runs. `evaluation` is the SHA-256 of the one
    that covered it, empty if none did.
    """

    id: str
    state: str
    asked: str
    answered: str
    by: Person
    why: Mapping[str, Any]
    watchlists: tuple[str, ...]
    answer: str
    error: str
    exit: int | None
    candidates: tuple[Candidate, ...]
    evaluation: str = ""
    decisions: list[Decision] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def verdicts(self) -> Mapping[str, Verdict] | None:
        """The decision in force on each candidate, by random id; None while there is none."""
        return in_force(self.decisions)

    @property
    def owed(self) -> bool:
        """Whether somebody still has to decide: at all, or on a correction."""
        undecided = self.verdicts is None or bool(open_round(self.decisions))
        return bool(self.candidates) and undecided

    @property
    def found(self) -> bool | None:
        """Whether the person is among the candidates: True once somebody was confirmed, False once
        all were rejected or an outcome says so, None while neither is known.
        """
        if "false-candidate" in self.words:
            return False
        verdicts = self.verdicts or {}
        if "confirmed" in verdicts.values():
            return True
        said = {verdicts.get(one.subject) for one in self.candidates}
        return False if said == {"rejected"} else None

    @property
    def words(self) -> list[str]:
        """The outcomes that stand."""
        return standing(self.outcomes)


def follow(acts: Iterable[ActRecord]) -> dict[str, Search]:
    """The searches among these acts by id, in the order in which they ended.

    The acts come in the order in which they ended, as `show.acts` gives them. What names a search
    that is not among them (its entry was erased) is left out.
    """
    found: dict[str, Search] = {}
    for act in acts:
        if act.command == "identify":
            found[act.req] = _search(act)
        elif act.command in COMMANDS and (search := found.get(str(act.first.get("search")))):
            _add(search, act)
    return found


def _search(act: ActRecord) -> Search:
    said, decision = act.first, act.decision
    listed = decision.get("candidates", [])
    return Search(
        id=act.req,
        state=act.state,
        asked=act.start,
        answered=act.end,
        by=Person.of(act.operator),
        why=act.why,
        watchlists=tuple(filter(None, str(said.get("watchlist", "")).split(", "))),
        answer=str(decision.get("outcome", "")) if act.state == "done" else "",
        error=str(act.last.get("error", "")),
        exit=act.last.get("exit"),
        candidates=tuple(
            Candidate(
                int(one["rank"]), str(one["subject"]), str(one["reference"]), str(one["score"])
            )
            for one in (listed if isinstance(listed, list) and act.state == "done" else [])
        ),
        evaluation=str(decision.get("evaluation", "")),
    )


def _add(search: Search, act: ActRecord) -> None:
    said, by = act.decision, Person.of(act.operator)
    reason = str(act.why.get("reason", ""))
    if act.state != "done":
        return
    if act.command == "decide" and isinstance(said.get("decisions"), list):
        verdicts = {
            str(one["subject"]): verdict
            for one in said["decisions"]
            for verdict in VERDICTS
            if one["decision"] == verdict
        }
        search.decisions.append(
            Decision(
                act=act.req,
                at=act.end,
                by=by,
                stage=said["stage"],
                verdicts=verdicts,
                final=bool(said["final"]),
                late=bool(said["late"]),
                reason=reason,
            )
        )
    elif act.command == "outcome" and "what" in said:
        replaced = str(said.get("instead_of", ""))
        search.outcomes.append(Outcome(act.req, act.end, by, str(said["what"]), replaced, reason))


class Verifiers:
    """Who decided on each search: the persons who verified its result (AI Act, Art. 12(3)(d))."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = {}

    def note(self, act: ActRecord) -> None:
        """Take note of an act, if it is a decision that was recorded."""
        if act.command == "decide" and act.state == "done" and "decisions" in act.decision:
            who = str(act.operator.get("user") or act.operator.get("uid"))
            known = self._of.setdefault(str(act.first.get("search")), [])
            if who not in known:
                known.append(who)

    def of(self, search: str) -> str | None:
        """Their accounts in the order in which they decided; None if nobody did."""
        return ", ".join(self._of.get(search, ())) or None
