"""Merkle proofs against a second, naive implementation, and forgeries of them."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fr_cli.audit.merkle import Frontier
from fr_cli.audit.proof import Paths, extends, includes

LEAVES = [hashlib.sha256(b"\0" + bytes([number])).digest() for number in range(65)]


# -- RFC 6962 section 2.1 word for word, on lists: slow, recursive, and nothing of the package ---


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1


def mth(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: list[bytes]) -> list[bytes]:
    return subproof(m, leaves, True)


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = split(n)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def tree(size: int, *kept: int) -> Paths:
    paths = Paths()
    for index in range(size):
        paths.append(LEAVES[index], keep=index in kept)
    return paths


@pytest.mark.parametrize("size", range(1, 65))
def test_inclusion_proofs_are_those_of_the_definition(size: int) -> None:
    paths = tree(size, *range(size))
    root = mth(LEAVES[:size])
    assert paths.root() == root
    for index in range(size):
        made = paths.inclusion(index)
        assert made == path(index, LEAVES[:size])
        assert includes(root, size, index, LEAVES[index], made)


@pytest.mark.parametrize("size", range(1, 65))
def test_consistency_proofs_are_those_of_the_definition(size: int) -> None:
    paths = tree(size, *range(size))
    root = mth(LEAVES[:size])
    for old in range(1, size + 1):
        made = paths.consistency(old)
        assert made == proof(old, LEAVES[:size])
        assert extends(mth(LEAVES[:old]), old, root, size, made)
    assert paths.consistency(0) == []
    assert extends(b"", 0, root, size, [])


def test_a_leaf_kept_alone_has_the_same_proof_and_others_have_none() -> None:
    for size in (1, 2, 3, 21, 64):
        for index in range(size):
            assert tree(size, index).inclusion(index) == path(index, LEAVES[:size])
    with pytest.raises(KeyError):
        tree(8, 3).inclusion(4)
    with pytest.raises(KeyError):
        tree(8, 3).consistency(5)


def test_a_proof_may_be_asked_for_while_the_tree_grows() -> None:
    paths = Paths()
    for size, leaf in enumerate(LEAVES, start=1):
        paths.append(leaf, keep=size == 5)
        if size >= 5:
            assert paths.inclusion(4) == path(4, LEAVES[:size])
            assert paths.consistency(5) == proof(5, LEAVES[:size])


def test_memory_does_not_grow_with_the_tree() -> None:
    paths = Paths()
    for number in range(5000):
        paths.append(LEAVES[number % 65], keep=number == 17)
    assert len(paths._peaks) == (5000).bit_count()
    assert list(paths._kept) == [17]
    assert len(paths._kept[17]) <= 14


def test_there_is_no_root_of_nothing() -> None:
    with pytest.raises(ValueError):
        Paths().root()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1500), st.data())
def test_any_size_index_and_older_head(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    leaves = [hashlib.sha256(b"\0%d" % number).digest() for number in range(size)]
    paths = Paths()
    for number, leaf in enumerate(leaves):
        paths.append(leaf, keep=number in (index, old - 1))
    assert paths.inclusion(index) == path(index, leaves)
    assert paths.consistency(old) == proof(old, leaves)
    assert includes(mth(leaves), size, index, leaves[index], path(index, leaves))
    assert extends(mth(leaves[:old]), old, mth(leaves), size, proof(old, leaves))


# -- forgeries -----------------------------------------------------------------------------------


def forgeries(good: list[bytes]) -> list[list[bytes]]:
    """Paths that differ from a good one: a bit, a hash missing, doubled, added, moved."""
    made = [good[:-1], good[1:], [*good, LEAVES[64]], [LEAVES[64], *good], [*good, *good[-1:]]]
    for at, node in enumerate(good):
        flipped = bytes([node[0] ^ 1]) + node[1:]
        made += [[*good[:at], flipped, *good[at + 1 :]], [*good[:at], *good[at + 1 :]]]
        made.append([*good[:at], node, node, *good[at + 1 :]])
    made += [[*good[:at], *good[at : at + 2][::-1], *good[at + 2 :]] for at in range(len(good) - 1)]
    return [one for one in made if one != good]


def test_forged_inclusion_proofs_are_rejected() -> None:
    tried = 0
    for size in range(1, 65):
        root = mth(LEAVES[:size])
        for index in range(size):
            good = path(index, LEAVES[:size])
            for forged in forgeries(good):
                assert not includes(root, size, index, LEAVES[index], forged)
                tried += 1
            for other in {0, index - 1, index + 1, size - 1, size, -1} - {index}:
                assert not includes(root, size, other, LEAVES[index], good)
            assert not includes(root, size, index, LEAVES[64], good)
            assert not includes(LEAVES[64], size, index, LEAVES[index], good)
    assert tried > 30_000


def test_an_inclusion_proof_of_another_size_is_rejected_or_has_another_shape() -> None:
    # The size is signed with the root. Where the shape of the path to a leaf does not change with
    # the size, the root is what tells.
    for size in range(1, 65):
        for other in {size - 1, size + 1} - {0}:
            for index in range(min(size, other)):
                good = path(index, LEAVES[:size])
                assert not includes(mth(LEAVES[:other]), other, index, LEAVES[index], good)


def test_forged_consistency_proofs_are_rejected() -> None:
    tried = 0
    for size in range(1, 65):
        root = mth(LEAVES[:size])
        for old in range(1, size + 1):
            good, before = proof(old, LEAVES[:size]), mth(LEAVES[:old])
            for forged in forgeries(good):
                assert not extends(before, old, root, size, forged)
                tried += 1
            assert not extends(LEAVES[64], old, root, size, good)
            assert not extends(before, old, LEAVES[64], size, good)
            for other in {old - 1, old + 1} - {0, old}:
                assert not extends(before, other, root, size, good)
    assert tried > 30_000
    assert not extends(b"", 0, LEAVES[0], 1, [LEAVES[1]])
    assert not extends(LEAVES[0], 2, LEAVES[0], 1, [])


def test_a_rewritten_tree_has_no_proof_however_it_is_put_together() -> None:
    """A fork: of the hashes of both trees, no short sequence joins the old head to the new one."""
    rng = random.Random(6962)
    for old, size in ((1, 2), (3, 5), (4, 8), (6, 9)):
        forked = [*LEAVES[:size]]
        forked[rng.randrange(old)] = LEAVES[64]
        nodes = {mth(tree_[a:b]) for tree_ in (forked, LEAVES[:size]) for a, b in spans(size)}
        before, after = mth(LEAVES[:old]), mth(forked)
        for length in range(1, 4):
            for _ in range(2000):
                tried = rng.choices(sorted(nodes), k=length)
                assert not extends(before, old, after, size, tried)


def spans(size: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(size) for b in range(a + 1, size + 1)]


def test_roots_agree_with_the_frontier_that_writes() -> None:
    frontier, paths = Frontier(), Paths()
    for one, other in pairwise(LEAVES):
        frontier.append(one)
        paths.append(one)
        assert paths.root() == frontier.root()
        assert one != other
