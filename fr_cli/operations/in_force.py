"""The evaluation in force: which one stands behind an answer, and whether it covers it.

`evaluation/in-force.json` in the home is what the last evaluation left that reached all of its
targets: for which model, fusion, engine and threshold, up to how many references, until when. Its
SHA-256 stands in the outcome of that evaluation, and in that of each search it covers. The key of
the log signs it in the file beside it: a change of that key signs it anew, and leaves it as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fr_cli.audit.canonical import JSON, canonical
from fr_cli.decision.answer import Answer
from fr_cli.disk import write_whole
from fr_cli.errors import ConfigurationError, FrError, OutputFailed
from fr_cli.keys import SigningKey
from fr_cli.operations.bench import Bench
from fr_cli.operations.vouching import named_by_the_log, signed
from fr_cli.records import Compared

if TYPE_CHECKING:
    from fr_cli.decision.calibration import Calibration

SCHEMA = "fr/evaluation-in-force/1"
FILE, SIGNATURE = "in-force.json", "in-force.sig"
HINT = "Put an evaluation in force again: fr evaluate MANIFEST --require TARGETS"


@dataclass(frozen=True)
class InForce:
    """What an evaluation approved.

    It covers searches with the model of `fingerprint`, this `fusion` and `engine`, at `cosine` or
    above, among at most `references`, up to and including the day `until`; there, by its data,
    FPIR is at most `fpir`. `measured_on` says of what it was made, `sha256` is that of its file,
    `approved` whether a second person stands behind it, or an override in the log. `act` is the
    evaluation's id in the log.
    """

    fingerprint: str
    model: str
    fusion: str
    engine: str
    score: float
    cosine: float
    references: int
    fpir: float
    act: str
    made: str
    until: date
    data: str
    targets: str
    measured_on: Mapping[str, int]
    sha256: str
    approved: bool = False

    @property
    def over(self) -> bool:
        """Whether its last day has passed."""
        return datetime.now(UTC).date() > self.until


@dataclass(frozen=True)
class Standing:
    """What stands behind an answer: the evaluation in force, and why it does not cover it."""

    evaluation: InForce | None
    gap: str = ""

    @property
    def covers(self) -> bool:
        """Whether an evaluation in force covers the search."""
        return self.evaluation is not None and not self.gap

    @property
    def sentence(self) -> str:
        """What an officer is told of it; "" where nothing covers the search."""
        if self.evaluation is None or self.gap:
            return ""
        return (
            f"Covered by the evaluation of {self.evaluation.made[:10]}, in force until "
            f"{self.evaluation.until.isoformat()} for up to {self.evaluation.references:,} "
            "references."
        )


def standing(bench: Bench, answer: Answer, compared: Compared) -> Standing:
    """What stands behind an answer; ConfigurationError (3) for a file that was altered."""
    evaluation = in_force(bench)
    if evaluation is None:
        return Standing(None, "No evaluation on this force's own photos is in force")
    if "evaluation" in bench.policy.approvals.acts and not evaluation.approved:
        named = f"The evaluation in force (of {evaluation.made[:10]})"
        return Standing(evaluation, f"{named} has no second person behind it")
    return Standing(evaluation, _gap(evaluation, bench.fingerprint, answer, compared))


def applied(
    answer: Answer,
    behind: Standing,
    rule: Literal["warn", "refuse"],
    calibration: Calibration | None,
) -> Answer:
    """The answer under the policy's rule: as it is if an evaluation covers it, else told so."""
    if behind.covers or answer.outcome == "inconclusive":
        return answer
    if rule == "refuse":
        why = f"The policy asks for an evaluation in force. {behind.gap}."
        return replace(answer, outcome="inconclusive", why=why, candidates=())
    assert calibration is not None  # without one the answer is inconclusive
    made_on = f"{calibration.data.name} ({calibration.data.subjects:,} people)"
    warning = f"{behind.gap}: the rates come from {made_on} and are nobody's approval."
    return replace(answer, warnings=(*answer.warnings, warning))


def in_force(bench: Bench) -> InForce | None:
    """The evaluation in force, None if there is none; ConfigurationError if it was altered."""
    path = bench.site.evaluation / FILE
    try:
        data = path.read_bytes()
        signature = _signature(path.with_name(SIGNATURE))
    except FileNotFoundError:
        return None
    except OSError as trouble:
        raise ConfigurationError(f"{path} cannot be read: {trouble.strerror}.") from trouble
    sha256 = hashlib.sha256(data).hexdigest()
    # Where a change of the key was cut short the signature is the old one: the log still names it.
    if not signed(bench.signer.public, data, signature) and not named_by_the_log(bench, sha256):
        raise ConfigurationError(
            f"The signature of {path} is not that of this home: it was altered.", hint=HINT
        )
    try:
        return _read(json.loads(data), sha256)
    except (ValueError, LookupError, TypeError) as trouble:
        raise ConfigurationError(
            f"{path} is no evaluation in force: {trouble}.", hint=HINT
        ) from trouble


def statement(what: Mapping[str, JSON], bench: Bench, days: int) -> bytes:
    """The file that puts an evaluation in force from today, for so many days: canonical JSON."""
    today = datetime.now(UTC)
    return canonical(
        {
            "schema": SCHEMA,
            "origin": bench.site.origin,
            "made": today.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "until": (today.date() + timedelta(days=days)).isoformat(),
            **what,
        }
    )


def put_in_force(data: bytes, bench: Bench) -> InForce:
    """Write the file whole, in the place of the one before, and sign it; OutputFailed if it cannot
    be written."""
    folder = bench.site.evaluation
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _sign(data, bench.signer, folder)
        write_whole(folder / FILE, [data])
    except OSError as trouble:
        raise OutputFailed(
            f"The evaluation passed, but cannot be put in force: {trouble.strerror}.",
            hint="Make room for it in the home, and evaluate again.",
        ) from trouble
    found = in_force(bench)
    assert found is not None
    return found


def sign_anew(bench: Bench, key: SigningKey) -> None:
    """Sign what is in force with the log's new key; only if the log names it, so read whole.

    Where that fails nothing is lost: each search then asks the log, which takes longer.
    """
    with suppress(OSError, FrError):
        data = (bench.site.evaluation / FILE).read_bytes()
        if named_by_the_log(bench, hashlib.sha256(data).hexdigest()):
            _sign(data, key, bench.site.evaluation)


def _signature(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _sign(data: bytes, key: SigningKey, folder: Path) -> None:
    write_whole(folder / SIGNATURE, [base64.b64encode(key.sign(data)) + b"\n"])


def _read(document: Mapping[str, Any], sha256: str) -> InForce:
    if document["schema"] != SCHEMA:
        raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA!r}")
    return InForce(
        fingerprint=str(document["fingerprint"]),
        model=str(document["model"]),
        fusion=str(document["fusion"]),
        engine=str(document["engine"]),
        score=float(document["score"]),
        cosine=float(document["cosine"]),
        references=int(document["references"]),
        fpir=float(document["fpir"]),
        act=str(document["act"]),
        made=str(document["made"]),
        until=date.fromisoformat(document["until"]),
        data=str(document["data"]),
        targets=str(document["targets"]),
        measured_on={str(name): int(count) for name, count in document["measured_on"].items()},
        sha256=sha256,
        approved=bool(document.get("approval")),
    )


def _gap(evaluation: InForce, fingerprint: str, answer: Answer, compared: Compared) -> str:
    """Why an evaluation does not cover a search, as a sentence without its end; "" if it does."""
    named = f"The evaluation in force (of {evaluation.made[:10]})"
    if evaluation.fingerprint != fingerprint:
        return f"{named} is of another model"
    if evaluation.over:
        return f"{named} ended on {evaluation.until.isoformat()}"
    if compared.references > evaluation.references:
        return (
            f"{named} covers up to {evaluation.references:,} references, and this search "
            f"compared {compared.references:,}"
        )
    if evaluation.fusion != "best":
        return f"{named} is of the fusion {evaluation.fusion}, and searches use best"
    if compared.engine != evaluation.engine:
        return f"{named} is of the engine {evaluation.engine}, not {compared.engine}"
    if answer.threshold and answer.threshold.cosine < evaluation.cosine - 1e-6:
        return (
            f"{named} covers thresholds from cosine {evaluation.cosine:.3f}, and this search "
            f"used {answer.threshold.cosine:.3f}"
        )
    return ""
