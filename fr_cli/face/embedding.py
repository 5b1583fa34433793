"""Crop → vector, through DeepFace's model clients.

DeepFace supplies the client (input layout, colour order, forward pass). Its loader is replaced:
it checks no hash, downloads on its own, and fixes the number of threads by the machine, so that
the same photo could give another template in another worker.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fr_cli.errors import QualityTooLow
from fr_cli.face.weights import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Embedder:
    """One of DeepFace's recognition models, loaded from verified bytes."""

    def __init__(self, model: Model, weights: bytes) -> None:
        self.model = model
        with _deepface(model, weights) as modeling:
            self._client: Any = modeling.get_model_class("facial_recognition", model.deepface)()

    def embed(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A unit vector, shape (dimension,), from an aligned BGR crop of shape (112, 112, 3).

        Raises QualityTooLow for a crop that the model cannot describe.
        """
        import numpy as np

        # The client multiplies by 255 and truncates; the half keeps every value what it was.
        scaled = (crop.astype(np.float64) + 0.5) / 255
        vector = np.asarray(self._client.forward(scaled), np.float64).ravel()
        if vector.shape != (self.model.dimension,):
            raise RuntimeError(f"{self.model.name} returned shape {vector.shape}")
        norm = float(np.linalg.norm(vector))
        if not 0 < norm < math.inf:
            raise QualityTooLow(
                "No template can be made of this face.", hint="Take the photo again."
            )
        return np.asarray(vector / norm, np.float32)


@contextlib.contextmanager
def _deepface(model: Model, weights: bytes) -> Iterator[Any]:
    """DeepFace's `modeling` module, with a loader that takes our bytes and nothing else."""
    os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
    os.environ["DEEPFACE_LOG_LEVEL"] = "50"  # it logs to standard output
    # Since 1.29 onnxruntime keeps a device id and a record of each run in the account's cache
    # folder, and sends them over the network; it looks at this once, when it is first imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with _no_downloader():
        onnx_utils: Any = importlib.import_module("deepface.commons.onnx_utils")
    modeling = importlib.import_module("deepface.modules.modeling")

    def session(file_name: str, source_url: object) -> object:
        import onnxruntime

        if file_name != model.file:
            raise RuntimeError(f"{model.name} asked for {file_name}, expected {model.file}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            weights, sess_options=options, providers=["CPUExecutionProvider"]
        )

    original = onnx_utils.build_session
    onnx_utils.build_session = session
    try:
        yield modeling
    finally:
        onnx_utils.build_session = original


@contextlib.contextmanager
def _no_downloader() -> Iterator[None]:
    """Empty stand-ins while DeepFace's weight helper is imported.

    gdown and requests cost 0.2 CPU s to import and would fetch unhashed weights; with the
    stand-ins bound in their place DeepFace cannot download anything in this process.
    """
    names = [name for name in ("gdown", "requests") if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
