"""On which grounds a search is asked: given as options, or asked for on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from fr_cli.authority.circumstances import Circumstances, supervisors
from fr_cli.cli.output import plain
from fr_cli.errors import ConfigurationError, UsageProblem

if TYPE_CHECKING:
    from fr_cli.authority.identity import Person
    from fr_cli.authority.policy import Flag, Policy
    from fr_cli.cli.output import Output
    from fr_cli.cli.wiring import Session

FLAGS: tuple[Flag, ...] = ("child", "vulnerable")


@dataclass(frozen=True)
class Grounds:
    """Case, reason, and what is said besides."""

    case: str
    reason: str
    circumstances: Circumstances


def known_flags(words: Sequence[str]) -> tuple[Flag, ...]:
    """The flags of these names, each once; UsageProblem for another word."""
    for word in words:
        if word not in FLAGS:
            raise UsageProblem(
                f"There is no flag {word!r}.", hint=f"Give one of: {', '.join(FLAGS)}."
            )
    return tuple(flag for flag in FLAGS if flag in words)


def complete(given: Grounds, photo: str, session: Session) -> Grounds:
    """The grounds with what was left out asked for; UsageProblem where nobody can be asked.

    Asked is only at a terminal that is the standard input, and not under --json: a script must
    never wait for an answer. What the policy wants besides, and a script left out, is refused by
    the act itself, so that the log has it.
    """
    if photo == "-" or not session.asks:
        for option, value in (("--case", given.case), ("--reason", given.reason)):
            if not value:
                raise UsageProblem(
                    f"Missing option '{option}'.", hint="A search is asked for a case and a reason."
                )
        return given
    try:
        with session.bench() as bench:
            return _asked(given, bench.policy, bench.person, session.output)
    except ConfigurationError:  # the act says what is wrong, in the log too
        return replace(
            given, case=given.case or _ask("Case"), reason=given.reason or _ask("Reason")
        )


def _asked(given: Grounds, policy: Policy, person: Person, output: Output) -> Grounds:
    case = given.case or _ask("Case or incident")
    reasons = {name: one.description for name, one in policy.reasons.items()}
    reason = given.reason or _chosen("Reason", reasons, output)
    said = given.circumstances
    if policy.places and not said.place:
        places = dict.fromkeys(policy.places, "")
        said = replace(said, place=_chosen("Place", places, output))
    if policy.supervised and not said.flags:
        said = replace(said, flags=_flags())
    if set(said.flags) & set(policy.supervised) and not said.supervisor:
        people = dict.fromkeys(supervisors(policy, person), "")
        if people:
            said = replace(said, supervisor=_chosen("Supervisor who was asked", people, output))
    wanted = reason in policy.reasons and policy.reasons[reason].necessity
    if wanted and not said.necessity:
        said = replace(said, necessity=_ask("Why is it necessary? (name nobody)"))
    return Grounds(case, reason, said)


def _ask(question: str) -> str:
    """An answer of at least one letter."""
    return str(typer.prompt(question, err=True)).strip()


def _chosen(question: str, known: dict[str, str], output: Output) -> str:
    """One of these words, or its number in the list that is shown."""
    width = max(map(len, known))
    for number, (name, meaning) in enumerate(known.items(), 1):
        output.note(plain(f"{number:3} {name:{width}}  {meaning}".rstrip()))
    while True:
        answer = _ask(question)
        if answer.isdecimal() and 1 <= int(answer) <= len(known):
            return list(known)[int(answer) - 1]
        if answer in known:
            return answer
        output.note(plain("Give one of the list, or its number.", "yellow"))


def _flags() -> tuple[Flag, ...]:
    """Whether the person seems to be a child, or vulnerable; asked until it is understood."""
    while True:
        question = "Does the person seem to be a child, or vulnerable? (child, vulnerable, no)"
        words = str(typer.prompt(question, default="no", err=True)).replace(",", " ").split()
        with contextlib.suppress(UsageProblem):
            return known_flags([] if words == ["no"] else words)
