"""Write a manifest for `fr evaluate` from the folders of Labeled Faces in the Wild.

    python examples/lay_out_lfw.py lfw-deepfunneled lfw-half.csv

Takes half of the people, chosen by a hash of the name so that the other half stays unseen, and at
most four photos of each. The first photo is the reference, the others are mated probes. A person
with one photo is, by another bit of the hash, a further reference or a non-mated probe.
"""

import csv
import hashlib
import sys
from pathlib import Path

MOST = 4


def lay_out(lfw: Path, manifest: Path) -> None:
    """One line a photo: image, subject_id, role."""
    with manifest.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "subject_id", "role"))
        for person in sorted(path for path in lfw.iterdir() if path.is_dir()):
            half, role = hashlib.sha256(person.name.encode()).digest()[:2]
            if half & 1:
                continue
            photos = sorted(person.glob("*.jpg"))[:MOST]
            stranger = len(photos) == 1 and not role & 1
            for number, photo in enumerate(photos):
                reference = number == 0 and not stranger
                table.writerow(
                    (photo.resolve(), person.name, "reference" if reference else "probe")
                )


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), Path(sys.argv[2]))
