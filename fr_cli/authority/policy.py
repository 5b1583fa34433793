"""The policy of a home: reasons, floors and targets, read from `policy.yaml` and checked."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fr_cli.errors import ConfigurationError, NotAllowed

Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=100_000)]
#: Names of the quality measures on which a floor makes sense: higher is better.
Floorable = Literal["InterEyeDistance", "Sharpness"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reason(_Strict):
    """Why a search is made, and what allows it."""

    description: str
    legal_basis: str


class Identify(_Strict):
    """Bounds of a search of the gallery."""

    floor_score: Annotated[float, Field(ge=0, le=2)]
    fpir_target: Share
    max_candidates: Annotated[int, Field(ge=1, le=200)]


class Verify(_Strict):
    """Bounds of a comparison with one subject."""

    fmr_target: Share


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
