"""On which grounds an operator asks: what is checked, and what of it enters the log."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from fr_cli.audit.canonical import JSON
from fr_cli.authority.circumstances import Circumstances, allow
from fr_cli.errors import ConfigurationError, UsageProblem
from fr_cli.operations.bench import Bench

LONGEST = 200
#: The longest statement of why a search is necessary.
LONGEST_NECESSITY = 500
#: Stands in the log for a word that the policy lacks: such text may say anything of anybody.
UNLISTED = "(not in the policy)"


def grounds(case: str, reason: str, said: Circumstances, bench: Bench) -> dict[str, JSON]:
    """What an operator says of a search, for its intent; UsageProblem for text of a wrong form.

    What the policy does not allow is refused after the intent, by `allowed`, so that the attempt
    is in the log.
    """
    if not case.strip() or len(case) > LONGEST or not case.isprintable():
        raise UsageProblem(
            f"A case is a reference of 1 to {LONGEST} printable characters.",
            hint="Give the number of the case or incident with --case.",
        )
    necessity = said.necessity
    if necessity and not (
        necessity.strip() and len(necessity) <= LONGEST_NECESSITY and necessity.isprintable()
    ):
        raise UsageProblem(
            f"A necessity is a text of 1 to {LONGEST_NECESSITY} printable characters.",
            hint="Say in a sentence why the search is necessary, and name nobody.",
        )
    reasons, places, operators = _listed(bench)
    why: dict[str, JSON] = {"case": case, "reason": reason if reason in reasons else UNLISTED}
    if said.place:
        why["place"] = said.place if said.place in places else UNLISTED
    if said.flags:
        why["flags"] = sorted(set(said.flags))
    if said.supervisor:
        why["supervisor"] = said.supervisor if said.supervisor in operators else UNLISTED
    if necessity:
        why["necessity"] = necessity
    return why


def _listed(bench: Bench) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The reasons, places and operators of the policy; none where it is refused afterwards."""
    with contextlib.suppress(ConfigurationError):
        policy = bench.policy
        return tuple(policy.reasons), policy.places, tuple(policy.operators)
    return (), (), ()


def allowed(
    bench: Bench, reason: str, watchlists: Sequence[str] | None, said: Circumstances
) -> str:
    """The legal basis of a search that the policy allows; NotAllowed (4) otherwise.

    `watchlists` as `authority.circumstances.allow` takes them.
    """
    return allow(bench.policy, bench.person, reason, watchlists, said)


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
