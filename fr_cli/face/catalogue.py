"""The models that fr knows: what their files must be, where those can come from, what they eat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from fr_cli.errors import ConfigurationError
from fr_cli.face.sources import Package

DETECTOR = "YuNet"
#: What a new home uses unless another is named.
EMBEDDER = "SFace"

#: What computes the template (engines.py). `deepface` and `keras` are DeepFace's own clients, on
#: onnxruntime and on TensorFlow.
Engine = Literal["deepface", "keras", "dlib", "onnx", "openvino"]


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue. `dimension` and `input_size` (width, height) are an embedder's.

    `deepface` is DeepFace's name of the client, empty where it has none; `commercial` is whether
    the licence of the weights allows such use. `sha256` and `size` are None where nobody has seen
    the bytes: such a model must be pinned (choices.py). `parts` are entries whose files belong to
    it. `alignment`, `colour_order` and `normalisation` say what the network is fed.
    """

    name: str
    task: Literal["embedder", "detector", "part"]
    engine: Engine | Literal[""]
    deepface: str
    file: str
    sha256: str | None
    size: int | None
    licence: str
    commercial: bool
    provenance: str
    dimension: int | None
    input_size: tuple[int, int] | None
    alignment: str
    colour_order: str
    normalisation: str
    packages: tuple[Package, ...]
    url: str
    parts: tuple[str, ...] = ()


@cache
def catalogue() -> Mapping[str, Model]:
    """The models by name."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = Path(__file__).with_name("catalogue.yaml").read_bytes()
    entries = yaml.load(text, Loader=loader)  # noqa: S506  (both are safe loaders)
    return MappingProxyType({name: _model(name, **entry) for name, entry in entries.items()})


def named(name: str) -> Model:
    """A model of the catalogue; ConfigurationError (3) for a name that it lacks."""
    try:
        return catalogue()[name]
    except KeyError:
        raise ConfigurationError(
            f"The catalogue has no model {name!r}.", hint=f"It has: {', '.join(catalogue())}."
        ) from None


def embedder(name: str) -> Model:
    """A model that makes templates; ConfigurationError (3) for any other name."""
    model = named(name)
    if model.task != "embedder":
        names = [one.name for one in catalogue().values() if one.task == "embedder"]
        raise ConfigurationError(
            f"{name} makes no templates.", hint=f"Choose one of: {', '.join(names)}."
        )
    return model


def needed(name: str = EMBEDDER) -> list[Model]:
    """All entries without which an embedder makes no template: the detector first."""
    model = embedder(name)
    return [named(DETECTOR), model, *(named(part) for part in model.parts)]


def _model(
    name: str,
    *,
    packages: list[dict[str, Any]],
    input_size: list[int] | None,
    parts: list[str] | None = None,
    **entry: object,
) -> Model:
    return Model(
        name=name,
        packages=tuple(Package(**package) for package in packages),
        input_size=(input_size[0], input_size[1]) if input_size else None,
        parts=tuple(parts or ()),
        **entry,  # type: ignore[arg-type] # a test compares the catalogue with the types
    )
