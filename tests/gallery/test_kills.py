"""Killed at random moments, again and again: nothing acknowledged is lost, nobody comes back."""

from __future__ import annotations

import os
import random
import threading

from .conftest import House, vectors
from .working import Worker, changes, wrong_with

#: How often; the whole proof is FR_KILLS=300.
KILLS = int(os.environ.get("FR_KILLS", "10"))


def test_a_gallery_outlives_its_writers(house: House) -> None:
    chance, templates = random.Random(0), vectors(12)
    house.enrol(("first", "r", vectors(1, seed=98)[0]))
    said: list[str] = []
    in_the_middle = 0
    for seed in range(KILLS):
        worker = Worker(house.site.home, changes(templates, seed))
        threading.Event().wait(chance.uniform(0.02, 0.2))  # sleep() is a stub in this room
        said += worker.kill()
        in_the_middle += bool(said) and said[-1].startswith("begin")
        assert wrong_with(house, said, templates) == []
    assert in_the_middle
