"""Verified bytes → the function that turns a crop into a vector, for each engine of the catalogue.

DeepFace supplies the clients (graph, forward pass). Its loaders are replaced: they check no hash,
download on their own, and fix the number of threads by the machine, so that the same photo could
give another template in another worker. Where a library reads files only, it is given a private
copy of the verified bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fr_cli.errors import ConfigurationError
from fr_cli.face.catalogue import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: From what the network is fed, shape (height, width, 3), float32, to anything that holds a vector.
Forward = Callable[["NDArray[np.float32]"], Any]


def forward_of(model: Model, weights: bytes, parts: Sequence[bytes]) -> Forward:
    """Load a model; ConfigurationError (3) if a package that it needs is not installed."""
    engine = {"deepface": _deepface, "keras": _keras, "dlib": _dlib, "onnx": _onnx}.get(
        model.engine
    )
    try:
        return engine(model, weights) if engine else _openvino(model, weights, *parts)
    except ImportError as missing:
        package = missing.name or model.engine
        raise ConfigurationError(
            f"{model.name} needs the package {package}, which is not installed.",
            hint=f"Install it with: pip install {package}",
        ) from missing


def _deepface(model: Model, weights: bytes) -> Forward:
    def session(file_name: str, source_url: object) -> object:
        _same(file_name, model)
        return onnx_session(weights)

    with (
        _client(model, "onnx") as client,
        # The module of the client has bound the function under its own name.
        _replaced(sys.modules[client.__module__], "build_session", session),
    ):
        return _forward(client())


def _keras(model: Model, weights: bytes) -> Forward:
    with tempfile.TemporaryDirectory(prefix="fr-keras-") as folder:
        _import_tensorflow(folder)
        return _from_file(model, weights, "tensorflow")


def _dlib(model: Model, weights: bytes) -> Forward:
    importlib.import_module("dlib")
    return _from_file(model, weights, "onnx")


def _from_file(model: Model, weights: bytes, engine: str) -> Forward:
    """A client of DeepFace that loads its weights by a path."""
    with _client(model, engine) as client, _private_file(model.file, weights) as path:

        def downloaded(file_name: str, source_url: object, compress_type: object = None) -> str:
            _same(file_name, model)
            return str(path)

        weight_utils = importlib.import_module("deepface.commons.weight_utils")
        with _replaced(weight_utils, "download_weights_if_necessary", downloaded):
            return _forward(client())


def _forward(client: Any) -> Forward:
    return lambda fed: client.forward(fed)


def _onnx(model: Model, weights: bytes) -> Forward:
    import numpy as np

    session = onnx_session(weights)
    name = session.get_inputs()[0].name

    def forward(fed: NDArray[np.float32]) -> Any:
        return session.run(None, {name: np.ascontiguousarray(fed.transpose(2, 0, 1)[None])})[0]

    return forward


def onnx_session(weights: bytes) -> Any:
    """A graph on onnxruntime: one thread, for workers are processes, and no telemetry."""
    # Since 1.29 onnxruntime keeps a device id and a record of each run in the account's cache
    # folder, and sends them over the network; it looks at this once, when it is first imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        weights, sess_options=options, providers=["CPUExecutionProvider"]
    )


def _openvino(model: Model, weights: bytes, graph: bytes) -> Forward:
    openvino: Any = importlib.import_module("openvino")
    import numpy as np

    core = openvino.Core()
    # Full precision and one thread: the same template on every processor, in every worker.
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    network = core.read_model(model=graph, weights=weights)
    compiled = core.compile_model(network, "CPU", settings)

    def forward(fed: NDArray[np.float32]) -> Any:
        return compiled(np.ascontiguousarray(fed.transpose(2, 0, 1)[None]))[0]

    return forward


@contextlib.contextmanager
def _client(model: Model, engine: str) -> Iterator[Any]:
    """DeepFace's class of the model on this engine, to be called within the block."""
    os.environ["DEEPFACE_BACKEND_ENGINE"] = engine
    os.environ["DEEPFACE_LOG_LEVEL"] = "50"  # it logs to standard output
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # see onnx_session
    with _no_downloader():
        importlib.import_module("deepface.commons.weight_utils")
    modeling: Any = importlib.import_module("deepface.modules.modeling")
    # It remembers the first engine of the process.
    backend = importlib.import_module("deepface.commons.backend_utils")
    with _replaced(backend, "_backend_engine", engine):
        yield modeling.get_model_class("facial_recognition", model.deepface)


def _same(file_name: str, model: Model) -> None:
    if file_name != model.file:
        raise RuntimeError(f"{model.name} asked for {file_name}, expected {model.file}")


@contextlib.contextmanager
def _replaced(module: Any, name: str, value: object) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


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


@contextlib.contextmanager
def _private_file(name: str, data: bytes) -> Iterator[Path]:
    """A file of these bytes and this name, in memory, that no other account can reach.

    HDF5 refuses what has no real path, or it would be a sealed memory file.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (mode 0700 in it)
    with tempfile.TemporaryDirectory(prefix="fr-weights-", dir=memory) as folder:
        path = Path(folder, name)  # Keras goes by the ending of the name
        path.write_bytes(data)
        yield path


def _import_tensorflow(folder: str) -> None:
    """Import it without its words on standard error and its file in the account's folder."""
    if "tensorflow" in sys.modules:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # it rounds as the processor likes
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    kept = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = folder
    try:
        with _silent_stderr():
            tensorflow: Any = importlib.import_module("tensorflow")
            importlib.import_module("keras")
            tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    finally:
        os.environ.pop("KERAS_HOME")
        if kept is not None:
            os.environ["KERAS_HOME"] = kept


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """What C++ prints does not pass through sys.stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
