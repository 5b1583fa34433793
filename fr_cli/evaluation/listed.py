"""Listed scores of any system → the same searches and comparisons as from templates.

A list need not hold every pair: what is not on it was not among that system's candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fr_cli.evaluation.impostors import (
    BINS,
    Comparisons,
    Fusion,
    ImpostorSample,
    MatedSample,
)
from fr_cli.evaluation.protocol import NO_RANK
from fr_cli.evaluation.rates import Probes

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Listed:
    """Scores, finite and higher for more alike, and whose they are; subjects are 0 … S − 1.

    probe, reference  (n,) int64: the two photographs of each score
    score             (n,) float64
    probe_subject     (P,) int64, reference_subject (R,) int64
    acquired          (P,) bool, enrolled (R,) bool: whether the system could use the photograph
    itself            (P,) int64: the reference that is the same photograph, −1 where none is
    subjects          S: how many subjects there are
    """

    probe: Numbers
    reference: Numbers
    score: NDArray[np.float64]
    probe_subject: Numbers
    reference_subject: Numbers
    acquired: NDArray[np.bool_]
    enrolled: NDArray[np.bool_]
    itself: Numbers
    subjects: int

    def without(self, pairs: Sequence[tuple[int, int]]) -> Listed:
        """The list without scores between the two subjects of each pair."""
        if not pairs:
            return self
        a, b = self.probe_subject[self.probe], self.reference_subject[self.reference]
        left_out = np.array([min(p) * self.subjects + max(p) for p in pairs], np.int64)
        keep = ~np.isin(np.minimum(a, b) * self.subjects + np.maximum(a, b), left_out)
        return Listed(
            self.probe[keep], self.reference[keep], self.score[keep], self.probe_subject,
            self.reference_subject, self.acquired, self.enrolled, self.itself, self.subjects,
        )  # fmt: skip

    def fused(self, fusion: Fusion) -> tuple[Numbers, Numbers, NDArray[np.float64]]:
        """Probe, subject and score of every probe that was compared with that subject."""
        key = self.probe * self.subjects + self.reference_subject[self.reference]
        order = np.argsort(key, kind="stable")
        found, starts, counts = np.unique(key[order], return_index=True, return_counts=True)
        if not found.size:
            return found, found, np.empty(0)
        if fusion == "best":
            scores = np.maximum.reduceat(self.score[order], starts)
        else:
            scores = np.add.reduceat(self.score[order], starts) / counts
        return found // self.subjects, found % self.subjects, scores


def search_lists(
    listed: Listed, galleries: Sequence[NDArray[np.bool_]], fusion: Fusion
) -> list[Probes]:
    """What each probe found in each gallery, a mask of subjects of shape (S,).

    A probe is mated if the gallery has a reference of its subject other than itself; a mate that
    is not on the list is a miss at every threshold.
    """
    probe, subject, score = listed.fused(fusion)
    references = np.bincount(listed.reference_subject, minlength=listed.subjects)
    has_mate = references[listed.probe_subject] > (listed.itself >= 0)
    count = listed.probe_subject.size
    results = []
    for gallery in galleries:
        inside = gallery[subject]
        own = inside & (subject == listed.probe_subject[probe])
        other = inside & (subject != listed.probe_subject[probe])
        mate, nonmate = np.full(count, -np.inf), np.full(count, -np.inf)
        mate[probe[own]] = score[own]
        np.maximum.at(nonmate, probe[other], score[other])
        ahead = other & (score >= mate[probe])
        rank = 1 + np.bincount(probe[ahead], minlength=count)
        rank = np.where(np.isfinite(mate), rank, NO_RANK)
        results.append(
            Probes(
                gallery[listed.probe_subject] & has_mate, listed.acquired, nonmate, mate,
                rank.astype(np.int64), listed.probe_subject,
            )
        )  # fmt: skip
    return results


def compare_lists(listed: Listed, fusion: Fusion, tail_size: int = 100_000) -> Comparisons:
    """The same scores 1:1: mated and non-mated. ValueError without a non-mated score."""
    if fusion == "best":
        probe, subject = listed.probe, listed.reference_subject[listed.reference]
        score = listed.score
    else:
        probe, subject, score = listed.fused(fusion)
    whose = listed.probe_subject[probe]
    other = whose != subject
    scores, a, b = score[other], whose[other], subject[other]
    if not scores.size:
        raise ValueError("the list has no score of two different subjects")
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(scores, BINS, (low, high))
    top = np.argsort(-scores, kind="stable")[:tail_size]
    key, times = np.unique(
        np.minimum(a, b) * listed.subjects + np.maximum(a, b), return_counts=True
    )
    # A photograph that is probe and reference is one photograph.
    photographs = [listed.probe_subject, np.delete(listed.reference_subject, _valid(listed.itself))]
    return Comparisons(
        MatedSample(score[~other], whose[~other]),
        ImpostorSample(
            counts.astype(np.int64), scores[top], a[top], b[top],
            np.bincount(np.concatenate(photographs), minlength=listed.subjects).astype(np.int64),
            np.empty((0, 2), np.int64), low, high, fusion,
            np.stack([key // listed.subjects, key % listed.subjects, times], axis=1),
        ),
    )  # fmt: skip


def _valid(places: Numbers) -> Numbers:
    return places[places >= 0]
