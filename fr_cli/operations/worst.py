"""The worst errors of an evaluation: the most alike strangers, and the mates least like themselves.

Their faces are cut only where the data's owner allows it; without faces nobody is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fr_cli.operations import suspects
from fr_cli.operations.bench import Bench
from fr_cli.operations.exclusions import Exclusions
from fr_cli.operations.labelled import Sample
from fr_cli.operations.study import Study
from fr_cli.operations.trial import Trial
from fr_cli.records import Listener

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Of each kind.
MOST = 6


@dataclass(frozen=True)
class Worst:
    """A probe and the reference that speaks against the system, both as JPEG files.

    `stranger`: a reference of another person; `mate`: the best of the probe's own.
    """

    kind: Literal["stranger", "mate"]
    cosine: float
    probe: bytes
    reference: bytes


def worst(
    study: Study, trial: Trial, exclusions: Exclusions, bench: Bench, listener: Listener
) -> list[Worst]:
    """The worst of each kind; none for references that have no photo at hand."""
    import numpy as np

    references = [s for s in trial.data.samples if s.role != "probe" and s.template is not None]
    probes = [s for s in trial.samples if s.template is not None]
    if not references or not probes or not trial.cosines:
        return []
    gallery = np.stack([s.template.vector for s in references if s.template is not None])
    names = np.array([s.subject for s in references])
    images = np.array([s.image for s in references])
    strangers: list[tuple[float, Sample, int]] = []
    mates: list[tuple[float, Sample, int]] = []
    for one in probes:
        assert one.template is not None
        cosines = (gallery @ one.template.vector).astype(np.float64)
        cosines[images == one.image] = np.nan  # under leave-one-out a photo is both
        own = names == one.subject
        left_out = own | np.isin(names, _excluded(one.subject, exclusions))
        _keep(strangers, cosines, ~left_out, one, sign=-1.0)
        _keep(mates, cosines, own, one, sign=1.0)
    rows = [("stranger", row) for row in strangers] + [("mate", row) for row in mates]
    return [
        Worst(
            "stranger" if kind == "stranger" else "mate",
            -cosine if kind == "stranger" else cosine,
            suspects.face(study, one, bench),
            suspects.face(study, references[place], bench),
        )
        for kind, (cosine, one, place) in listener.track(rows, "Cutting faces", len(rows))
    ]


def _keep(
    rows: list[tuple[float, Sample, int]],
    cosines: NDArray[np.float64],
    among: NDArray[np.bool_],
    probe: Sample,
    *,
    sign: float,
) -> None:
    """Keep the probe's best reference among some, if it is one of the worst so far."""
    import numpy as np

    those = np.where(among & ~np.isnan(cosines), cosines, -np.inf)
    place = int(those.argmax())
    if np.isfinite(those[place]):
        rows.append((sign * float(those[place]), probe, place))
        rows.sort(key=lambda row: row[0])
        del rows[MOST:]


def _excluded(subject: str, exclusions: Exclusions) -> list[str]:
    return [name for pair in exclusions.every if subject in pair for name in pair]
