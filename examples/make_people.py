"""Make further people who do not exist, for load tests: as many as the disk holds.

    pip install --no-deps random-face && pip install openvino
    python examples/make_people.py FOLDER [--people 100] [--photos 3] [--seed 1]

Writes FOLDER/M00001/portrait.jpg, to enrol, street-1.jpg and so on (other pictures of the same
person, as a street gives them: turned, dark, blurred, pressed), and FOLDER/labels.csv for
`fr evaluate`, in which one person of five is a stranger. Under a CPU second a picture.

The pictures are not part of this project and must not become so: see README.md. Figures made with
them say nothing about real people.
"""

import argparse
import csv
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

#: Strength of a variation, in units of √3 deviations of the style's axes, found by trying: less is
#: the same picture, more another person.
LEAST, MOST, UNIT = 0.25, 0.35, 1.73
SIDE = 512


class Generator:
    """MobileStyleGAN of the package random-face: noise → style → picture."""

    def __init__(self, seed: int) -> None:
        import openvino

        package = find_spec("random_face")
        if package is None or package.origin is None:
            raise ImportError("random_face")
        folder, core = Path(package.origin).parent / "data", openvino.Core()
        self._style = core.compile_model(folder / "MappingNetwork.xml", "CPU")
        self._picture = core.compile_model(folder / "SynthesisNetwork.xml", "CPU")
        self.random = np.random.default_rng(seed)
        self._deviation = np.std([self.person() for _ in range(1000)], axis=0)

    def person(self) -> np.ndarray:
        """The style of a new person, shape (1, 512); towards the mean all would look alike."""
        return self._style(self.random.normal(size=(1, 512)).astype(np.float32))[0]

    def varied(self, style: np.ndarray) -> np.ndarray:
        """The same person in another picture."""
        strength = self.random.uniform(LEAST, MOST) * UNIT
        return style + strength * self._deviation * self.random.normal(size=style.shape)

    def picture(self, style: np.ndarray) -> np.ndarray:
        """BGR, shape (SIDE, SIDE, 3)."""
        made = self._picture(style.astype(np.float32))[0][0].transpose(1, 2, 0)
        pixels = np.clip((made + 1) * 127.5, 0, 255).astype(np.uint8)[..., ::-1]
        return cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    def street(self, pixels: np.ndarray) -> bytes:
        """The picture as a phone at night takes it: turned, dim, blurred, small; as a JPEG."""
        turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), self.random.uniform(-15, 15), 1)
        pixels = cv2.warpAffine(pixels, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        lit = pixels * self.random.uniform(0.45, 1.15) + self.random.uniform(-10, 15)
        pixels = np.clip(lit + self.random.normal(0, 4, lit.shape), 0, 255).astype(np.uint8)
        pixels = cv2.GaussianBlur(pixels, (0, 0), self.random.uniform(0.5, 2.0))
        return jpeg(pixels, int(self.random.integers(45, 85)))


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    """An encoded picture."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--photos", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        generator = Generator(options.seed)
    except ImportError as missing:
        sys.exit(f"{missing.name or missing} is not installed: see the first lines of this file.")
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "subject_id", "role"))
        for number in range(1, options.people + 1):
            name, style = f"M{number:05}", generator.person()
            (options.folder / name).mkdir(exist_ok=True)
            for photo in range(options.photos):
                kind = f"street-{photo}" if photo else "portrait"
                shown = generator.picture(generator.varied(style) if photo else style)
                data = generator.street(shown) if photo else jpeg(shown, 92)
                (options.folder / name / f"{kind}.jpg").write_bytes(data)
                if photo or number % 5:  # every fifth is a stranger: no reference
                    table.writerow((f"{name}/{kind}.jpg", name, "probe" if photo else "reference"))
            print(f"\r{number} of {options.people}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


if __name__ == "__main__":
    main()
