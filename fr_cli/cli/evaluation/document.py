"""An evaluation as the JSON document `fr/evaluate/1` (docs/reference/evaluate.schema.json)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fr_cli.cli.evaluation import groups

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from fr_cli.operations.evaluate import Evaluation


def document(result: Evaluation) -> dict[str, Any]:
    """The whole evaluation; docs/reference/json.md explains each field."""
    trial, rates = result.trial, result.measures
    calibration, fitted = rates.calibration, result.fitted
    return {
        "schema": "fr/evaluate/1",
        "protocol": trial.protocol,
        "fusion": trial.fusion,
        "counts": {
            "references": trial.references,
            "subjects": trial.subjects,
            "probes_mated": rates.probes.mated_count,
            "probes_nonmated": rates.probes.nonmated_count,
            "fte": trial.fte,
            "fta": rates.probes.failures_to_acquire,
            "unusable_rows": len(trial.data.bad_rows),
        },
        "faces": result.study.face,
        "checks": {
            "claim": asdict(rates.claim),
            "doubts": dict(result.doubts.counts),
            "pairs": [{**asdict(one), "reason": one.reason} for one in result.doubts.pairs],
        },
        "points": list(rates.points),
        "at_floor": {"score": rates.floor_score, **(_one(rates.at_floor) or _NOTHING)},
        "at_scores": _all(rates.at_scores),
        "rank1": rates.rank1.value,
        "rank1_interval": [rates.rank1.low, rates.rank1.high],
        "cmc": rates.cmc,
        "det": _all(rates.det),
        "groups": groups.rows(result.groups),
        "group_studies": groups.studies(result.groups),
        "group_fmr": groups.matches(result.groups),
        "required": groups.required(result),
        "verification": _one(rates.verification),
        "likelihood_ratio": _one(rates.likelihood_ratio),
        "histograms": _one(rates.histograms),
        "selectivity": _all(rates.selectivity),
        "fpir_by_n": _all(rates.fpir_by_n),
        "growth": _all(rates.growth),
        "quality": _all(rates.quality),
        "gate": _one(rates.gate),
        "ageing": _all(rates.ageing),
        "without_kin": _one(rates.without_kin),
        "search_loss": _one(result.search_loss),
        "draws": _one(rates.draws),
        "calibration": calibration
        and {
            "model": calibration.model,
            "fingerprint": calibration.fingerprint,
            "data": calibration.data.name,
            "made": calibration.made,
            "smallest_fmr": calibration.smallest_fmr,
        },
        "holdout": None if result.holdout is None else _all(result.holdout),
        "fitted": fitted
        and {
            "comparisons": fitted.data.comparisons,
            "smallest_fmr": fitted.smallest_fmr,
            "largest_impostor": fitted.largest_impostor,
            "cosine_at_0.60": fitted.cosine(0.60),
        },
        "failures": [{"image": image, "reason": reason} for image, reason in trial.data.failures],
        "warnings": result.warnings,
        "audit": result.head and asdict(result.head),
    }


_NOTHING = {"tpir": None, "fpir": None, "rank1": None, "fta": None}


def _one(measure: DataclassInstance | None) -> dict[str, Any] | None:
    return None if measure is None else asdict(measure)


def _all(rows: Iterable[DataclassInstance]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
