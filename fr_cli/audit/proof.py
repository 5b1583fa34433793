"""Proofs about the Merkle tree: that an entry is in it, and that one tree is the start of another.

Made by one pass over the leaves in O(log n) memory, as RFC 6962 sections 2.1.1 and 2.1.2 define
them; checked by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2, which need no leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from fr_cli.audit.merkle import node_hash

Path = Sequence[bytes]


class Paths:
    """A tree that is passed through leaf by leaf; it keeps the audit paths of chosen leaves."""

    def __init__(self) -> None:
        self.size = 0
        # The full subtrees, largest first: root, and the chosen leaves in it.
        self._peaks: list[tuple[bytes, list[int]]] = []
        # Of each chosen leaf: its hash, then its path up to the root of its full subtree.
        self._kept: dict[int, list[bytes]] = {}

    def append(self, leaf: bytes, *, keep: bool = False) -> None:
        """Add a leaf hash; with `keep`, its path can be asked for at any later size."""
        node, held = leaf, list[int]()
        if keep:
            self._kept[self.size] = [leaf]
            held.append(self.size)
        rest = self.size
        while rest & 1:
            left, before = self._peaks.pop()
            for index in before:
                self._kept[index].append(node)
            for index in held:
                self._kept[index].append(left)
            node, held = node_hash(left, node), before + held
            rest >>= 1
        self._peaks.append((node, held))
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash over all leaves; ValueError for none."""
        return _fold([peak for peak, _ in self._peaks])

    def inclusion(self, index: int) -> list[bytes]:
        """PATH(index, D[size]): from the leaf's sibling up to a child of the root.

        KeyError unless the leaf was kept.
        """
        path = self._kept[index][1:]
        peaks = [peak for peak, _ in self._peaks]
        place = next(at for at, (_, held) in enumerate(self._peaks) if index in held)
        beyond = peaks[place + 1 :]
        return path + ([_fold(beyond)] if beyond else []) + peaks[:place][::-1]

    def consistency(self, old: int) -> list[bytes]:
        """PROOF(old, D[size]): that the first `old` leaves are the tree of that size.

        It is the path of the old tree's last full subtree, and that subtree's root unless the
        verifier has it as the old root. KeyError unless the leaf `old` − 1 was kept.
        """
        if old in (0, self.size):
            return []
        path = self.inclusion(old - 1)
        levels = (old & -old).bit_length() - 1
        node = self._kept[old - 1][0]
        for left in path[:levels]:
            node = node_hash(left, node)
        whole = old == 1 << levels
        return ([] if whole else [node]) + path[levels:]


def _fold(peaks: list[bytes]) -> bytes:
    if not peaks:
        raise ValueError("an empty tree has no proofs")
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Path) -> bool:
    """Whether the path leads from this leaf at this index to the root of a tree of this size."""
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    node = leaf
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def extends(old_root: bytes, old: int, root: bytes, size: int, path: Path) -> bool:
    """Whether the path shows the tree of `old` leaves to be the start of that of `size`.

    Every tree extends the empty one.
    """
    if old == size:
        return not path and old_root == root
    if old == 0:
        return not path
    if not 0 < old < size or not path:
        return False
    first, *rest = path if old & (old - 1) else (old_root, *path)
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = first
    for node in rest:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, node)
        at, last = at >> 1, last >> 1
    return last == 0 and (before, after) == (old_root, root)
