"""A photo gives the same template bit for bit: alone, in a batch, in one worker or in two."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fr_cli.errors import FrError, NoFace, PhotoUnreadable, WeightsWrong
from fr_cli.face import batch
from fr_cli.face.catalogue import EMBEDDER
from fr_cli.face.pipeline import FLOORS, FacePipeline
from fr_cli.records import Template
from tests.conftest import jpeg, small

PHOTOS = [
    *(jpeg(small(f"P{number:03d}")) for number in (1, 2, 3, 4)),
    b"not a photo",
    jpeg(small("P005").resize((600, 400))),
    jpeg(small("P001").crop((0, 0, 60, 60))),
    jpeg(small("P006")),
]


def run(models: Path, photos: list[bytes], workers: int) -> list[bytes | type[FrError]]:
    maker = batch.Maker((models,), EMBEDDER, FLOORS, "largest")
    made = batch.templates(enumerate(photos), maker, workers=workers)
    results: list[bytes | type[FrError]] = []
    for index, (key, result) in enumerate(made):
        assert key == index
        results.append(result.vector.tobytes() if isinstance(result, Template) else type(result))
    assert len(results) == len(photos)
    return results


@pytest.fixture(scope="module")
def in_one(models: Path) -> list[bytes | type[FrError]]:
    return run(models, PHOTOS, 1)


def test_two_workers_give_what_one_gives_in_the_order_of_the_photos(
    models: Path, in_one: list[bytes | type[FrError]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PHOTOS_A_WORKER", 1)
    assert run(models, PHOTOS, 2) == in_one
    assert in_one[4] is PhotoUnreadable
    assert in_one[6] is NoFace
    assert sum(isinstance(one, bytes) for one in in_one) == 6


def test_a_photo_alone_gives_what_it_gives_among_others(
    models: Path, in_one: list[bytes | type[FrError]]
) -> None:
    for index in (0, 3, 7):
        with FacePipeline.load([models]) as pipeline:
            assert pipeline.template(PHOTOS[index], "largest").vector.tobytes() == in_one[index]
    assert run(models, PHOTOS[::-1], 1) == in_one[::-1]


@pytest.mark.parametrize(("workers", "each"), [(1, 1), (1, 6), (1, 7), (1, 20), (2, 2)])
def test_no_photo_is_lost_however_many_there_are_for_each_worker(
    models: Path, workers: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PHOTOS_A_WORKER", each)
    assert run(models, [b"not a photo"] * 7, workers) == [PhotoUnreadable] * 7


def test_no_photo_is_lost_with_a_worker_that_is_killed(
    models: Path, in_one: list[bytes | type[FrError]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PHOTOS_A_WORKER", 1)
    killed: list[int] = []

    def photos() -> Iterator[tuple[int, bytes]]:
        for index, photo in enumerate(PHOTOS * 3):
            if index == 20:
                killed.extend(workers()[:1])
                os.kill(killed[0], signal.SIGKILL)
            yield index, photo

    maker = batch.Maker((models,), EMBEDDER, FLOORS, "largest")
    made = list(batch.templates(photos(), maker, workers=2))
    assert killed
    assert [key for key, _ in made] == list(range(len(PHOTOS) * 3))
    found = [one.vector.tobytes() if isinstance(one, Template) else type(one) for _, one in made]
    assert found == in_one * 3


def workers() -> list[int]:
    """The processes that this one has spawned to make templates."""
    tasks = Path("/proc/self/task").iterdir()
    children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_template_is_a_unit_vector(models: Path, in_one: list[bytes | type[FrError]]) -> None:
    import numpy as np

    for data in in_one:
        if isinstance(data, bytes):
            assert np.linalg.norm(np.frombuffer(data, np.float32)) == pytest.approx(1, abs=1e-6)


def test_missing_weights_are_said_by_workers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers, each in ((1, 40), (2, 1)):
        monkeypatch.setattr(batch, "PHOTOS_A_WORKER", each)
        with pytest.raises(WeightsWrong):
            run(tmp_path, PHOTOS, workers)
