"""Under which circumstances a search is asked, and whether the policy allows it under these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fr_cli.errors import NotAllowed

if TYPE_CHECKING:
    from fr_cli.authority.identity import Person
    from fr_cli.authority.policy import Flag, Policy


@dataclass(frozen=True)
class Circumstances:
    """What an operator says of a search beside case and reason; empty where nothing was said.

    `place` is one of the policy's; `supervisor` the account of the officer who was asked;
    `necessity` says in words why the search is necessary, without names.
    """

    place: str = ""
    flags: tuple[Flag, ...] = ()
    supervisor: str = ""
    necessity: str = ""


NOTHING_SAID = Circumstances()


def allow(
    policy: Policy,
    person: Person,
    reason: str,
    watchlists: Sequence[str] | None,
    said: Circumstances,
) -> str:
    """The legal basis of a search; NotAllowed (4) says what the policy wants besides.

    `watchlists` are those that it is confined to, empty for the whole gallery, None for
    a comparison with one subject.
    """
    basis = policy.legal_basis(reason)
    if watchlists is not None:
        _bounded(policy, reason, watchlists)
    _placed(policy, said.place)
    _supervised(policy, person, said)
    if policy.reasons[reason].necessity and not said.necessity:
        raise NotAllowed(
            f"The policy wants to know why a search for {reason} is necessary.",
            hint="Say so with --necessity WORDS, and name nobody.",
        )
    return basis


def supervisors(policy: Policy, person: Person) -> list[str]:
    """Who can be named as the supervisor of this person's searches."""
    return sorted(
        name
        for name, operator in policy.operators.items()
        if "reviewer" in operator.roles and name != person.user
    )


def _bounded(policy: Policy, reason: str, watchlists: Sequence[str]) -> None:
    allowed = policy.reasons[reason].watchlists
    if allowed is None or (watchlists and set(watchlists) <= set(allowed)):
        return
    what = "this watchlist" if watchlists else "the whole gallery"
    raise NotAllowed(
        f"The reason {reason} does not allow a search of {what}.",
        hint=f"Search with --watchlist one of: {', '.join(allowed)}.",
    )


def _placed(policy: Policy, place: str) -> None:
    hint = f"Give with --place one of: {', '.join(policy.places)}."
    if policy.places and not place:
        raise NotAllowed("The policy wants to know where a search is asked.", hint=hint)
    if place and place not in policy.places:
        raise NotAllowed(
            "The policy does not know this place.",
            hint=hint if policy.places else "Leave out --place: the policy lists no places.",
        )


def _supervised(policy: Policy, person: Person, said: Circumstances) -> None:
    wanted = [flag for flag in said.flags if flag in policy.supervised]
    if wanted and not said.supervisor:
        raise NotAllowed(
            f"A search flagged {' and '.join(wanted)} needs a supervisor.",
            hint=f"Ask one first, and name them with --supervisor: {_choice(policy, person)}.",
        )
    if said.supervisor and said.supervisor == person.user:
        raise NotAllowed(
            "Nobody supervises their own search.",
            hint=f"Ask somebody else: {_choice(policy, person)}.",
        )
    if said.supervisor and said.supervisor not in supervisors(policy, person):
        raise NotAllowed(
            "The supervisor who was named is not an operator with the role reviewer.",
            hint=f"Name the account of one of: {_choice(policy, person)}.",
        )


def _choice(policy: Policy, person: Person) -> str:
    return ", ".join(supervisors(policy, person)) or "the policy lists nobody else"
