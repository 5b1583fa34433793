"""Crop → vector: what the network is fed, and the unit vector that comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fr_cli.errors import ConfigurationError, FrError, QualityTooLow, WeightsWrong
from fr_cli.face.catalogue import Model
from fr_cli.face.engines import forward_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: DeepFace's clients that bring a BGR crop of 0 to 1 into their own form.
_SELF_FED = ("SFace", "Dlib")


class Embedder:
    """A recognition model, loaded from verified bytes; `parts` are those of the model's parts."""

    def __init__(self, model: Model, weights: bytes, parts: Sequence[bytes] = ()) -> None:
        self.model = model
        self._feed = _feeder(model)
        self._forward = forward_of(model, weights, parts)

    def embed(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A unit vector, shape (dimension,), from an aligned BGR crop (height, width, 3).

        Raises QualityTooLow for a crop that the model cannot describe.
        """
        import numpy as np

        vector = np.asarray(self._forward(self._feed(crop)), np.float64).ravel()
        if vector.shape != (self.model.dimension,):
            raise RuntimeError(f"{self.model.name} returned shape {vector.shape}")
        norm = float(np.linalg.norm(vector))
        if not 0 < norm < math.inf:
            raise QualityTooLow(
                "No template can be made of this face.", hint="Take the photo again."
            )
        return np.asarray(vector / norm, np.float32)


def trial(model: Model, weights: bytes) -> None:
    """Load weights that nobody here has seen, and embed noise; WeightsWrong (50) if that fails."""
    import numpy as np

    width, height = model.input_size or (0, 0)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    try:
        Embedder(model, weights).embed(noise)
    except FrError:
        raise
    except Exception as trouble:
        raise WeightsWrong(
            f"These are not weights of {model.name}: it cannot be run with them "
            f"({type(trouble).__name__}).",
            hint=f"{model.file} is due, for {model.engine}; nothing was kept.",
        ) from trouble


def _feeder(model: Model) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """From a BGR crop to what the client is fed."""
    import numpy as np

    if model.deepface in _SELF_FED:
        # They multiply by 255 and truncate: the half keeps every value what it was. dlib's client
        # does so only if nothing is above 1.
        return lambda crop: np.minimum((crop.astype(np.float64) + 0.5) / 255, 1)
    if model.normalisation not in NORMALISATIONS:
        raise ConfigurationError(f"No normalisation is called {model.normalisation!r}.")
    normalise = NORMALISATIONS[model.normalisation]
    step = -1 if model.colour_order == "RGB" else 1
    return lambda crop: np.asarray(normalise(crop[..., ::step].astype(np.float32)), np.float32)


def _whitened(pixels: Any) -> Any:
    """FaceNet's `prewhiten`: a flat picture is not divided by zero."""
    deviation = max(float(pixels.std()), 1 / math.sqrt(pixels.size))
    return (pixels - pixels.mean()) / deviation


#: By their names in the catalogue.
NORMALISATIONS: dict[str, Callable[[Any], Any]] = {
    "none, 0 to 255": lambda pixels: pixels,
    "0 to 1": lambda pixels: pixels / 255,
    "(x - 127.5) / 127.5": lambda pixels: (pixels - 127.5) / 127.5,
    "(x - 127.5) / 128": lambda pixels: (pixels - 127.5) / 128,
    "per image (x - mean) / deviation": _whitened,
}
