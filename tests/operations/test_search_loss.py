"""What an approximate search loses, counted beside a double loop and an engine that forgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fr_cli.errors import UsageProblem
from fr_cli.evaluation import protocol, rates
from fr_cli.gallery import search
from fr_cli.gallery.exact import Exact
from fr_cli.operations.labelled import Enrolled, Labelled, Sample
from fr_cli.operations.search_loss import search_loss
from fr_cli.operations.trial import Trial
from fr_cli.records import Silence, Template


def trial(people: int = 120, dimension: int = 16, seed: int = 0) -> Trial:
    """Two references of each of half of the people; a probe of all, two without a template."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((people, dimension))

    def photos(count: int) -> Any:
        made = centres[:count] + 0.4 * rng.standard_normal((count, dimension))
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    half = people // 2
    references = np.concatenate([photos(half), photos(half)])
    subjects = [f"S{number}" for number in range(half)] * 2
    probes: list[Any] = [*photos(people)]
    probes[0] = probes[-1] = None
    samples = [
        Sample(f"S{number}", "probe", {}, None if probe is None else Template(probe, "f"))
        for number, probe in enumerate(probes)
    ]
    listed = frozenset(subjects)
    (found,) = protocol.search_galleries(
        references, subjects, probes, [sample.subject for sample in samples], [listed]
    )
    return Trial(
        "open-set", "best", Labelled(), len(subjects), half, 0, len(subjects), (found,), samples,
        enrolled=Enrolled(subjects, references, listed),
    )  # fmt: skip


def test_an_engine_that_finds_everybody_loses_nothing() -> None:
    one = trial()
    loss = search_loss(one, [0.5, 0.2, 0.5], Silence())
    assert (loss.engine, loss.references, loss.searches) == ("annoy", 120, 118)
    first, ten, fifty = loss.recall
    assert (first.k, first.share) == (1, 1.0)
    # Its effort is for whoever may be a candidate: of those far down the list it misses more.
    assert 0.5 < fifty.share <= ten.share <= 1.0
    assert ten.share > 0.9
    assert [row.threshold_cosine for row in loss.lost] == [0.2, 0.5]
    for row in loss.lost:
        counted = rates.tpir(one.probes, row.threshold_cosine)
        assert (row.mated, row.missed_exact) == (counted.of, counted.of - counted.cases)
        assert row.missed == row.missed_exact
        assert row.fnir_loss == 0.0
    assert 0.0 < loss.exact.p50_ms <= loss.exact.p99_ms
    assert 0.0 < loss.approximate.p50_ms <= loss.approximate.p99_ms


class Forgetful:
    """Knows only the references of every second subject."""

    name = "annoy"

    def __init__(self, packed: Any) -> None:
        self._inner = Exact(packed)
        self._known = np.arange(len(packed.vectors)) % 2 == 0

    def nearest(self, probe: Any, count: int, allowed: Any) -> Any:
        return self._inner.nearest(probe, count, self._known)


def test_what_an_engine_misses_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "Annoy", Forgetful)
    loss = search_loss(trial(), [0.0], Silence())
    (row,) = loss.lost
    assert row.mated == 60
    assert row.missed_exact == 1  # the one without a template
    # References of 0, 2, 4 … are known: 30 of 60 mates, one of which has no template.
    assert row.missed == 31
    assert row.fnir_loss == pytest.approx(0.5)
    assert 0.4 < loss.recall[0].share < 0.6
    assert 0.4 < loss.recall[1].share < 0.6


def test_what_has_no_search_has_no_loss() -> None:
    one = trial()
    for other in (
        Trial("leave-one-out", "best", Labelled(), 1, 1, 0, 1, one.draws, one.samples),
        Trial("open-set", "mean", Labelled(), 1, 1, 0, 1, one.draws, one.samples,
              enrolled=one.enrolled),
        Trial("open-set", "best", Labelled(), 1, 1, 0, 1, one.draws * 2, one.samples,
              enrolled=one.enrolled),
    ):  # fmt: skip
        with pytest.raises(UsageProblem):
            search_loss(other, [0.5], Silence())
