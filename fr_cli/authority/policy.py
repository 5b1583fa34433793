"""The policy of a home: reasons, floors and targets, read from `policy.yaml` and checked."""

from __future__ import annotations

import hashlib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from fr_cli.authority.roles import Role, acts_of
from fr_cli.authority.ssh import PublicKey, may_sign_as
from fr_cli.errors import ConfigurationError, NotAllowed

Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=100_000)]
#: Names of the quality measures on which a floor makes sense: higher is better.
Floorable = Literal["InterEyeDistance", "Sharpness"]
#: Acts that a policy may give to two people.
TwoPerson = Literal[
    "purge", "bulk-delete", "policy", "calibration", "evaluation", "key-rotation", "export", "lift"
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Operator(_Strict):
    """What an account may do, until when its training is valid, and its key for approvals.

    `key` is an OpenSSH public key ("ssh-ed25519 AAAA…").
    """

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    trained_until: date | None = None
    key: str = ""


class Reason(_Strict):
    """Why a search is made, and what allows it.

    `watchlists` are those it may search, None for the whole gallery and any watchlist;
    `necessity` whether the operator must say in words why the search is necessary.
    """

    description: str
    legal_basis: str
    watchlists: tuple[str, ...] | None = None
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

    acts: tuple[TwoPerson, ...] = ()
    valid_hours: Annotated[int, Field(ge=1, le=720)] = 72


class Policy(_Strict):
    """Everything that the policy says."""

    version: Literal[1]
    reasons: Annotated[dict[str, Reason], Field(min_length=1)]
    identify: Identify
    verify: Verify
    quality: dict[Floorable, Annotated[float, Field(ge=0)]]
    evaluation: Literal["warn", "refuse"]
    #: The greatest age of each retention group; None for no limit. Homes of before have no rules.
    retention: dict[str, Days | None] = {"default": None}
    #: How long the log keeps what each command did; None for no limit.
    audit_retention: dict[str, Days | None] = {"default": None}

    #: By the name of the account; empty for one person alone, who may do everything.
    operators: dict[str, Operator] = {}
    #: Where a search may be asked; empty for no question.
    places: tuple[str, ...] = ()
    #: Flags of a search for which a supervisor must be named: of a child, of a vulnerable person.
    supervised: tuple[Literal["child", "vulnerable"], ...] = ()
    limits: Limits = Limits()
    decisions: Decisions = Decisions()
    approvals: Approvals = Approvals()

    #: Whether enrolled photos are kept, sealed; else a later change of model needs new photos.
    keep_photos: bool = False
    #: How long who was purged is kept out of the gallery; None for ever.
    suppression_days: Days | None = None
    #: How long the key of a backup is kept.
    backup_days: Days = 30

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


def load_policy(path: Path) -> tuple[Policy, str]:
    """The policy and the SHA-256 (hex) of the very bytes it was read from."""
    try:
        data = path.read_bytes()
        document = yaml.safe_load(data)
    except OSError as trouble:
        raise ConfigurationError(
            f"The policy {path} cannot be read: {trouble.strerror}.",
            hint="Restore it from its backup.",
        ) from trouble
    except yaml.YAMLError as trouble:
        raise ConfigurationError(f"{path} is not YAML: {trouble}.") from trouble
    try:
        policy = Policy.model_validate(document)
    except ValidationError as trouble:
        problems = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'the file'}: {error['msg']}"
            for error in trouble.errors()
        )
        raise ConfigurationError(
            f"The policy {path} is not valid: {problems}.",
            hint="Mend these keys; a new home's policy.yaml shows every one of them.",
        ) from trouble
    return policy, hashlib.sha256(data).hexdigest()


def default_policy() -> bytes:
    """The commented policy of a new home: works for one person, changes nothing on its own."""
    return resources.files("fr_cli.authority").joinpath("default_policy.yaml").read_bytes()
