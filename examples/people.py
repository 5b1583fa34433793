"""How alike are people who do not exist? Photo to template with the library, and scores.

    python examples/people.py [PERSON …]

Enrols the studio portrait of each of the ten made-up people of `openpeople`, takes every face of
their other photos (a selfie, 16 emotions on one sheet, a sheet of profiles, two full-length
pictures) as a probe, and prints the scores within and between persons for each kind of photo.
Nothing is stored: there is no home, no gallery and no log.
"""

import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from statistics import median

import openpeople

from fr_cli.decision.document import calibration_from_dict
from fr_cli.errors import NoFace, QualityTooLow
from fr_cli.face.photo import decode_photo
from fr_cli.face.pipeline import FacePipeline
from fr_cli.records import Template

PEOPLE = Path(openpeople.__file__).parent / "data" / "curated"
KINDS = (
    "amateur_selfie", "emotions_sheet", "character_sheet", "studio_posture", "amateur_posture",
)  # fmt: skip


def faces(pipeline: FacePipeline, path: Path) -> Iterator[Template | None]:
    """A template of each face of a photo, from the left; None for one below the quality floor."""
    photo, number = decode_photo(path.read_bytes()), 1
    while True:
        try:
            yield pipeline.template_of(photo, number)  # what `--face N` does
        except QualityTooLow:
            yield None
        except NoFace:
            return
        number += 1


def main(people: list[str]) -> None:
    """Print one line for each kind of photo, within and between persons."""
    file = resources.files("fr_cli.decision") / "shipped" / "sface-yunet.json"
    calibration = calibration_from_dict(json.loads(file.read_text()))
    print(f"{'photo':16} {'faces':>5} {'small':>5}  {'pairs':9} {'n':>4}  min  median  max  ≥ 0.60")
    with FacePipeline.load() as pipeline:
        portraits = {
            who: pipeline.template((PEOPLE / who / "assets" / "studio_portrait.jpg").read_bytes())
            for who in people
        }
        for kind in KINDS:
            within, between, found, small = [], [], 0, 0
            for who in people:
                for face in faces(pipeline, PEOPLE / who / "assets" / f"{kind}.jpg"):
                    found, small = found + 1, small + (face is None)
                    if face is None:
                        continue
                    for other, portrait in portraits.items():
                        score = calibration.score(float(face.vector @ portrait.vector))
                        (within if other == who else between).append(score)
            print(f"{kind:16} {found:5} {small:5}  " + row("within", within))
            print(f"{'':16} {'':5} {'':5}  " + row("between", between))


def row(name: str, scores: list[float]) -> str:
    """Least, median and highest score, and how many reach 0.60."""
    if not scores:
        return f"{name:9}    0"
    reach = sum(score >= 0.60 for score in scores)
    low, middle, high = min(scores), median(scores), max(scores)
    return f"{name:9} {len(scores):4} {low:4.2f} {middle:6.2f} {high:5.2f} {reach:6}"


if __name__ == "__main__":
    main(sys.argv[1:] or sorted(path.name for path in PEOPLE.iterdir()))
