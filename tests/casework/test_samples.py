"""A sample is drawn as the page says, whoever draws it, and from every stratum."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fr_cli.casework.samples import allocated, drawn, in_order
from fr_cli.errors import UsageProblem

STRATA = st.dictionaries(st.text(max_size=5), st.integers(1, 500), min_size=1, max_size=8)
FRAMES = st.dictionaries(
    st.text(max_size=3),
    st.lists(st.integers(0, 2**32), min_size=1, max_size=30, unique=True),
    min_size=1,
    max_size=5,
).map(lambda some: {name: [f"{name}-{n:08x}" for n in ids] for name, ids in some.items()})


@given(STRATA, st.integers(1, 2000))
def test_every_stratum_is_reached_and_none_is_overdrawn(strata: dict[str, int], size: int) -> None:
    assume(size >= len(strata))
    counts = allocated(size, strata)
    everything = sum(strata.values())
    assert sum(counts.values()) == min(size, everything)
    assert all(1 <= counts[name] <= strata[name] for name in strata)
    # In proportion: nobody is more than one away from their share of what one each leaves over.
    rest, left = sum(counts.values()) - len(strata), everything - len(strata)
    for name, there in strata.items():
        share = rest * (there - 1) / left if left else 0.0
        assert abs(counts[name] - 1 - share) < 1.0


@given(STRATA, st.integers(1, 2000))
def test_a_larger_stratum_never_gets_fewer_but_for_one(strata: dict[str, int], size: int) -> None:
    assume(size >= len(strata))
    counts = allocated(size, strata)
    for name, there in strata.items():
        for other, here in strata.items():
            if there > here:
                assert counts[name] >= counts[other]


@given(STRATA, st.integers(1, 8))
def test_too_few_to_reach_every_stratum_are_refused(strata: dict[str, int], size: int) -> None:
    assume(size < len(strata))
    with pytest.raises(UsageProblem, match="strata"):
        allocated(size, strata)


@given(FRAMES, st.text(min_size=1, max_size=10), st.integers(1, 60), st.randoms())
def test_the_draw_depends_on_the_seed_and_the_ids_alone(
    frame: dict[str, list[str]], seed: str, size: int, chance: object
) -> None:
    assume(size >= len(frame))
    first = drawn(seed, size, frame)
    # Another order of the gallery, another order of the strata: the same sample.
    turned = {name: frame[name][::-1] for name in reversed([*frame])}
    assert drawn(seed, size, turned) == first
    for name, ids in first.items():
        assert set(ids) <= set(frame[name])
        assert len(set(ids)) == len(ids)
        # As the page says it, with nothing of this program.
        keyed = {
            uid: hmac.new(seed.encode(), uid.encode(), hashlib.sha256).hexdigest()
            for uid in frame[name]
        }
        assert ids == sorted(frame[name], key=keyed.__getitem__)[: len(ids)]


@given(FRAMES, st.text(min_size=1, max_size=10), st.integers(1, 60))
def test_a_larger_sample_holds_the_smaller_one_of_one_stratum(
    frame: dict[str, list[str]], seed: str, size: int
) -> None:
    ids = [uid for some in frame.values() for uid in some]
    small, large = (drawn(seed, n, {"all": ids})["all"] for n in (size, size + 7))
    assert large[: len(small)] == small


def test_another_seed_draws_another_sample_and_each_reference_as_often() -> None:
    ids = [f"{n:032x}" for n in range(50)]
    often = dict.fromkeys(ids, 0)
    for seed in range(2000):
        for uid in in_order(str(seed), ids)[:10]:
            often[uid] += 1
    # 400 expected of each, standard deviation 17.9: five of them.
    assert all(310 < count < 490 for count in often.values()), often
