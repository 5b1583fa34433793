"""What the exact engine leaves out can be nobody's candidate, whatever the templates are like."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import simsimd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fr_cli.gallery import exact
from fr_cli.gallery.codes import Codes
from fr_cli.gallery.exact import Exact
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.view import View

from .conftest import Vector, near, unit, vectors

DIMENSIONS = (1, 3, 128, 512)


Random = np.random.Generator


def level(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    """At a cosine of 0.6 to `base`, but for less than codes can tell apart."""
    noise = random.standard_normal(shape)
    noise -= (noise @ base)[:, None] * base
    noise /= np.linalg.norm(noise, axis=1, keepdims=True) + 1e-30
    cosines = 0.6 + 1e-4 * random.standard_normal((shape[0], 1))
    return unit(cosines * base + (1 - cosines**2) ** 0.5 * noise)


def one_hot(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    rows = np.zeros(shape, np.float32)
    places = random.integers(0, shape[1], shape[0])
    rows[np.arange(shape[0]), places] = random.choice([-1, 1], shape[0])
    return rows


def equal(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    return np.repeat(base[None], shape[0], axis=0)


def duplicates(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    """All but equal: cosines that differ in the last bits of float32, or not at all."""
    return unit(base + 1e-7 * random.standard_normal(shape))


def halfway(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    """Components that rounding hits hardest: half a step from a code, in one direction."""
    rows = random.integers(-126, 126, shape) + 0.4999
    rows[:, 0] = 127
    return unit(rows)


def tiny(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    """One component and dust, down to the smallest numbers that float32 has."""
    rows = 10.0 ** random.uniform(-46, -2, shape)
    rows[np.arange(shape[0]), random.integers(0, shape[1], shape[0])] = 1
    return unit(rows)


def alike(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    return unit(base + 0.1 * random.standard_normal(shape) / shape[1] ** 0.5)


def plain(random: Random, shape: tuple[int, int], base: Vector) -> Vector:
    return unit(random.standard_normal(shape))


KINDS = (level, one_hot, equal, duplicates, halfway, tiny, alike, plain)


@st.composite
def galleries(draw: st.DrawFn) -> tuple[Packed, Vector, NDArray[np.bool_] | None]:
    """Rows of a kind or of two, whose they are, a probe, and which rows are allowed."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    dimension, count = draw(st.sampled_from(DIMENSIONS)), draw(st.integers(0, 60))
    base = plain(random, (1, dimension), np.empty(0, np.float32))[0]
    kinds = [draw(st.sampled_from(KINDS)) for _ in range(2)]
    rows = np.concatenate([kind(random, (count, dimension), base) for kind in kinds])
    rows = rows[random.permutation(len(rows))[:count]]
    probe = draw(st.sampled_from([equal, *KINDS]))(random, (1, dimension), base)[0]
    if count and draw(st.booleans()):
        probe = rows[0]
    people = draw(st.integers(1, 60))
    packed = Packed(
        random.permutation(count).astype(np.int64), random.integers(0, people, count), rows
    )
    allowed = random.random(count) < draw(st.sampled_from([0.0, 0.1, 0.7]))
    return packed, probe, draw(st.sampled_from([None, allowed]))


def brute(
    packed: Packed, probe: Vector, allowed: NDArray[np.bool_] | None, count: int
) -> list[tuple[int, float]]:
    """The best reference of each of the most alike subjects, in double precision; ties by pk."""
    best: dict[int, tuple[int, float]] = {}
    cosines = np.vecdot(np.asarray(packed.vectors, np.float64), probe.astype(np.float64))
    for row in np.lexsort((packed.pks, -cosines)):
        if allowed is None or allowed[row]:
            best.setdefault(int(packed.subjects[row]), (int(packed.pks[row]), float(cosines[row])))
    return list(best.values())[:count]


@settings(max_examples=400, deadline=None)
@given(galleries(), st.one_of(st.integers(1, 4), st.integers(1, 70)), st.integers(1, 40))
def test_the_ranking_is_that_of_double_precision(
    asked: tuple[Packed, Vector, NDArray[np.bool_] | None], count: int, step: int
) -> None:
    packed, probe, allowed = asked
    nobody = packed.keep(np.zeros(len(packed.pks), bool))
    before = exact._FIRST, exact._LONGEST
    exact._FIRST, exact._LONGEST = step, 2 * step
    try:
        found, name = View(1, packed, nobody, allowed).nearest(probe, count, "exact")
    finally:
        exact._FIRST, exact._LONGEST = before
    assert name == "exact"
    assert found == brute(packed, probe, allowed, count)  # the cosines too, bit for bit


@settings(max_examples=300, deadline=None)
@given(galleries())
def test_no_cosine_is_further_from_that_of_the_codes_than_their_bound(
    asked: tuple[Packed, Vector, NDArray[np.bool_] | None],
) -> None:
    packed, probe, _ = asked
    rows = np.asarray(packed.vectors)
    codes, other = Codes.of(rows), Codes.of(probe[None])
    assert codes.values.min(initial=0) >= -127
    coded = codes.values.astype(np.float64) * codes.scales.astype(np.float64)[:, None]
    asked_for = other.values[0].astype(np.float64) * float(other.scales[0])
    wrong = np.abs(rows.astype(np.float64) @ probe.astype(np.float64) - coded @ asked_for)
    bound = float(other.errors[0]) * np.linalg.norm(rows.astype(np.float64), axis=1)
    bound += codes.errors * np.linalg.norm(asked_for)
    assert np.all(wrong <= bound + 1e-15)


def test_who_is_nearest_is_found_where_all_that_rounding_does_speaks_against_it() -> None:
    """Errors of one sign in every component, in the probe and in the row: the bound is reached."""
    flat = np.ones(128)
    nearer, other = np.full(128, 50.4999), np.full(128, 50.0)
    nearer[0] = other[0] = 127
    quarter, probe = np.arange(128) < 32, np.full(128, 42.4999)
    probe[quarter] = 127
    for rows, asked in (((nearer, other), flat), ((flat, quarter), probe)):
        some, wanted = unit(np.stack(rows)), unit(asked)
        codes, code = Codes.of(some), Codes.of(wanted[None])
        coded = codes.scales * (codes.values.astype(int) @ code.values[0].astype(int))
        assert coded[1] > coded[0]  # so the codes alone would mislead
        assert np.argmax(some @ wanted) == 0
        packed = Packed(np.arange(2), np.arange(2), some)
        assert 0 in Exact(packed).nearest(wanted, 1, None)


def test_many_rows_of_few_subjects_hide_nobody_behind_those_beside_the_generation() -> None:
    # 300 photos of one person fill every shortlist; two others are beside the generation.
    probe = vectors(1, 0, 128)[0]
    rows = np.stack([near(probe, seed, 0.9) for seed in range(300)] + [near(probe, 999, 0.5)])
    packed = Packed(np.arange(301), np.array([0] * 300 + [1]), rows)
    side = Packed(np.array([900, 901]), np.array([2, 3]), vectors(2, 5, 128))
    (_, second, *_), _ = View(1, packed, side).nearest(probe, 3, "exact")
    assert second[0] == 300


def test_a_search_takes_no_reference_away_from_none() -> None:
    """As simsimd's cdist does where it is given the memory for its result."""
    engine = Exact(Packed(np.arange(9), np.arange(9), vectors(9)))
    probe = vectors(1, 1)[0]
    engine.nearest(probe, 3, None)
    before = sys.getrefcount(None)
    for _ in range(500):
        engine.nearest(probe, 3, None)
    assert abs(sys.getrefcount(None) - before) < 100


@pytest.mark.parametrize("dimension", [1, 3, 31, 64, 65, 127, 128, 129, 512, 4096])
@pytest.mark.parametrize("extreme", [False, True])
def test_the_products_of_codes_are_exact_on_every_kind_of_processor(
    dimension: int, extreme: bool
) -> None:
    random = np.random.default_rng(dimension)
    rows = random.integers(-127, 128, (70, dimension), np.int8)
    probe = random.integers(-127, 128, (1, dimension), np.int8)
    if extreme:
        rows[:35], rows[35:], probe[:] = 127, -127, -127
    wanted = rows.astype(np.int64) @ probe[0].astype(np.int64)
    kinds = [name for name, there in simsimd.get_capabilities().items() if there]
    off: list[str] = []
    try:
        # From the newest to the oldest: what is left is what an older processor would run.
        for kind in [None, *reversed(kinds)]:
            if kind is not None and kind != "serial":
                simsimd.disable_capability(kind)
                off.append(kind)
            found = np.asarray(simsimd.cdist(rows, probe, "dot", out_dtype="float64"))[:, 0]
            assert np.array_equal(found, wanted), off
    finally:
        for kind in off:
            simsimd.enable_capability(kind)
