"""Who asks, and whether the policy lets them: by the account that the kernel names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from fr_cli.authority.roles import TRAINED, acts_of, among
from fr_cli.errors import NotAllowed

if TYPE_CHECKING:
    from fr_cli.authority.policy import Policy


@dataclass(frozen=True)
class Person:
    """An account: its number, its name (empty where the system knows none), and who logged in."""

    uid: int
    user: str
    loginuid: int | None = None

    @classmethod
    def of(cls, operator: Mapping[str, object]) -> Person:
        """The person whom an entry of the log names as its operator."""
        uid, login = operator["uid"], operator.get("loginuid")
        assert isinstance(uid, int)
        assert login is None or isinstance(login, int)
        return cls(uid, str(operator["user"]), login)

    @property
    def name(self) -> str:
        """What people call it: its name, else its number."""
        return self.user or f"user {self.uid}"


def permit(policy: Policy, person: Person, command: str, today: date) -> None:
    """NotAllowed (4) unless the policy lets this person do this today.

    A policy without operators is that of one person alone, who may do everything.
    """
    if not policy.operators:
        return
    if not person.user:
        raise NotAllowed(
            f"This system knows no account with the number {person.uid}, so nobody answers for it.",
            hint="Ask from an account of your own.",
        )
    operator = policy.operators.get(person.user)
    if operator is None:
        raise NotAllowed(
            f"The account {person.user} is not an operator of this home.",
            hint="An administrator can name it in policy.yaml, under operators.",
        )
    if not among(command, acts_of(operator.roles)):
        raise NotAllowed(
            f"{person.user} may not do this: {command} is not among the acts of "
            f"{' or '.join(operator.roles)}.",
            hint="Ask somebody of another role; fr policy show says who may do what.",
        )
    if among(command, TRAINED) and operator.trained_until and today > operator.trained_until:
        raise NotAllowed(
            f"The training of {person.user} was valid until {operator.trained_until}.",
            hint="It must be renewed, and policy.yaml changed, before the next search.",
        )
