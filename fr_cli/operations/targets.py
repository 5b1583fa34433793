"""What an evaluation must reach before it is in force: a force's targets, read strictly.

    version: 1
    in_force: {days: 365, references: 10000}
    counts: {probes_nonmated: 1000}
    tpir: [{at_fpir: 0.01, at_least: 0.90}]
    fpir: [{at_score: 0.60, at_most: 0.02}]
    groups: [{by: [sex], at_fpir: 0.01, fpir_ratio_at_most: 3}]
    latency: {search_p99_ms_at_most: 100}

docs/how-to/groups-and-gate.md explains each.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fr_cli.errors import ConfigurationError

Share = Annotated[float, Field(gt=0, lt=1)]
Score = Annotated[float, Field(ge=0, le=2)]
Count = Annotated[int, Field(ge=1)]
AtLeastOne = Annotated[float, Field(gt=1, le=1000)]


class _Strict(BaseModel):
    # strict: "0.9" or true is no number, and nothing is guessed from it.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _At(_Strict):
    """A threshold: a score, or the one at which the probes show an FPIR."""

    at_score: Score | None = None
    at_fpir: Share | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> _At:
        if (self.at_score is None) == (self.at_fpir is None):
            raise ValueError("give at_score or at_fpir, one of them")
        return self


class InForce(_Strict):
    """For how long, and for how large a gallery, a passing evaluation is in force."""

    days: Annotated[int, Field(ge=1, le=1100)]
    references: Count


class Counts(_Strict):
    """The least of what was measured on."""

    references: Count = 1
    subjects: Count = 1
    probes_mated: Count = 1
    probes_nonmated: Count = 1


class Found(_At):
    """TPIR: the lower end of its 95 % interval must reach `at_least`."""

    at_least: Share


class FalseCandidates(_Strict):
    """FPIR at a score, in a gallery of `in_force.references`: the upper end of its interval."""

    at_score: Score
    at_most: Share


class Groups(_At):
    """Groups of the columns `by`, at one threshold.

    Ratios are of the highest rate to the lowest: the upper limit (95 %) must not pass them.
    `tpir_at_least` and `fpir_at_most` hold for each group by itself. No group may be of fewer
    than `people`.
    """

    by: Annotated[list[str], Field(min_length=1, max_length=4)]
    people: Annotated[int, Field(ge=10)] = 10
    fpir_ratio_at_most: AtLeastOne | None = None
    fnir_ratio_at_most: AtLeastOne | None = None
    tpir_at_least: Share | None = None
    fpir_at_most: Share | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Groups:
        asked = (self.fpir_ratio_at_most, self.fnir_ratio_at_most,
                 self.tpir_at_least, self.fpir_at_most)  # fmt: skip
        if all(one is None for one in asked):
            raise ValueError("nothing is asked of the groups")
        if len(set(self.by)) < len(self.by) or not all(name.strip() for name in self.by):
            raise ValueError("by: columns by name, each once")
        return self


class Latency(_Strict):
    """How long a search may take, in milliseconds."""

    search_p99_ms_at_most: Annotated[float, Field(gt=0)]


class Targets(_Strict):
    """Everything that is asked of an evaluation."""

    version: Literal[1]
    in_force: InForce
    counts: Counts = Counts()
    tpir: Annotated[list[Found], Field(min_length=1)]
    fpir: Annotated[list[FalseCandidates], Field(min_length=1)]
    groups: list[Groups] = []
    latency: Latency | None = None


def load_targets(path: Path) -> tuple[Targets, str]:
    """The targets of a YAML file, and the SHA-256 (hex) of the very bytes they were read from.

    Raises ConfigurationError (exit 3) that names each wrong key.
    """
    try:
        data = path.read_bytes()
        document = yaml.safe_load(data)
    except OSError as trouble:
        raise ConfigurationError(
            f"The targets {path} cannot be read: {trouble.strerror}.",
            hint="Give the path of a YAML file with --require.",
        ) from trouble
    except (yaml.YAMLError, UnicodeDecodeError) as trouble:
        raise ConfigurationError(f"{path} is not YAML: {trouble}.") from trouble
    try:
        targets = Targets.model_validate(document)
    except ValidationError as trouble:
        problems = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'the file'}: {error['msg']}"
            for error in trouble.errors()
        )
        raise ConfigurationError(
            f"The targets {path} are not valid: {problems}.",
            hint="Mend these keys; examples/targets.yaml shows every one of them.",
        ) from trouble
    return targets, hashlib.sha256(data).hexdigest()
