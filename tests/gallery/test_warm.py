"""A generation in memory: the one of now, and dropped before whoever destroys it goes on."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from fr_cli.errors import GalleryLocked
from fr_cli.gallery import warm as module
from fr_cli.gallery.warm import Warm
from tests.conftest import Fr, opened


def test_it_is_read_once_and_is_the_same(fr: Fr) -> None:
    with opened(fr) as (_bench, gallery):
        warm = Warm()
        number = int(gallery.store.meta("generation"))
        first = warm.read(gallery.generations, number, gallery.fingerprint)
        assert warm.read(gallery.generations, number, gallery.fingerprint) is first
        assert first.codes is not None
        assert (
            np.asarray(first.vectors).tolist()
            == np.asarray(gallery.generations.read(number, gallery.fingerprint).vectors).tolist()
        )
        assert first.codes.values.any()
        warm.drop()
        for kept in (first.codes.values, first.codes.scales, first.codes.errors):
            assert not kept.any()  # overwritten


def test_whoever_destroys_it_waits_until_it_is_dropped(fr: Fr) -> None:
    with opened(fr) as (_bench, gallery):
        warm = Warm()
        warm.read(gallery.generations, int(gallery.store.meta("generation")), gallery.fingerprint)
        ended = []

        def purge() -> None:
            fr.json("purge", "--subject", "P001", "--yes")
            ended.append(time.monotonic())

        thread = threading.Thread(target=purge)
        thread.start()
        time.sleep(1.0)
        looked = time.monotonic()
        assert ended == []
        while thread.is_alive():
            warm.look()
            time.sleep(0.02)
        assert ended[0] > looked
        number = int(gallery.store.meta("generation"))
        assert len(warm.read(gallery.generations, number, gallery.fingerprint).pks) == 4


def test_a_process_that_keeps_it_is_told_of(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.wait_for_others, "__defaults__", (0.2,))
    with opened(fr) as (_bench, gallery):
        warm = Warm()
        warm.read(gallery.generations, int(gallery.store.meta("generation")), gallery.fingerprint)
        error = fr.json("purge", "--subject", "P001", "--yes", code=11)
        assert (error["error"], "Restart" in error["hint"]) == (GalleryLocked.__name__, True)
        warm.drop()
    fr.json("gallery", "rebuild")  # finishes it
    fr.whole()
    assert "P001" not in str(fr.json("gallery", "stats"))
    assert fr.json("gallery", "stats")["subjects"] == 4
