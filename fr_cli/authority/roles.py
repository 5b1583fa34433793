"""What each role may do; a command that stands under no role, nobody but a lone user may run.

An act is listed by its whole command (`audit show`) or by the first word of it (`watchlist`, for
`watchlist create` and all others of that group).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Role: TypeAlias = Literal[
    "officer", "reviewer", "gallery-manager", "tester", "auditor", "administrator"
]

#: The acts of each role, by the command that stands in the log, or its first word.
ACTS: dict[Role, frozenset[str]] = {
    "officer": frozenset({"identify", "verify", "decide", "outcome"}),
    "reviewer": frozenset({"decide", "outcome", "approve"}),
    "gallery-manager": frozenset({
        "enroll", "purge", "watchlist", "sample", "request", "approve",
        "gallery stats", "gallery check", "gallery rebuild",
    }),
    "tester": frozenset({"evaluate", "report drift"}),
    "auditor": frozenset({"audit show", "audit extract", "audit export", "report"}),
    "administrator": frozenset({
        "audit rotate", "audit expire", "request", "approve", "policy", "upgrade",
        "gallery stats", "gallery check", "gallery rebuild", "gallery rotate-key",
        "gallery migrate", "gallery backup", "gallery restore", "gallery accept",
        "models pull", "models pin",
    }),
}  # fmt: skip
#: The acts that ask who somebody is.
SEARCHES = frozenset({"identify", "verify"})
#: The acts for which training must be valid.
TRAINED = SEARCHES | {"decide"}


def among(command: str, acts: frozenset[str]) -> bool:
    """Whether a command is listed there, whole or by its first word."""
    return command in acts or command.partition(" ")[0] in acts


def acts_of(roles: tuple[Role, ...]) -> frozenset[str]:
    """All that these roles together may do, as it is listed."""
    return frozenset().union(*(ACTS[role] for role in roles))
