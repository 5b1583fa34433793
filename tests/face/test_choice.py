"""Which face of a photo is meant."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.errors import NoFace, SeveralFaces
from fr_cli.face.detection import Face
from fr_cli.face.pipeline import Choice, choose

SHAPE = (400, 600)


def face(x: float, side: float) -> Face:
    return Face((x, 100, side, side), np.zeros((5, 2)), 0.9)


LEFT, MIDDLE, RIGHT = face(0, 120), face(250, 100), face(500, 60)
LARGEST_FIRST = [LEFT, MIDDLE, RIGHT]


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [("largest", LEFT), ("central", MIDDLE), (1, LEFT), (2, MIDDLE), (3, RIGHT)],
)
def test_the_face_that_was_chosen(choice: Choice, chosen: Face) -> None:
    assert choose(LARGEST_FIRST, choice, SHAPE) is chosen


def test_several_faces_are_refused_with_their_numbers() -> None:
    with pytest.raises(SeveralFaces, match=r"1 \(120 px\), 2 \(100 px\), 3 \(60 px\)") as caught:
        choose(LARGEST_FIRST, "single", SHAPE)
    assert "--face" in caught.value.hint


def test_a_small_face_in_the_background_does_not_make_several() -> None:
    assert choose([LEFT, face(300, 50)], "single", SHAPE) is LEFT


def test_the_middle_counts_only_among_faces_of_similar_size() -> None:
    assert choose([LEFT, face(275, 50)], "central", SHAPE) is LEFT


@pytest.mark.parametrize("choice", ["single", "largest", "central", 1])
def test_no_face(choice: Choice) -> None:
    with pytest.raises(NoFace):
        choose([], choice, SHAPE)


def test_a_number_that_is_not_there() -> None:
    with pytest.raises(NoFace, match="no face 4"):
        choose(LARGEST_FIRST, 4, SHAPE)
