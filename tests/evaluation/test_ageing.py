"""Years between photographs, by hand."""

from __future__ import annotations

import numpy as np

from fr_cli.evaluation.ageing import ageing


def test_bands_by_hand() -> None:
    cosines = np.array([0.9, 0.8, 0.7, 0.4, 0.3, 0.5])
    years = np.array([0.0, 0.99, 1.0, 12.0, 25.0, np.nan])
    rows = ageing(cosines, np.arange(6), years, 0.6)
    assert [(row.years, row.to) for row in rows] == [(0, 1), (1, 2), (10, 20), (20, None)]
    assert [(row.fnmr.cases, row.fnmr.of) for row in rows] == [(0, 2), (0, 1), (1, 1), (1, 1)]
    assert rows[0].median_cosine == np.median([0.9, 0.8])


def test_no_dates_no_rows() -> None:
    assert ageing(np.ones(3), np.zeros(3, int), np.full(3, np.nan), 0.5) == []
