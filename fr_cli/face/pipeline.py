"""Photo → template, the whole way.

pipeline = FacePipeline.load()
template = pipeline.template(Path("photo.jpg").read_bytes())
cosine = float(template.vector @ other.vector)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from fr_cli.errors import NoFace, SeveralFaces
from fr_cli.face import quality, weights
from fr_cli.face.alignment import ARCFACE, align, crop_of
from fr_cli.face.catalogue import DETECTOR, EMBEDDER
from fr_cli.face.choices import check_licence, resolved
from fr_cli.face.detection import Detector, Face, prominent
from fr_cli.face.embedding import Embedder
from fr_cli.face.photo import Decoder, Photo
from fr_cli.face.portrait import portrait
from fr_cli.records import Template
from fr_cli.site import default_home, model_folders

if TYPE_CHECKING:
    from fr_cli.records import Vector

#: Which face of a photo is meant: the only one, the largest, the one nearest to the middle (of
#: those not much smaller than the largest), or the n-th from the left (1 …).
Choice = Literal["single", "largest", "central"] | int

#: The default floor: below it a photo is refused, never answered with a quiet low score.
FLOORS: Mapping[str, float] = {"InterEyeDistance": 24.0}


class FacePipeline:
    """Decoder, detector, alignment, quality and embedder of one model; use as a context manager.

    One instance serves one thread. Templates are the same bit for bit whichever process makes
    them, and whatever was embedded before.
    """

    def __init__(
        self,
        decoder: Decoder,
        detector: Detector,
        embedder: Embedder,
        fingerprint: str,
        floors: Mapping[str, float],
    ) -> None:
        self.fingerprint = fingerprint
        self._decoder = decoder
        self._detector = detector
        self._embedder = embedder
        self._crop = crop_of(embedder.model.alignment)
        self._floors = floors

    @classmethod
    def load(
        cls,
        folders: Sequence[Path] | None = None,
        *,
        embedder: str = EMBEDDER,
        floors: Mapping[str, float] = FLOORS,
    ) -> FacePipeline:
        """Load detector and embedder from the first folder that has them.

        Raises WeightsWrong when weights are missing or are not the right bytes, and
        ConfigurationError when their licence was not accepted or a package is missing.
        """
        places = model_folders(default_home()) if folders is None else folders
        model, parts = resolved(embedder, places), _parts(embedder, places)
        check_licence(model, places)
        with ExitStack() as unless_made:
            made = cls(
                unless_made.enter_context(Decoder()),  # gets ready while the models are loaded
                Detector(weights.load(weights.named(DETECTOR), places)),
                Embedder(
                    model,
                    weights.load(model, places),
                    [weights.load(part, places) for part in parts],
                ),
                fingerprint(embedder, places),
                floors,
            )
            unless_made.pop_all()
        return made

    def template(self, data: bytes, choice: Choice = "single") -> Template:
        """Make a template of one face in an encoded photo.

        Raises PhotoUnreadable, NoFace, SeveralFaces, or QualityTooLow below a floor.
        """
        return self.template_of(self._decoder.decode(data), choice)

    def template_of(self, photo: Photo, choice: Choice = "single") -> Template:
        """Make a template of one face in a decoded photo."""
        return self._made(photo, choice)[0]

    def template_and_portrait(self, data: bytes, choice: Choice) -> tuple[Template, bytes]:
        """The same as `template`, and that face for people to look at: an upright JPEG."""
        photo = self._decoder.decode(data)
        template, face = self._made(photo, choice)
        return template, portrait(photo.pixels, face.landmarks)

    def portrait_of(self, data: bytes, template: Vector) -> bytes:
        """The face in an encoded photo that a template was made of, for people to look at.

        Of several faces it is the one most like the template. Raises as `template` does.
        """
        photo = self._decoder.decode(data)
        faces = self._detector.detect(photo.pixels)
        if not faces:
            raise NoFace("No face was found in the photo.")

        def likeness(face: Face) -> float:
            crop = align(photo.pixels, face.landmarks, self._crop)
            return float(self._embedder.embed(crop) @ template)

        face = max(faces, key=likeness) if len(faces) > 1 else faces[0]
        return portrait(photo.pixels, face.landmarks)

    def unjudged(self, data: bytes) -> Vector:
        """The vector of the largest face in an encoded photo, whatever its quality."""
        photo = self._decoder.decode(data)
        face = choose(self._detector.detect(photo.pixels), "largest", photo.pixels.shape[:2])
        return self._embedder.embed(align(photo.pixels, face.landmarks, self._crop))

    def _made(self, photo: Photo, choice: Choice) -> tuple[Template, Face]:
        faces = self._detector.detect(photo.pixels)
        face = choose(faces, choice, photo.pixels.shape[:2])
        crop = align(photo.pixels, face.landmarks)  # the measures mean the same for all models
        others = [other for other in faces if other is not face]
        measured = quality.assess(face, others, photo.pixels, crop)
        judged = quality.judge(measured, self._floors)
        quality.enforce(judged)
        if self._crop != ARCFACE:
            crop = align(photo.pixels, face.landmarks, self._crop)
        return Template(self._embedder.embed(crop), self.fingerprint, judged), face

    def close(self) -> None:
        """End the decoder's child process."""
        self._decoder.close()

    def __enter__(self) -> FacePipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def choose(faces: list[Face], choice: Choice, shape: tuple[int, ...]) -> Face:
    """The face that is meant in a photo of this (height, width); NoFace or SeveralFaces if none."""
    if not faces:
        raise NoFace("No face was found in the photo.")
    candidates = prominent(faces)
    if choice == "largest" or (choice == "single" and len(candidates) == 1):
        return candidates[0]
    if choice == "central":
        middle = (shape[1] / 2, shape[0] / 2)
        return min(candidates, key=lambda face: math.dist(face.centre, middle))
    from_left = sorted(faces, key=lambda face: face.box[0])
    if choice == "single":
        listed = ", ".join(
            f"{number} ({face.size:.0f} px)" for number, face in enumerate(from_left, start=1)
        )
        raise SeveralFaces(
            f"The photo shows {len(from_left)} faces; from left to right: {listed}.",
            hint="Choose one with --face N, or the largest with --largest.",
        )
    number = int(choice)
    if not 1 <= number <= len(from_left):
        raise NoFace(
            f"There is no face {number}: the photo shows {len(from_left)}.",
            hint=f"Choose --face 1 to --face {len(from_left)}.",
        )
    return from_left[number - 1]


def fingerprint(embedder: str = EMBEDDER, folders: Sequence[Path] = ()) -> str:
    """What makes templates comparable: weights, alignment, colour order and normalisation.

    SHA-256 (hex) over the catalogue's values; two galleries compare only if it is equal. Raises
    WeightsWrong for a model without a known hash that is not pinned in the first of the folders.
    """
    model = resolved(embedder, folders)
    hashes = [
        weights.expected(one)[0]
        for one in (weights.named(DETECTOR), model, *_parts(embedder, folders))
    ]
    parts = (
        *hashes, model.alignment, model.colour_order, model.normalisation, "pipeline-1",
    )  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _parts(embedder: str, folders: Sequence[Path]) -> list[weights.Model]:
    return [resolved(name, folders) for name in weights.named(embedder).parts]
