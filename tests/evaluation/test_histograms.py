"""Counts of scores."""

from __future__ import annotations

import numpy as np

from fr_cli.evaluation.histograms import histograms
from tests.evaluation import scores


def test_every_score_is_in_one_bin() -> None:
    mated, others = scores.six_people()
    found = histograms(scores.stored())
    assert (found.low, found.high, len(found.mated), len(found.nonmated)) == (-1.0, 1.0, 200, 200)
    for counts, values in ((found.mated, mated), (found.nonmated, others)):
        assert sum(counts) == values.size
        places = np.floor((values + 1.0) * 100 + 1e-9).astype(int)
        np.testing.assert_array_equal(counts, np.bincount(places, minlength=200))
