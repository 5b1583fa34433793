"""A dip sample against the gallery: who may be enrolled twice, mixed up, or made of two faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fr_cli.audit.canonical import JSON
from fr_cli.casework.suspicions import Neighbour, Suspicion, suspicions
from fr_cli.decision.calibration import Calibration, score_of
from fr_cli.decision.threshold import Threshold, threshold_for
from fr_cli.errors import ConfigurationError
from fr_cli.gallery.neighbours import Opened, neighbourhoods
from fr_cli.operations.bench import Bench
from fr_cli.operations.drawn import of_log, safe_id
from fr_cli.records import Head, Listener

#: Suspicions in one entry of the log.
_BATCH = 200


@dataclass(frozen=True)
class Searched:
    """What looks wrong in a sample; all of it is suspicion.

    `searched` references of the sample were compared with `references`; `number` is where a
    reference (by random id) stands on the sheet. `threshold` is that of a candidate in this
    gallery, `stranger_cosine` that below which two photos are no more alike than those of two
    people. `expected` pairs of strangers reach the threshold by chance.
    """

    sample: str
    searched: int
    references: int
    number: Mapping[str, int]
    found: tuple[Suspicion, ...]
    scores: tuple[float, ...]
    threshold: Threshold
    stranger_cosine: float
    expected: float
    head: Head


def search(sample_id: str, bench: Bench, listener: Listener) -> Searched:
    """Hold each reference of a sample against all others of the gallery.

    ConfigurationError without a calibration, UsageProblem for a sample that the log does not know.
    """
    asked = {"policy": bench.policy_digest, "sample": safe_id(sample_id)}
    with bench.act("sample search", "combination", **asked) as act:
        sample = of_log(sample_id, bench, listener)
        calibration = bench.calibration
        if calibration is None:
            raise ConfigurationError(
                "There is no calibration for this model, so nothing to hold likeness against.",
                hint="Make one with: fr evaluate MANIFEST --calibrate",
            )
        with bench.gallery(act) as gallery:
            size = gallery.count("refs")
            threshold = _threshold(calibration, size, bench)
            stranger = calibration.cosine(score_of(bench.policy.verify.fmr_target))
            references, those = neighbourhoods(gallery, sample.order, threshold.cosine)
            found: list[Suspicion] = []
            searched = 0
            for one in listener.track(those, "Comparing", len(sample.order)):
                searched += 1
                near, own = map(_neighbour, one.near), map(_neighbour, one.own)
                found += suspicions(
                    _neighbour(one.one), [*near], [*own], threshold.cosine, stranger
                )
        scores = tuple(calibration.score(one.cosine) for one in found)
        rows = [_for_the_log(one, score) for one, score in zip(found, scores, strict=True)]
        for first in range(0, len(rows), _BATCH):
            act.batch(sample=sample.id, suspicions=rows[first : first + _BATCH])
        act.decide(
            sample=sample.id, searched=searched, references=references, model=bench.fingerprint,
            calibration=bench.calibration_digest, threshold=f"{threshold.score:.4f}",
            found=dict(Counter(one.kind for one in found)),
        )  # fmt: skip
    return Searched(
        sample.id, searched, references,
        {uid: number for number, uid in enumerate(sample.order, start=1)},
        tuple(found), scores, threshold, stranger, searched * references * threshold.fmr, act.head,
    )  # fmt: skip


def _threshold(calibration: Calibration, references: int, bench: Bench) -> Threshold:
    bounds = bench.policy.identify
    return threshold_for(calibration, references, bounds.floor_score, bounds.fpir_target)


def _neighbour(one: Opened) -> Neighbour:
    row = one.row
    return Neighbour(row.uid, row.subject_uid, row.subject_id, row.reference_id, one.vector)


def _for_the_log(one: Suspicion, score: float) -> dict[str, JSON]:
    others: list[JSON] = [other.uid for other in one.others]
    return {
        "kind": one.kind,
        "reference": one.reference.uid,
        "others": others,
        "score": f"{score:.4f}",
    }
