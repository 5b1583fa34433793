"""A search finds what an exhaustive comparison in double precision finds, by either engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fr_cli.errors import GalleryMissing
from fr_cli.gallery import gallery as gallery_module
from fr_cli.records import Hit

from .conftest import House, Vector, clustered, near, one_each, purge, quick_folder, store, vectors


def brute(people: list[tuple[str, str, Vector]], probe: Vector) -> list[tuple[str, str, float]]:
    """(subject, its best reference, cosine) in falling order, in float64."""
    best: dict[str, tuple[str, float]] = {}
    for subject, reference, vector in people:
        cosine = float(vector.astype(np.float64) @ probe.astype(np.float64))
        if subject not in best or cosine > best[subject][1]:
            best[subject] = (reference, cosine)
    ranked = sorted(best.items(), key=lambda item: -item[1][1])
    return [(subject, reference, cosine) for subject, (reference, cosine) in ranked]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_search_gives_what_comparing_with_everybody_gives(draw: st.DataObject) -> None:
    """Through generations, references beside them, replaced and purged ones, and watchlists."""
    count = draw.draw(st.integers(1, 30), "references")
    subjects = draw.draw(st.lists(st.integers(0, 9), min_size=count, max_size=count), "subjects")
    lists = draw.draw(st.lists(st.sampled_from(["", "w"]), min_size=count, max_size=count), "lists")
    cut = draw.draw(st.integers(0, count), "cut")
    seed = draw.draw(st.integers(0, 2**20), "seed")
    rows = [
        (f"s{subject}", f"r{index}", vector)
        for index, (subject, vector) in enumerate(
            zip(subjects, vectors(count, seed, 8), strict=True)
        )
    ]
    with quick_folder() as folder:
        house = House(folder / "home")
        with house.open(create=True) as gallery, gallery.writing():
            for index, row in enumerate(rows):
                if index == cut:
                    gallery.rebuild()
                store(gallery, row, watchlist=lists[index])
            replaced = draw.draw(st.sampled_from(range(count)), "replaced")
            subject, name, _ = rows[replaced]
            rows[replaced] = (subject, name, vectors(1, seed + 1, 8)[0])
            lists[replaced] = ""
            store(gallery, rows[replaced])
            if draw.draw(st.booleans(), "purge"):
                gone = rows[0][0]
                purge(gallery, gone)
                keep = [index for index, row in enumerate(rows) if row[0] != gone]
                rows, lists = [rows[i] for i in keep], [lists[i] for i in keep]
        probe = vectors(1, seed + 2, 8)[0]
        top = draw.draw(st.integers(1, 12), "count")
        with house.open() as gallery:
            for watchlist in (None, "w"):
                names = () if watchlist is None else (watchlist,)
                among = [r for r, w in zip(rows, lists, strict=True) if watchlist in (None, w)]
                if not among:
                    with pytest.raises(GalleryMissing):
                        gallery.search(probe, count=top, watchlists=names)
                    continue
                hits, compared = gallery.search(probe, count=top, watchlists=names)
                wanted = brute(among, probe)[:top]
                assert [(h.subject_id, h.reference_id) for h in hits] == [w[:2] for w in wanted]
                assert np.allclose([h.cosine for h in hits], [w[2] for w in wanted], atol=1e-6)
                assert compared.references == len(among)
                assert compared.subjects == len({row[0] for row in among})


def test_many_references_of_one_subject_are_one_candidate_and_hide_nobody(house: House) -> None:
    # 60 photos of one person, all nearer to the probe than anybody else's.
    person, others = vectors(1)[0], vectors(5, 7)
    many = [("one", f"r{i}", near(person, i, 0.99)) for i in range(60)]
    house.enrol(*many, *one_each(others))
    house.rebuild()
    found = house.found(person, 6)
    assert found[0] == "one"
    assert sorted(found) == ["one", "s0", "s1", "s2", "s3", "s4"]


def test_a_watchlist_is_applied_before_the_best_are_taken(house: House) -> None:
    probe = vectors(1)[0]
    house.enrol(*[(f"near{i}", "r", near(probe, i, 0.95)) for i in range(50)])
    house.enrol(("listed", "r", near(probe, 99, 0.2)), watchlist="w")
    house.rebuild()
    assert "listed" not in house.found(probe, 3)
    assert house.found(probe, 3, "w") == ["listed"]
    with house.open() as gallery:
        assert gallery.search(probe, count=3, watchlists=("w",))[1].references == 1


def test_an_unknown_watchlist_and_an_empty_gallery_are_said_and_not_answered(house: House) -> None:
    house.enrol(*one_each(vectors(2)))
    with pytest.raises(GalleryMissing, match="'w'"):
        house.found(vectors(1)[0], watchlist="w")
    for subject in ("s0", "s1"):
        house.purge(subject)
    with pytest.raises(GalleryMissing):
        house.found(vectors(1)[0])
    house.enrol(("again", "r", vectors(1)[0]))
    assert house.found(vectors(1)[0]) == ["again"]


def test_a_home_without_a_gallery_is_said(house: House) -> None:
    with pytest.raises(GalleryMissing):
        house.open()


def test_a_replaced_reference_is_not_found_any_more(house: House) -> None:
    old, new = vectors(2)
    house.enrol(("s", "r", old), ("t", "r", vectors(1, 5)[0]))
    house.rebuild()
    house.enrol(("s", "r", new))
    for _ in range(2):
        with house.open() as gallery:
            (best, *_), compared = gallery.search(new, count=2)
            assert (best.subject_id, compared.references) == ("s", 2)
            assert best.cosine > 0.999
            assert gallery.search(old, count=1)[0][0].cosine < 0.999
        house.rebuild()


# -- the approximate index -------------------------------------------------------------------


@pytest.fixture
def large(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[House, NDArray[np.float32]]:
    """A gallery that has an index, because the bound is lowered."""
    monkeypatch.setattr(gallery_module, "EXACT_UP_TO", 10)
    data = clustered(people=100)
    templates = np.asarray(data.vectors)
    house.enrol(
        *[
            (f"s{subject}", f"r{pk}", vector)
            for subject, pk, vector in zip(data.subjects, data.pks, templates, strict=True)
        ]
    )
    house.rebuild()
    return house, templates


def test_both_engines_give_the_same_candidates_and_the_same_scores_bit_for_bit(
    large: tuple[House, NDArray[np.float32]],
) -> None:
    house, rows = large
    engines = set()
    for row in range(0, len(rows), 29):
        probe = near(rows[row], row, 0.8)
        answers: list[list[Hit]] = []
        with house.open() as gallery:
            for engine in ("exact", "annoy"):
                hits, compared = gallery.search(probe, count=9, engine=engine)
                engines.add(compared.engine)
                answers.append(hits)
                assert compared.references == len(rows)
        alike = [[hit for hit in hits if hit.cosine > 0.45] for hits in answers]
        assert alike[0]
        assert alike[0] == alike[1]  # the cosines too, bit for bit
    assert engines == {"exact", "annoy"}


def test_a_score_does_not_depend_on_how_many_are_asked_for(
    large: tuple[House, NDArray[np.float32]],
) -> None:
    house, rows = large
    probe = near(rows[4], 4, 0.8)
    with house.open() as gallery:
        scores = {
            gallery.search(probe, count=count, engine=engine)[0][0].cosine
            for count in (1, 2, 7, 99, 300)
            for engine in ("exact", "annoy")
        }
    assert len(scores) == 1


def test_who_is_enrolled_beside_the_index_is_found_and_who_is_purged_is_not(
    large: tuple[House, NDArray[np.float32]],
) -> None:
    house, rows = large
    new = vectors(1, 77, rows.shape[1])[0]
    house.enrol(("new", "r", new))
    assert house.found(new, 1, engine="annoy") == ["new"]
    assert house.found(rows[0], 1, engine="annoy") == ["s0"]
    house.purge("s0")
    for engine in ("annoy", "exact"):
        assert "s0" not in house.found(rows[0], 200, engine=engine)
        assert house.found(rows[3], 1, engine=engine) == ["s1"]
