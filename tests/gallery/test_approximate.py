"""The approximate engine: what its index holds, what effort it was given, and what it finds."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fr_cli.gallery import approximate
from fr_cli.gallery.approximate import RECALL_TARGET, Annoy, hard_case, load_annoy, with_index
from fr_cli.gallery.exact import Exact
from fr_cli.gallery.generation import Packed
from fr_cli.gallery.search import engine_for

from .conftest import Vector, clustered, near, unit, vectors


@pytest.fixture(scope="module")
def indexed() -> Packed:
    return with_index(clustered())


def templates(packed: Packed) -> Vector:
    return np.asarray(packed.vectors)


def test_the_index_finds_what_the_scan_finds(indexed: Packed) -> None:
    random = np.random.default_rng(3)
    annoy, exact = Annoy(indexed), Exact(indexed)
    rows = templates(indexed)
    for row in random.choice(len(indexed.pks), 40, replace=False):
        probe = near(rows[row], int(row), 0.7)
        best = int(np.argmax(rows.astype(np.float64) @ probe))
        assert best in exact.nearest(probe, 1, None)
        assert best in annoy.nearest(probe, 20, None)


def test_a_filtered_search_of_the_index_is_exact(indexed: Packed) -> None:
    allowed = np.zeros(len(indexed.pks), bool)
    allowed[[5, 700]] = True
    rows = Annoy(indexed).nearest(templates(indexed)[0], 1, allowed)
    cosines = templates(indexed)[[5, 700]] @ templates(indexed)[0]
    assert rows.tolist() == [[5, 700][int(np.argmax(cosines))]]


def test_the_same_templates_give_the_same_index_byte_for_byte(indexed: Packed) -> None:
    again = with_index(Packed(indexed.pks, indexed.subjects, indexed.vectors))
    assert (again.annoy, again.search_k) == (indexed.annoy, indexed.search_k)


def test_an_index_loaded_from_memory_leaves_no_handle_behind(indexed: Packed) -> None:
    before = len(os.listdir("/proc/self/fd"))
    index = load_annoy(indexed.annoy, indexed.vectors.shape[1])
    assert index.get_n_items() == len(indexed.pks)
    del index
    assert len(os.listdir("/proc/self/fd")) == before


def test_auto_takes_the_index_where_there_is_one(indexed: Packed) -> None:
    assert engine_for(indexed).name == "annoy"
    assert engine_for(indexed, "exact").name == "exact"
    plain = Packed(indexed.pks, indexed.subjects, indexed.vectors)
    assert {engine_for(plain, wanted).name for wanted in ("auto", "annoy", "exact")} == {"exact"}


def test_one_generation_is_loaded_once_and_leaves_memory_with_it(
    indexed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load(data: bytes, dimension: int) -> object:
        loaded.append(len(data))
        return load_annoy(data, dimension)

    monkeypatch.setattr(approximate, "load_annoy", load)
    held, before = replace(indexed), _mappings()
    for _ in range(3):
        engine_for(held).nearest(templates(held)[0], 1, None)
    assert len(loaded) == 1
    assert _mappings() == before + 1
    del held
    gc.collect()
    assert _mappings() == before


def _mappings() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:fr-annoy")


def test_the_hard_case_is_as_unlike_as_the_nearest_stranger_of_one_in_ten() -> None:
    data = clustered()
    probes, mates = hard_case(templates(data), data.subjects)
    alike = templates(data).astype(np.float64) @ templates(data)[mates].astype(np.float64).T
    alike[data.subjects[:, None] == data.subjects[mates]] = -1  # each has two more of their own
    wanted = np.quantile(alike.max(axis=0), 0.9)
    assert len(set(mates.tolist())) == len(mates) == 1000
    assert np.allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)
    assert np.allclose(np.sum(probes * templates(data)[mates], axis=1), wanted, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_gallery_of_any_size_has_a_hard_case_and_an_index(count: int) -> None:
    rows = np.arange(count)
    packed = with_index(Packed(rows, rows, vectors(count)))
    assert len(hard_case(templates(packed), packed.subjects)[0]) == count
    asked = engine_for(replace(packed, search_k=10**6))
    found = asked.nearest(templates(packed)[0], 50, None)
    assert sorted(found.tolist()) == rows.tolist()


def test_the_effort_is_the_least_of_its_steps_that_reaches_the_target() -> None:
    # 100 numbers and no likeness between people: the case that is hardest for trees.
    people = vectors(6000, 5, 100)
    rows = np.arange(len(people))
    packed = with_index(Packed(rows, rows, people))
    probes, mates = hard_case(templates(packed), packed.subjects)

    def recall(effort: int) -> float:
        asked = Annoy(replace(packed, search_k=effort))
        found = [asked.nearest(probe, 50, None) for probe in probes]
        return float(np.mean([mate in rows for mate, rows in zip(mates, found, strict=True)]))

    assert packed.search_k > 216 * approximate.TREES
    assert recall(packed.search_k) >= RECALL_TARGET > recall(packed.search_k * 2 // 3)


def test_many_references_of_a_few_people_do_not_fill_the_shortlist() -> None:
    person, others = vectors(1)[0], vectors(80, 7)
    many: Vector = unit(np.stack([near(person, seed, 0.99) for seed in range(300)]))
    rows = np.concatenate([many, others])
    subjects = np.concatenate([np.zeros(300, np.int64), np.arange(1, 81)])
    packed = with_index(Packed(np.arange(len(rows)), subjects, rows))
    found = Annoy(replace(packed, search_k=10**6)).nearest(person, 20, None)
    assert len(set(subjects[found].tolist())) >= 20
