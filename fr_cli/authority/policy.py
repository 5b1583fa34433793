"""The policy of a home: reasons, floors and targets, read from `policy.yaml` and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fr_cli.authority.checking import Must, checked
from fr_cli.authority.parsing import LONGEST, Place, Problem, parse
from fr_cli.authority.roles import Role, acts_of
from fr_cli.authority.ssh import PublicKey, may_sign_as
from fr_cli.errors import ConfigurationError, NotAllowed

Share = Annotated[float, Must(more=0, less=1)]
Days = Annotated[int, Must(least=1, most=100_000)]
Count = Annotated[int, Must(least=1)]
Words = Annotated[str, Must(least=1)]
#: A word that enters the log and is shown: a reason, a place, an account.
Name = Annotated[str, Must(least=1, most=100, form=r"[^\x00-\x1f\x7f]*")]
#: One line as `ssh-keygen` writes it to a file `….pub`; it goes into a list of signers.
KeyLine = Annotated[str, Must(form=r"((sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [ -~]*)?)?")]
#: Names of the quality measures on which a floor makes sense: higher is better.
Floorable = Literal["InterEyeDistance", "Sharpness"]
#: What may be said of the person in a photo: they seem to be a child, or vulnerable.
Flag = Literal["child", "vulnerable"]
#: Acts that a policy may give to two people.
TwoPerson = Literal[
    "purge", "bulk-delete", "policy", "calibration", "evaluation", "key-rotation", "export", "lift"
]


@dataclass(frozen=True)
class Operator:
    """What an account may do, until when its training is valid, and its key for approvals.

    `key` is an OpenSSH public key ("ssh-ed25519 AAAA…").
    """

    roles: Annotated[tuple[Role, ...], Must(least=1)]
    trained_until: date | None = None
    key: KeyLine = ""


@dataclass(frozen=True)
class Reason:
    """Why a search is made, and what allows it.

    `watchlists` are those it may search, None for the whole gallery and any watchlist;
    `necessity` whether the operator must say in words why the search is necessary.
    """

    description: Words
    legal_basis: Words
    watchlists: Annotated[tuple[Name, ...], Must(least=1)] | None = None
    necessity: bool = False


@dataclass(frozen=True)
class Identify:
    """Bounds of a search of the gallery."""

    floor_score: Annotated[float, Must(least=0, most=2)]
    fpir_target: Share
    max_candidates: Annotated[int, Must(least=1, most=200)]


@dataclass(frozen=True)
class Verify:
    """Bounds of a comparison with one subject."""

    fmr_target: Share


@dataclass(frozen=True)
class Limits:
    """How much one operator may ask; None for no limit."""

    searches_per_hour: Count | None = None
    #: So many refused searches within an hour lock an operator out until that hour is over.
    refusals_per_hour: Count | None = None


@dataclass(frozen=True)
class Decisions:
    """What officers owe to a search that gave candidates."""

    #: Days until a decision is overdue.
    due_days: Days = 7
    #: Whether a second operator decides without seeing what the first decided.
    second: bool = False


@dataclass(frozen=True)
class Approvals:
    """Which acts need a second person, and for how long an approval may be used."""

    acts: tuple[TwoPerson, ...] = ()
    valid_hours: Annotated[int, Must(least=1, most=720)] = 72


@dataclass(frozen=True)
class Policy:
    """Everything that the policy says."""

    version: Literal[1]
    reasons: Annotated[Mapping[Name, Reason], Must(least=1)]
    identify: Identify
    verify: Verify
    quality: Mapping[Floorable, Annotated[float, Must(least=0)]]
    evaluation: Literal["warn", "refuse"]
    #: The greatest age of each retention group; None for no limit. Homes of before have no rules.
    retention: Mapping[str, Days | None] = field(default_factory=lambda: {"default": None})
    #: How long the log keeps what each command did; None for no limit.
    audit_retention: Mapping[str, Days | None] = field(default_factory=lambda: {"default": None})

    #: By the name of the account; empty for one person alone, who may do everything.
    operators: Mapping[Name, Operator] = field(default_factory=dict)
    #: Where a search may be asked; empty for no question.
    places: tuple[Name, ...] = ()
    #: Flags of a search for which a supervisor must be named: of a child, of a vulnerable person.
    supervised: tuple[Flag, ...] = ()
    limits: Limits = Limits()
    decisions: Decisions = Decisions()
    approvals: Approvals = Approvals()

    #: Whether enrolled photos are kept, sealed; else a later change of model needs new photos.
    keep_photos: bool = False
    #: How long who was purged is kept out of the gallery; None for ever.
    suppression_days: Days | None = None
    #: How long the key of a backup is kept.
    backup_days: Days = 30

    @staticmethod
    def contradictions(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What does not go together in the values of a policy: (key, what is wrong)."""
        operators: Mapping[str, Operator] | None = found.get("operators")
        fault = "" if operators is None else _fault_of_keys(operators)
        if fault:
            yield "operators", fault
        if operators is None or fault:
            return
        roles = {role for one in operators.values() for role in one.roles}
        if found.get("supervised") and "reviewer" not in roles:
            yield "supervised", "needs an operator with the role reviewer, who could be named"
        able = [one for one in operators.values() if one.key and "approve" in acts_of(one.roles)]
        two = "approvals" in found and found["approvals"].acts
        if two and not (able and len(operators) > 1):
            yield (
                "approvals",
                "needs two operators, one of them with a key and a role that approves "
                "(reviewer, gallery-manager, administrator)",
            )

    @property
    def quality_floors(self) -> dict[str, float]:
        """The least native value of each floored quality measure."""
        return {str(name): floor for name, floor in self.quality.items()}

    def legal_basis(self, reason: str) -> str:
        """The legal basis of a reason; NotAllowed if the list lacks it."""
        try:
            return self.reasons[reason].legal_basis
        except KeyError:
            raise NotAllowed(
                f"The policy knows no reason {reason!r}.",
                hint=f"Give one of: {', '.join(sorted(self.reasons))}.",
            ) from None


def _fault_of_keys(operators: Mapping[str, Operator]) -> str:
    """What is wrong with the keys for approvals: each is of one person, who can sign."""
    owners: dict[bytes, str] = {}
    for name, operator in operators.items():
        if not operator.key:
            continue
        if not may_sign_as(name):
            return f"gives a key to {name!r}, a name that no signature can carry"
        try:
            blob = PublicKey.parse(operator.key).blob
        except ValueError as trouble:
            return f"has a key of {name} that {trouble}"
        if blob in owners:
            return f"gives one key to two people: {owners[blob]} and {name}"
        owners[blob] = name
    return ""


@dataclass(frozen=True)
class Reading:
    """A policy file as it was read: the policy, or None where there are problems.

    `lines` are of the keys that the file has; `sha256` (hex) is of its very bytes.
    """

    policy: Policy | None
    problems: tuple[Problem, ...]
    lines: Mapping[Place, int]
    sha256: str


def read_policy(path: Path) -> Reading:
    """Read a policy file and find all that is wrong with it; ConfigurationError if it cannot be."""
    try:
        with path.open("rb") as file:
            return parse_policy(file.read(LONGEST + 1))
    except OSError as trouble:
        raise ConfigurationError(
            f"The policy {path} cannot be read: {trouble.strerror}.",
            hint="See whether it is there and may be read; a backup of it can be put back.",
        ) from trouble


def load_policy(path: Path) -> tuple[Policy, str]:
    """The policy and the SHA-256 (hex) of the very bytes it was read from."""
    reading = read_policy(path)
    if reading.policy is None:
        problems = "; ".join(map(str, reading.problems))
        hint = reading.problems[0].hint if len(reading.problems) == 1 else ""
        raise ConfigurationError(
            f"The policy {path} is not valid: {problems}.",
            hint=hint or "fr policy check shows each with what mends it.",
        )
    return reading.policy, reading.sha256


@lru_cache(maxsize=8)  # a service asks for each request
def parse_policy(data: bytes) -> Reading:
    """The same of its bytes."""
    document = parse(data)
    problems, policy = list(document.problems), None
    if document.lines or not problems:  # else nothing of it could be read
        policy, found = checked(Policy, document)
        # What could not be read was said before; that it is now missing need not be.
        said = {problem.key for problem in problems}
        problems += [problem for problem in found if problem.key not in said]
    problems.sort(key=lambda problem: problem.line)
    digest = hashlib.sha256(data).hexdigest()
    return Reading(None if problems else policy, tuple(problems), document.lines, digest)


def default_policy() -> bytes:
    """The commented policy of a new home: works for one person, changes nothing on its own."""
    return Path(__file__).with_name("default_policy.yaml").read_bytes()
