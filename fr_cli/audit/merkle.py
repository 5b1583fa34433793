"""The Merkle tree of RFC 6962 section 2.1, kept as its frontier: O(log n) memory for any n.

Leaf and node hashes are domain-separated, so no node can be passed off as a leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field


def leaf_hash(body: bytes) -> bytes:
    """SHA-256(0x00 || body), 32 bytes."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """The roots of the full subtrees of a tree of `size` leaves, largest first.

    One peak of 32 bytes for each binary one in `size`; this is all that appending needs.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash; two hashes on average."""
        rest, peaks = self.size, self.peaks
        while rest & 1:
            leaf = node_hash(peaks.pop(), leaf)
            rest >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash, 32 bytes; SHA-256 of nothing for the empty tree."""
        if not self.peaks:
            return hashlib.sha256().digest()
        sha256, root = hashlib.sha256, self.peaks[-1]
        for peak in self.peaks[-2::-1]:  # `node_hash`, written out: this is most of a fast check
            root = sha256(b"\x01" + peak + root).digest()
        return root

    def copy(self) -> Frontier:
        """An independent frontier of the same tree."""
        return Frontier(self.size, self.peaks.copy())


def root_of(items: Iterable[str]) -> str:
    """The root (hex) of the tree over these texts: a batch of items in one entry of the log."""
    tree = Frontier()
    for item in items:
        tree.append(leaf_hash(item.encode()))
    return tree.root().hex()
