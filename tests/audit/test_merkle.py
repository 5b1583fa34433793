"""The frontier against the recursive definition of RFC 6962 section 2.1."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from fr_cli.audit.merkle import Frontier, leaf_hash, node_hash, root_of


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH as the RFC writes it: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(tree_hash(leaves[:split]), tree_hash(leaves[split:]))


def test_root_is_that_of_the_definition_for_all_sizes_to_200() -> None:
    frontier, leaves = Frontier(), list[bytes]()
    for size in range(201):
        assert frontier.size == size
        assert frontier.root() == tree_hash(leaves)
        assert len(frontier.peaks) == size.bit_count()
        leaves.append(leaf_hash(str(size).encode()))
        frontier.append(leaves[-1])


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_root_for_any_leaves(bodies: list[bytes]) -> None:
    frontier = Frontier()
    for body in bodies:
        frontier.append(leaf_hash(body))
    assert frontier.root() == tree_hash([leaf_hash(body) for body in bodies])


@given(st.integers(0, 80), st.integers(0, 80))
def test_a_copy_goes_its_own_way(before: int, after: int) -> None:
    first = Frontier()
    for number in range(before):
        first.append(leaf_hash(bytes([number])))
    root = first.root()
    second = first.copy()
    for number in range(after):
        second.append(leaf_hash(bytes([number])))
    assert (first.size, first.root()) == (before, root)


def test_published_vectors() -> None:
    # The roots of the test vectors of the Certificate Transparency reference code.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    frontier = Frontier()
    roots = []
    for text in inputs:
        frontier.append(leaf_hash(bytes.fromhex(text)))
        roots.append(frontier.root().hex())
    assert roots[0] == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert roots[1] == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert roots[7] == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_root_of_a_batch_is_that_of_the_tree_over_its_items() -> None:
    items = ["1/a", "2/b", "3/é"]
    assert root_of(items) == tree_hash([leaf_hash(item.encode()) for item in items]).hex()
