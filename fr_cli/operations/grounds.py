"""On which grounds an operator asks: what is checked, and what of it enters the log."""

from __future__ import annotations

from fr_cli.audit.entry import JSON
from fr_cli.errors import UsageProblem
from fr_cli.operations.bench import Bench

LONGEST = 200
#: Stands in the log for a reason that the policy lacks: such text may say anything of anybody.
UNLISTED = "(not in the policy)"


def grounds(case: str, reason: str, bench: Bench) -> dict[str, JSON]:
    """Case and reason for the intent; UsageProblem for a case that is blank or overlong.

    A reason that the policy lacks is refused after the intent, by `Policy.legal_basis`, so that
    the attempt is in the log.
    """
    if not case.strip() or len(case) > LONGEST or not case.isprintable():
        raise UsageProblem(
            f"A case is a reference of 1 to {LONGEST} printable characters.",
            hint="Give the number of the case or incident with --case.",
        )
    return {"case": case, "reason": reason if reason in bench.policy.reasons else UNLISTED}


def why(reason: str) -> dict[str, JSON]:
    """An operator's own words for the intent of an act; none if there are none."""
    return {"why": words} if (words := reasoned(reason)) else {}


def reasoned(reason: str) -> dict[str, JSON]:
    """The same beside other grounds; UsageProblem for words that are blank or overlong."""
    if not reason:
        return {}
    if not reason.strip() or len(reason) > LONGEST or not reason.isprintable():
        raise UsageProblem(
            f"A reason is a text of 1 to {LONGEST} printable characters.",
            hint="Give the number of an order or a rule with --reason, and no name.",
        )
    return {"reason": reason}
