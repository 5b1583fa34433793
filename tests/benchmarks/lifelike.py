"""Templates that are spread as real ones are, and photos of the same people, without a face.

How SFace's templates of the LFW half (docs/explanation/figures.md) are spread, as far as a search
can tell: they share a direction (their mean has length 0.29), the variance about it falls to a
tenth from the most to the least varied direction, a person's photos differ in all directions
alike, and some people look alike. `python -m tests.benchmarks.lifelike` prints the false match
rates of such templates beside those of the shipped calibration.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fr_cli.decision
from fr_cli.decision.calibration import Calibration
from fr_cli.decision.document import calibration_from_dict

Vector = NDArray[np.float32]

#: Length of the mean; variance of the least varied direction, the most varied being 1.
_MEAN, _LEAST = 0.29, 0.1
#: People fall into so many types; this part of what makes a person is their type's.
_TYPES, _SHARED = 1500, 0.18
#: Cosines of two photos of one person in LFW: quantiles of 2,590 pairs, 0 to 1 by a twentieth.
_MATED = (
    0.029, 0.472, 0.522, 0.552, 0.574, 0.593, 0.611, 0.627, 0.642, 0.657, 0.671, 0.683, 0.696,
    0.709, 0.724, 0.738, 0.753, 0.77, 0.792, 0.823, 0.949,
)  # fmt: skip


def people(count: int, dimension: int = 128, seed: int = 1) -> Vector:
    """A template each, unit vectors of shape (count, dimension), float32."""
    world, random = np.random.default_rng(0), np.random.default_rng(seed)
    mean = world.standard_normal(dimension, np.float32)
    types = world.standard_normal((_TYPES, dimension), np.float32)
    spread = np.sqrt(np.linspace(1, _LEAST, dimension, dtype=np.float32))
    made = np.empty((count, dimension), np.float32)
    for first in range(0, count, 1 << 16):
        own = random.standard_normal((min(count - first, 1 << 16), dimension), np.float32)
        own *= np.float32((1 - _SHARED) ** 0.5)
        own += np.float32(_SHARED**0.5) * types[random.integers(0, _TYPES, len(own))]
        own *= spread * np.float32(((1 - _MEAN**2) / (spread**2).sum()) ** 0.5)
        own += mean * np.float32(_MEAN / np.linalg.norm(mean))
        made[first : first + len(own)] = own
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def photos(templates: Vector, seed: int = 2) -> Vector:
    """Another photo of each person: the cosines are spread as in LFW, the direction is any."""
    random = np.random.default_rng(seed)
    places = random.random(len(templates)) * (len(_MATED) - 1)
    return moved(templates, np.interp(places, range(len(_MATED)), _MATED), random)


def moved(templates: Vector, cosines: NDArray[np.floating], random: np.random.Generator) -> Vector:
    """Unit vectors at these cosines (n,) to the templates (n, dimension), in any direction."""
    noise = random.standard_normal(templates.shape, np.float32)
    noise -= np.sum(noise * templates, axis=1, keepdims=True) * templates
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    near = cosines[:, None] * templates + np.sqrt(1 - cosines[:, None] ** 2) * noise
    return np.asarray(near, np.float32)


def calibration() -> Calibration:
    """The one that comes with fr, of SFace."""
    folder = Path(fr_cli.decision.__file__).parent / "shipped"
    return calibration_from_dict(json.loads((folder / "sface-yunet.json").read_text()))


def main() -> None:
    """Print false match rates of 40,000 people, each compared with each, and the calibration's."""
    made, shipped = people(40_000), calibration()
    steps = np.array([0.1, 0.2, 0.3, 0.362, 0.418, 0.463, 0.5, 0.526, 0.55])
    above = np.zeros(len(steps), np.int64)
    for first in range(0, len(made), 1000):
        cosines = made[first + 1000 :] @ made[first : first + 1000].T
        above += [np.count_nonzero(cosines >= step) for step in steps]
    pairs = (len(made) - 1000) * len(made) // 2
    print(f"{'cosine':>7} {'FMR of these':>13} {'calibration':>12}")
    for step, count in zip(steps, above, strict=True):
        print(f"{step:>7} {count / pairs:>13.2g} {shipped.fmr(float(step)):>12.2g}")


if __name__ == "__main__":
    main()
