"""What each probe finds: six people by hand, and any people against a double loop."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.evaluation import protocol
from fr_cli.evaluation.listed import Listed, compare_lists, search_lists
from fr_cli.evaluation.protocol import (
    NO_RANK,
    leave_one_out,
    random_galleries,
    search_galleries,
)
from fr_cli.evaluation.rates import Probes, within_rank
from fr_cli.evaluation.repeated import repeated

Vector = Any


def unit(*degrees: float) -> list[Vector]:
    """Vectors of a plane: the cosine of two is that of the angle between them."""
    radians = np.radians(degrees)
    return list(np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32))


def cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


#: Six people; A and B have two references, F's only one could not be enrolled.
REFERENCES = unit(0, 20, 60, 80, 120, 150, 175)
OWNERS = ["A", "A", "B", "B", "C", "D", "E"]
#: A's probe lies near it, B's nearer to A, E's far off; F has no reference; X and Y are strangers.
PROBES = [*unit(5, 25, 100, 170), None, *unit(30, 130)]
ASKED = ["A", "B", "E", "F", "C", "X", "Y"]


def test_six_people_open_set_best() -> None:
    (found,) = search_galleries(np.stack(REFERENCES), OWNERS, PROBES, ASKED, [set("ABCDEF")])
    assert found.mated.tolist() == [True, True, True, True, True, False, False]
    assert found.acquired.tolist() == [True, True, True, True, False, True, True]
    used = found.acquired
    assert found.nonmate[used] == pytest.approx(
        [cos(55), cos(5), cos(20), cos(5), cos(10), cos(10)], abs=1e-6
    )
    assert found.mate[:3] == pytest.approx([cos(5), cos(35), cos(75)], abs=1e-6)
    # E's probe at 100: B (80) and C (120), then D (150), then E; A at 80 is behind it.
    assert found.rank[:4].tolist() == [1, 2, 4, NO_RANK]
    assert found.mate[3] == -np.inf


def test_six_people_mean() -> None:
    (found,) = search_galleries(
        np.stack(REFERENCES), OWNERS, PROBES, ASKED, [set("ABCDEF")], fusion="mean"
    )
    mean_a, mean_b = (cos(5) + cos(15)) / 2, (cos(55) + cos(75)) / 2
    assert found.mate[0] == pytest.approx(mean_a, abs=1e-6)
    assert found.nonmate[0] == pytest.approx(mean_b, abs=1e-6)
    assert found.nonmate[5] == pytest.approx((cos(30) + cos(10)) / 2, abs=1e-6)


def test_excluded_pairs_are_not_compared() -> None:
    (found,) = search_galleries(
        np.stack(REFERENCES), OWNERS, PROBES, ASKED, [set("ABCDEF")],
        excluded=[frozenset("AB"), frozenset("XA"), frozenset("AZ")],
    )  # fmt: skip
    assert found.nonmate[0] == pytest.approx(cos(115), abs=1e-6)  # C
    assert found.rank[1] == 1
    assert found.nonmate[5] == pytest.approx(cos(30), abs=1e-6)  # B


def test_leave_one_out_by_hand() -> None:
    templates = [*unit(0, 10, 90, 25), None, *unit(180)]
    found, photos = leave_one_out(templates, ["A", "A", "B", "C", "B", "D"])
    # Mated: A, A, B (whose other photo failed), B (failed); then everybody without their own.
    assert photos.tolist() == [0, 1, 2, 4, 0, 1, 2, 3, 4, 5]
    assert found.mated.tolist() == [True] * 4 + [False] * 6
    assert found.acquired.tolist() == [True, True, True, False] + [True] * 4 + [False, True]
    assert found.mate[:3] == pytest.approx([cos(10), cos(10), -np.inf], abs=1e-6)
    assert found.rank[:3].tolist() == [1, 1, NO_RANK]
    used = [4, 5, 6, 7, 9]
    assert found.nonmate[used] == pytest.approx(
        [cos(25), cos(15), cos(65), cos(15), cos(90)], abs=1e-6
    )


def test_random_galleries_are_drawn_alike_by_one_seed() -> None:
    people = {f"S{number}" for number in range(20)}
    draws = random_galleries(people, 5, 50, seed=3)
    assert draws == random_galleries(sorted(people), 5, 50, seed=3)
    assert draws != random_galleries(people, 5, 50, seed=4)
    assert all(len(draw) == 5 and draw <= people for draw in draws)
    assert set().union(*draws) == people
    for size, count in ((21, 1), (0, 1), (3, 0)):
        with pytest.raises(ValueError):
            random_galleries(people, size, count, 0)


def test_who_is_not_drawn_is_a_stranger() -> None:
    galleries = [{"A", "C"}, {"F"}]
    first, second = search_galleries(np.stack(REFERENCES), OWNERS, PROBES, ASKED, galleries)
    assert first.mated.tolist() == [True, False, False, False, True, False, False]
    assert first.nonmate[1] == pytest.approx(cos(5), abs=1e-6)
    assert first.nonmate[0] == pytest.approx(cos(115), abs=1e-6)
    assert second.mated.tolist() == [False] * 3 + [True] + [False] * 3
    assert np.isneginf(second.nonmate).all()
    assert second.rank[3] == NO_RANK


def test_the_spread_over_draws() -> None:
    draws = search_galleries(
        np.stack(REFERENCES), OWNERS, PROBES, ASKED, [{"A", "B"}, {"A", "C"}, {"B", "D"}]
    )
    summary = repeated(draws, cos(12), [0.5, 0.001])
    assert summary.galleries == 3
    assert summary.rank1 is not None
    assert summary.rank1.values == (0.5, 0.5, 1.0)
    assert summary.rank1.mean == pytest.approx(2 / 3)
    assert summary.rank1.sd == pytest.approx(math.sqrt(1 / 12))
    assert (summary.rank1.lowest, summary.rank1.highest) == (0.5, 1.0)
    assert summary.fpir_at_floor is not None
    # X (30) is within 12 degrees of A's 20; Y (130) of C's 120. B's probe (25) of A's 20.
    assert summary.fpir_at_floor.values == pytest.approx((1 / 5, 3 / 5, 0))
    half, tiny = summary.targets
    assert half.tpir is not None
    assert tiny.tpir is None
    assert repeated(draws, None, []).tpir_at_floor is None


@st.composite
def trials(draw: st.DrawFn) -> dict[str, Any]:
    def photos(least: int) -> tuple[list[Any], list[str]]:
        count = draw(st.integers(least, 12))
        owners = draw(st.lists(st.sampled_from("ABCDEF"), min_size=count, max_size=count))
        rng = np.random.default_rng(draw(st.integers(0, 10**6)))
        vectors = rng.standard_normal((count, 4)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        failed = draw(st.sets(st.integers(0, 11)))
        return [None if i in failed else v for i, v in enumerate(vectors)], owners

    references, owners = photos(1)
    probes, asked = photos(0)
    pairs = st.frozensets(st.sampled_from("ABCDEF"), min_size=2, max_size=2)
    return {
        "references": references,
        "owners": owners,
        "probes": probes,
        "asked": asked,
        "excluded": draw(st.sets(pairs, max_size=3)),
        "fusion": draw(st.sampled_from(["best", "mean"])),
        "gallery": draw(st.frozensets(st.sampled_from("ABCDEF"))),
    }


def by_loop(
    references: Sequence[Vector | None],
    owners: Sequence[str],
    probe: Vector,
    subject: str,
    excluded: Collection[frozenset[str]],
    fusion: str,
    gallery: Collection[str],
) -> dict[str, float]:
    """Each subject's score against a probe, one comparison at a time."""
    scores: dict[str, list[float]] = {}
    for reference, owner in zip(references, owners, strict=True):
        if reference is None or owner not in gallery or frozenset((owner, subject)) in excluded:
            continue
        scores.setdefault(owner, []).append(float(reference @ probe))
    return {
        owner: max(found) if fusion == "best" else sum(found) / len(found)
        for owner, found in scores.items()
    }


def same(found: Probes, row: int, scores: dict[str, float], subject: str) -> None:
    mate = scores.pop(subject, -math.inf)
    assert found.nonmate[row] == pytest.approx(max(scores.values(), default=-math.inf), abs=1e-6)
    if found.mated[row]:
        assert found.mate[row] == pytest.approx(mate, abs=1e-6)
        ahead = sum(score >= mate for score in scores.values())
        near = any(abs(score - mate) < 1e-6 for score in scores.values())
        assert found.rank[row] == (NO_RANK if mate == -math.inf else 1 + ahead) or near


@given(trials(), st.sampled_from([1, 4, 1024]))
def test_any_search_is_a_double_loop(trial: dict[str, Any], chunk: int) -> None:
    references, owners = trial["references"], trial["owners"]
    enrolled = [i for i, one in enumerate(references) if one is not None]
    if not enrolled:
        return
    gallery = trial["gallery"] & set(owners)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "_ROWS", chunk)
        (found,) = search_galleries(
            np.stack([references[i] for i in enrolled]), [owners[i] for i in enrolled],
            trial["probes"], trial["asked"], [gallery],
            excluded=trial["excluded"], fusion=trial["fusion"],
        )  # fmt: skip
    assert found.mated.tolist() == [name in gallery for name in trial["asked"]]
    for row, (probe, subject) in enumerate(zip(trial["probes"], trial["asked"], strict=True)):
        assert found.acquired[row] == (probe is not None)
        if probe is not None:
            loop = by_loop(
                references, owners, probe, subject, trial["excluded"], trial["fusion"], gallery
            )
            same(found, row, loop, subject)


@given(trials(), st.sampled_from([1, 3, 512]))
def test_any_leave_one_out_is_a_double_loop(trial: dict[str, Any], block: int) -> None:
    photos, owners = trial["references"], trial["owners"]
    if len({o for p, o in zip(photos, owners, strict=True) if p is not None}) < 2:
        with pytest.raises(ValueError):
            leave_one_out(photos, owners)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "_PROBES", block)
        patch.setattr(protocol, "_ROWS", 2 * block)
        found, which = leave_one_out(
            photos, owners, excluded=trial["excluded"], fusion=trial["fusion"]
        )
    several = [i for i in range(len(photos)) if owners.count(owners[i]) > 1]
    assert which.tolist() == several + list(range(len(photos)))
    for row, photo in enumerate(which.tolist()):
        assert found.mated[row] == (row < len(several))
        if photos[photo] is None:
            assert not found.acquired[row]
            continue
        others = [None if i == photo else one for i, one in enumerate(photos)]
        loop = by_loop(
            others, owners, photos[photo], owners[photo], trial["excluded"], trial["fusion"],
            set(owners),
        )  # fmt: skip
        same(found, row, loop, owners[photo])


@given(trials())
def test_a_list_of_the_same_scores_finds_the_same(trial: dict[str, Any]) -> None:
    references, owners = trial["references"], trial["owners"]
    pairs = [
        (i, j, float(probe @ reference))
        for i, probe in enumerate(trial["probes"])
        for j, reference in enumerate(references)
        if probe is not None and reference is not None
    ]
    if not pairs:
        return
    number = {name: place for place, name in enumerate("ABCDEF")}
    listed = Listed(
        np.array([probe for probe, _, _ in pairs], np.int64),
        np.array([reference for _, reference, _ in pairs], np.int64),
        np.array([score for _, _, score in pairs]),
        np.array([number[name] for name in trial["asked"]], np.int64),
        np.array([number[name] for name in owners], np.int64),
        np.array([one is not None for one in trial["probes"]]),
        np.array([one is not None for one in references]),
        np.full(len(trial["asked"]), -1), 6,
    )  # fmt: skip
    left_out = [(number[min(pair)], number[max(pair)]) for pair in trial["excluded"]]
    gallery = trial["gallery"] & set(owners)
    (found,) = search_lists(
        listed.without(left_out), [np.array([name in gallery for name in "ABCDEF"])],
        trial["fusion"],
    )  # fmt: skip
    for row, (probe, subject) in enumerate(zip(trial["probes"], trial["asked"], strict=True)):
        if probe is not None:
            loop = by_loop(
                references, owners, probe, subject, trial["excluded"], trial["fusion"], gallery
            )
            same(found, row, loop, subject)


def test_a_list_compared_one_to_one() -> None:
    listed = Listed(
        np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 2]),
        np.array([0.9, 0.7, 0.1, 0.4, 0.8]), np.array([0, 1]), np.array([0, 0, 1]),
        np.array([True, True]), np.array([True] * 3), np.array([-1, -1]), 3,
    )  # fmt: skip
    best = compare_lists(listed, "best")
    assert sorted(best.mated.cosines) == [0.7, 0.8, 0.9]
    assert sorted(best.mated.subjects) == [0, 0, 1]
    assert best.nonmated.cosines.tolist() == [0.4, 0.1]
    assert (best.nonmated.low, best.nonmated.high, best.nonmated.comparisons) == (0.1, 0.4, 2)
    assert best.nonmated.images.tolist() == [3, 2, 0]
    assert best.nonmated.subject_pairs == 1
    assert best.nonmated.weighted_comparisons(np.array([2.0, 5.0, 1.0])) == 20
    mean = compare_lists(listed, "mean")
    assert sorted(mean.mated.cosines) == pytest.approx([0.8, 0.8])
    assert mean.nonmated.cosines.tolist() == [0.4, 0.1]


def test_rank_one_of_a_mate_that_is_not_listed_is_a_miss() -> None:
    listed = Listed(
        np.array([0, 1]), np.array([0, 1]), np.array([0.9, 0.2]), np.array([0, 1]),
        np.array([0, 0, 1]), np.array([True, True]), np.array([True] * 3), np.array([-1, -1]), 2,
    )  # fmt: skip
    (found,) = search_lists(listed, [np.array([True, True])], "best")
    assert found.mated.tolist() == [True, True]
    assert within_rank(found, 10).cases == 1


@pytest.mark.parametrize("fusion", ["best", "mean"])
def test_a_gallery_of_many_people_is_searched_as_one_of_few(fusion: Any) -> None:
    """More people than are counted together, some with many references; every rank occurs."""
    random = np.random.default_rng(1)
    whose = np.concatenate([random.permutation(700), random.integers(0, 40, 300)])
    rows = random.standard_normal((1000, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = random.choice(1000, 60)
    names = [f"s{number}" for number in whose]
    probes = rows[asked] + 0.5 * random.standard_normal((60, 5)).astype(np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    (found,) = search_galleries(
        rows, names, list(probes), [names[row] for row in asked], [names], fusion=fusion
    )
    cosines = probes.astype(np.float64) @ rows.T.astype(np.float64)
    for place, row in enumerate(asked):
        of_each = [cosines[place, whose == number] for number in range(700)]
        scores = np.array([one.max() if fusion == "best" else one.mean() for one in of_each])
        mate = scores[whose[row]]
        assert found.mate[place] == pytest.approx(mate, abs=1e-6)
        assert found.nonmate[place] == pytest.approx(np.delete(scores, whose[row]).max(), abs=1e-6)
        assert np.sum(scores > mate + 1e-6) < found.rank[place] <= np.sum(scores >= mate - 1e-6)
    assert found.rank.max() > 255


@pytest.mark.parametrize("fusion", ["best", "mean"])
@pytest.mark.parametrize("dimension", [4, 128, 512])
@pytest.mark.parametrize(("people", "asked"), [(1, 1), (3, 7), (20, 5), (33, 140), (1500, 9)])
def test_copies_of_a_mate_tie_with_it(people: int, asked: int, dimension: int, fusion: Any) -> None:
    """The same photos under another name, once or twice: whatever the shape of the products."""
    random = np.random.default_rng(people)
    photos = random.standard_normal((people, 3, dimension)).astype(np.float32)
    photos /= np.linalg.norm(photos, axis=2, keepdims=True)
    copies = np.arange(people) % 3
    persons = np.concatenate([np.arange(people), np.repeat(np.arange(people), copies)])
    persons = np.stack([persons, np.arange(len(persons))], axis=1)[random.permutation(len(persons))]
    names = [f"{place:05}" for _, place in persons for _ in range(3)]
    whom = random.integers(0, people, asked)
    probes = photos[whom].sum(axis=1)
    probes += 0.1 * random.standard_normal(probes.shape).astype(np.float32) / dimension**0.5
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    (found,) = search_galleries(
        photos[persons[:, 0]].reshape(-1, dimension), names, list(probes),
        [f"{person:05}" for person in whom], [names], fusion=fusion,
    )  # fmt: skip
    tied = found.nonmate == found.mate
    cosines = np.einsum("pd,qrd->pqr", probes.astype(np.float64), photos.astype(np.float64))
    scores = cosines.max(axis=2) if fusion == "best" else cosines.mean(axis=2)
    ahead = ((scores > scores[np.arange(asked), whom][:, None] + 1e-6) * (1 + copies)).sum(axis=1)
    near = np.sum(abs(scores - scores[np.arange(asked), whom][:, None]) < 1e-6, axis=1) > 1
    assert np.all(near | (found.rank == 1 + ahead + copies[whom]))
    assert np.all(near | (ahead > 0) | (tied == (copies[whom] > 0)))
    assert near.mean() < 0.1
