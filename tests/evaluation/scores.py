"""A small list of scores of six people that is stored, and what anybody would compute from it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import BINS, Comparisons, ImpostorSample, MatedSample

FILE = Path(__file__).with_name("six-people.csv")
Floats = NDArray[np.float64]


def six_people() -> tuple[Floats, Floats]:
    """Mated and non-mated scores of the stored list."""
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    mated = [float(row["score"]) for row in rows if row["a"] == row["b"]]
    others = [float(row["score"]) for row in rows if row["a"] != row["b"]]
    return np.array(mated), np.array(others)


def compared(
    mated: Floats,
    whose: NDArray[np.int64],
    nonmated: Floats,
    pairs: NDArray[np.int64],
    people: int,
    images: int = 2,
) -> Comparisons:
    """Comparisons as the product holds them; every person has as many photographs."""
    order = np.argsort(-nonmated, kind="stable")
    places = np.clip(np.floor((nonmated + 1.0) * BINS / 2 + 1e-9).astype(int), 0, BINS - 1)
    return Comparisons(
        MatedSample(mated, whose),
        ImpostorSample(
            counts=np.bincount(places, minlength=BINS).astype(np.int64),
            cosines=nonmated[order],
            first=pairs[order, 0],
            second=pairs[order, 1],
            images=np.full(people, images, np.int64),
            excluded=np.empty((0, 2), np.int64),
        ),
    )


def stored() -> Comparisons:
    """The stored list as comparisons: two photographs of each of six people."""
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    same = [row for row in rows if row["a"] == row["b"]]
    other = [row for row in rows if row["a"] != row["b"]]
    return compared(
        np.array([float(row["score"]) for row in same]),
        np.array([int(row["a"]) for row in same]),
        np.array([float(row["score"]) for row in other]),
        np.array([(int(row["a"]), int(row["b"])) for row in other]),
        6,
    )


def simulated(
    people: int, each: int, seed: int, shared: float = 0.0, mean: float = 0.1
) -> Comparisons:
    """Gaussian scores in which each person brings a share of the variance; all pairs once.

    A non-mated score is mean + 0.1 · N(0, 1), of which `shared` is the two people's own; mated
    ones lie about 0.6 and half of their variance is the person's.
    """
    rng = np.random.default_rng(seed)
    own, i, j = rng.normal(size=people), *np.triu_indices(people, 1)
    noise = rng.normal(size=i.size)
    z = np.sqrt(shared / 2.0) * (own[i] + own[j]) + np.sqrt(1.0 - shared) * noise
    whose = np.repeat(np.arange(people), each)
    steady = rng.normal(size=people)[whose]
    mated = 0.6 + 0.1 * (steady + rng.normal(size=whose.size)) / np.sqrt(2.0)
    nonmated = np.clip(mean + 0.1 * z, -1.0, 1.0)
    return compared(mated, whose, nonmated, np.stack([i, j], axis=1), people, images=1)
