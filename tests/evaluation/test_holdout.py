"""A fit that is right holds on unseen people; one that is wrong does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fr_cli.decision.calibration import ANCHOR_FMR, Calibration, Tail
from fr_cli.evaluation.holdout import held_out
from fr_cli.evaluation.tail import fit_calibration
from tests.evaluation import scores


def fitted(seed: int) -> Calibration:
    return fit_calibration(
        scores.simulated(400, 1, seed).nonmated, fingerprint="made up", model="made up",
        data_name="made up", data_sha256="0" * 64, made="2026-11-23", draws=60,
    )  # fmt: skip


def test_a_fit_holds_on_people_of_the_same_kind() -> None:
    held = 0
    for seed in range(10):
        rows = held_out(fitted(seed), scores.simulated(400, 1, 100 + seed).nonmated)
        first = rows[0]
        assert (first.predicted, first.method) == (1e-4, "empirical")
        assert first.ratio is not None
        assert first.ratio_low is not None
        assert first.ratio_high is not None
        assert first.ratio_low <= first.ratio <= first.ratio_high
        held += bool(first.holds)
    assert held >= 9


def test_a_fit_that_promises_too_much_is_caught() -> None:
    right = fitted(0)

    def bolder(tail: Tail) -> Tail:
        return replace(tail, beta=tail.beta * 0.7)

    wrong = replace(right, tail=bolder(right.tail), draws=tuple(map(bolder, right.draws)))
    rows = held_out(wrong, scores.simulated(1500, 1, 7).nonmated)
    assert False in [row.holds for row in rows]


def test_what_the_unseen_half_cannot_show_is_only_the_fit_s_word() -> None:
    rows = held_out(fitted(0), scores.simulated(500, 1, 9).nonmated)
    assert [row.method for row in rows] == ["empirical", "empirical", "extrapolated",
                                           "extrapolated"]  # fmt: skip
    anchor = rows[-1]
    assert anchor.predicted == pytest.approx(ANCHOR_FMR)
    assert anchor.predicted_low < anchor.predicted < anchor.predicted_high
    assert (anchor.observed, anchor.ratio, anchor.holds) == (None, None, None)
