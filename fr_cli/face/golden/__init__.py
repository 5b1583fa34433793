"""One fixed face, and the template that each model made of it: a change of libraries shows here.

The template is that of the release for the models whose bytes the catalogue knows, and else the one
of the first time that the model ran in this home (`golden.json` in its folder of models).
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import ModelDrift
from fr_cli.face.choices import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fr_cli.face.pipeline import FacePipeline

#: The least cosine with the expected template. Rounding on other processors stays above 0.99999;
#: another decoder, another interpolation or other colours fall below.
LEAST = 0.999
FILE = "golden.json"


def check(pipeline: FacePipeline, folder: Path) -> float | None:
    """The cosine with what is expected; None if nothing was recorded yet. Writes nothing.

    `folder` is the home's folder of models. Raises ModelDrift (50) below LEAST.
    """
    known = expected(pipeline.fingerprint, folder)
    if known is None:
        return None
    vector = embedded(pipeline)
    cosine = float(vector @ known) if vector.shape == known.shape else 0.0
    if not cosine >= LEAST:
        raise ModelDrift(
            f"The golden photo gives another template than it did: cosine {cosine:.4f}, at least "
            f"{LEAST} is due. Scores are no longer what was calibrated.",
        )
    return cosine


def check_or_record(pipeline: FacePipeline, folder: Path) -> None:
    """Check; the first time that a model runs, record what it gives."""
    if check(pipeline, folder) is None:
        kept = _recorded(folder) | {pipeline.fingerprint: embedded(pipeline).tolist()}
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, json.dumps(kept).encode())


def expected(fingerprint: str, folder: Path) -> NDArray[np.float32] | None:
    """The template that is due, a unit vector; None if none was recorded."""
    import numpy as np

    shipped = resources.files(__package__).joinpath("expected.json").read_text()
    vector = json.loads(shipped).get(fingerprint) or _recorded(folder).get(fingerprint)
    if vector is None:
        return None
    found = np.asarray(vector, np.float32)
    return np.asarray(found / np.linalg.norm(found), np.float32)


def embedded(pipeline: FacePipeline) -> NDArray[np.float32]:
    """What a model makes of the golden photo, a unit vector."""
    photo = resources.files(__package__).joinpath("portrait.jpg").read_bytes()
    return pipeline.unjudged(photo)


def _recorded(folder: Path) -> dict[str, list[float]]:
    try:
        found = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as trouble:
        raise ModelDrift(f"{folder / FILE} cannot be read: {trouble}.") from trouble
    return found if isinstance(found, dict) else {}
