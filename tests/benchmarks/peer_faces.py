"""Which face of a photo is meant, the same for every peer; needs nothing but Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Left, top, right, bottom, px.
Box = tuple[float, float, float, float]
#: As `fr_cli.face.detection.prominent`: what is smaller beside the largest is a bystander.
BYSTANDER = 0.5


def central(boxes: Sequence[Box], height: int, width: int) -> int:
    """The place of the face nearest to the middle, of those not much smaller than the largest."""
    sizes = [math.sqrt(max(0.0, (box[2] - box[0]) * (box[3] - box[1]))) for box in boxes]
    meant = [place for place, size in enumerate(sizes) if size >= BYSTANDER * max(sizes)]

    def off(place: int) -> float:
        left, top, right, bottom = boxes[place]
        return math.dist(((left + right) / 2, (top + bottom) / 2), (width / 2, height / 2))

    return min(meant, key=off)
