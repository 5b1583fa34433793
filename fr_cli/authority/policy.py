"""The policy of a home: reasons, floors and targets, read from `policy.yaml` and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from fr_cli.authority.faults import faults
from fr_cli.authority.parsing import LONGEST, Place, Problem, parse
from fr_cli.authority.roles import Role, acts_of
from fr_cli.authority.ssh import PublicKey, may_sign_as
from fr_cli.errors import ConfigurationError, NotAllowed

Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=100_000)]
Words = Annotated[str, Field(min_length=1)]
#: A word that enters the log and is shown: a reason, a place, an account.
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
#: One line as `ssh-keygen` writes it to a file `….pub`; it goes into a list of signers.
KeyLine = Annotated[
    str, Field(pattern=r"^((sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [ -~]*)?)?$")
]
#: Names of the quality measures on which a floor makes sense: higher is better.
Floorable = Literal["InterEyeDistance", "Sharpness"]
#: What may be said of the person in a photo: they seem to be a child, or vulnerable.
Flag = Literal["child", "vulnerable"]
#: Acts that a policy may give to two people.
TwoPerson = Literal[
    "purge", "bulk-delete", "policy", "calibration", "evaluation", "key-rotation", "export", "lift"
]


class _Strict(BaseModel):
    # Strict: "6" is not 6, and true is not 1. YAML has lists only, so tuples are let off.
    # And .nan, which is neither below a floor nor above it, is no number here.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Operator(_Strict):
    """What an account may do, until when its training is valid, and its key for approvals.

    `key` is an OpenSSH public key ("ssh-ed25519 AAAA…").
    """

    roles: Annotated[tuple[Role, ...], Field(min_length=1, strict=False)]
    trained_until: date | None = None
    key: KeyLine = ""


class Reason(_Strict):
    """Why a search is made, and what allows it.

    `watchlists` are those it may search, None for the whole gallery and any watchlist;
    `necessity` whether the operator must say in words why the search is necessary.
    """

    description: Words
    legal_basis: Words
    watchlists: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] | None = None
    necessity: bool = False


class Identify(_Strict):
    """Bounds of a search of the gallery."""

    floor_score: Annotated[float, Field(ge=0, le=2)]
    fpir_target: Share
    max_candidates: Annotated[int, Field(ge=1, le=200)]


class Verify(_Strict):
    """Bounds of a comparison with one subject."""

    fmr_target: Share


class Limits(_Strict):
    """How much one operator may ask; None for no limit."""

    searches_per_hour: Annotated[int, Field(ge=1)] | None = None
    #: So many refused searches within an hour lock an operator out until that hour is over.
    refusals_per_hour: Annotated[int, Field(ge=1)] | None = None


class Decisions(_Strict):
    """What officers owe to a search that gave candidates."""

    #: Days until a decision is overdue.
    due_days: Days = 7
    #: Whether a second operator decides without seeing what the first decided.
    second: bool = False


class Approvals(_Strict):
    """Which acts need a second person, and for how long an approval may be used."""

    acts: Annotated[tuple[TwoPerson, ...], Field(strict=False)] = ()
    valid_hours: Annotated[int, Field(ge=1, le=720)] = 72


class Policy(_Strict):
    """Everything that the policy says."""

    version: Literal[1]
    reasons: Annotated[dict[Name, Reason], Field(min_length=1)]
    identify: Identify
    verify: Verify
    quality: dict[Floorable, Annotated[float, Field(ge=0)]]
    evaluation: Literal["warn", "refuse"]
    #: The greatest age of each retention group; None for no limit. Homes of before have no rules.
    retention: dict[str, Days | None] = {"default": None}
    #: How long the log keeps what each command did; None for no limit.
    audit_retention: dict[str, Days | None] = {"default": None}

    #: By the name of the account; empty for one person alone, who may do everything.
    operators: dict[Name, Operator] = {}
    #: Where a search may be asked; empty for no question.
    places: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    #: Flags of a search for which a supervisor must be named: of a child, of a vulnerable person.
    supervised: Annotated[tuple[Flag, ...], Field(strict=False)] = ()
    limits: Limits = Limits()
    decisions: Decisions = Decisions()
    approvals: Approvals = Approvals()

    #: Whether enrolled photos are kept, sealed; else a later change of model needs new photos.
    keep_photos: bool = False
    #: How long who was purged is kept out of the gallery; None for ever.
    suppression_days: Days | None = None
    #: How long the key of a backup is kept.
    backup_days: Days = 30

    @field_validator("supervised")
    @classmethod
    def _somebody_supervises(cls, flags: tuple[Flag, ...], said: ValidationInfo) -> object:
        operators: Mapping[str, Operator] = said.data.get("operators", {})
        if flags and not any("reviewer" in one.roles for one in operators.values()):
            raise ValueError("needs an operator with the role reviewer, who could be named")
        return flags

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

    @field_validator("operators")
    @classmethod
    def _a_key_is_of_one_person(cls, operators: dict[str, Operator]) -> dict[str, Operator]:
        owners: dict[bytes, str] = {}
        for name, operator in operators.items():
            if not operator.key:
                continue
            if not may_sign_as(name):
                raise ValueError(f"gives a key to {name!r}, a name that no signature can carry")
            try:
                blob = PublicKey.parse(operator.key).blob
            except ValueError as trouble:
                raise ValueError(f"has a key of {name} that {trouble}") from None
            if blob in owners:
                raise ValueError(f"gives one key to two people: {owners[blob]} and {name}")
            owners[blob] = name
        return operators

    @field_validator("approvals")
    @classmethod
    def _somebody_may_approve(cls, approvals: Approvals, said: ValidationInfo) -> Approvals:
        operators: dict[str, Operator] = said.data.get("operators", {})
        able = [one for one in operators.values() if one.key and "approve" in acts_of(one.roles)]
        if approvals.acts and "operators" in said.data and not (able and len(operators) > 1):
            raise ValueError(
                "needs two operators, one of them with a key and a role that approves "
                "(reviewer, gallery-manager, administrator)"
            )
        return approvals


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
        try:
            policy = Policy.model_validate(document.data)
        except ValidationError as trouble:
            # What could not be read was said before; that it is now missing need not be.
            said = {problem.key for problem in problems}
            found = faults(trouble, document, Policy)
            problems += [problem for problem in found if problem.key not in said]
    problems.sort(key=lambda problem: problem.line)
    digest = hashlib.sha256(data).hexdigest()
    return Reading(None if problems else policy, tuple(problems), document.lines, digest)


def default_policy() -> bytes:
    """The commented policy of a new home: works for one person, changes nothing on its own."""
    return resources.files("fr_cli.authority").joinpath("default_policy.yaml").read_bytes()
