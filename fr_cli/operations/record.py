"""What became of each probe of an evaluation, kept in a file of the tester's so that two can be
compared: another model, another engine, another date on the same photos.

It names photos and people, as the manifest does; it is written for its owner alone and enters
nothing. One JSON document, columns of equal length.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fr_cli.errors import UsageProblem

if TYPE_CHECKING:
    from fr_cli.evaluation.rates import Probes
    from fr_cli.operations.evaluate import Evaluation

SCHEMA = "fr/evaluation-record/1"
#: How the file begins, so that no file of another kind is written over.
BEGINS = b'{"schema": "fr/evaluation-record/'
_COLUMNS = ("image", "subject", "mated", "acquired", "mate", "nonmate", "rank")


@dataclass(frozen=True, eq=False)
class Record:
    """One evaluation, probe by probe.

    `name` says which it is, `threshold` its own threshold in use as a score of its own (None
    without a calibration), `labels` the values of each recorded column.
    """

    name: str
    images: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    probes: Probes
    threshold: float | None


def write_record(result: Evaluation) -> str:
    """The record of an evaluation of one gallery, as JSON."""
    trial, rates = result.trial, result.measures
    calibration, probes = rates.calibration, trial.probes
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": result.model or "another system",
        "fingerprint": result.fingerprint if trial.cosines else "",
        "protocol": trial.protocol,
        "fusion": trial.fusion,
        "references": trial.references,
        "threshold": calibration.cosine(rates.floor_score) if calibration else None,
        "image": [sample.image for sample in trial.samples],
        "subject": [sample.subject for sample in trial.samples],
        "mated": probes.mated.tolist(),
        "acquired": probes.acquired.tolist(),
        "mate": [_number(value) for value in probes.mate.tolist()],
        "nonmate": [_number(value) for value in probes.nonmate.tolist()],
        "rank": probes.rank.tolist(),
        "labels": {
            name: [sample.columns.get(name, "") for sample in trial.samples]
            for name in result.study.group_by
        },
    }
    return json.dumps(document, allow_nan=False) + "\n"


def read_record(path: Path) -> Record:
    """Read a record; UsageProblem that says what is wrong with it."""
    try:
        document = json.loads(path.read_bytes())
        return _read(document, path.stem)
    except OSError as trouble:
        raise UsageProblem(f"{path} cannot be read: {trouble.strerror}.") from trouble
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as trouble:
        what = f"it lacks {trouble}" if isinstance(trouble, KeyError) else str(trouble)
        raise UsageProblem(
            f"{path} is no record of an evaluation: {what}.",
            hint="Make one with: fr evaluate MANIFEST --record FILE",
        ) from trouble


def _read(document: Any, name: str) -> Record:
    import numpy as np

    from fr_cli.evaluation.rates import Probes

    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    columns = {key: document[key] for key in _COLUMNS}
    columns |= {f"labels of {key}": value for key, value in document["labels"].items()}
    lengths = {key: len(value) for key, value in columns.items() if isinstance(value, list)}
    if len(lengths) < len(columns) or len(set(lengths.values())) != 1:
        raise ValueError("its columns are not lists of one length")
    texts = [*document["image"], *document["subject"]]
    texts += [label for values in document["labels"].values() for label in values]
    flags = [*document["mated"], *document["acquired"]]
    if not all(isinstance(one, str) for one in texts) or not all(
        isinstance(one, bool) for one in flags
    ):
        raise ValueError("a column holds something of another kind")
    threshold = document["threshold"]
    probes = Probes(
        np.array(document["mated"], bool),
        np.array(document["acquired"], bool),
        _scores(document["nonmate"]),
        _scores(document["mate"]),
        np.array(document["rank"], np.int64),
        np.array(document["subject"], str),
    )
    return Record(
        name=f"{name} ({document['model']})",
        images=tuple(document["image"]),
        labels={key: tuple(value) for key, value in document["labels"].items()},
        probes=probes,
        threshold=None if threshold is None else float(threshold),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _scores(values: list[float | None]) -> Any:
    import numpy as np

    return np.array([-math.inf if one is None else float(one) for one in values], np.float64)
