"""fr beside what one would pick instead: same photos, same machine, same run.

    python -m tests.benchmarks.peers [--manifest FILE] [--exclude PAIRS] [--deepface PYTHON]
        [--dlib PYTHON] [--facenet] [--only WORD] [--every N] [--searches 20]
        [--rounds 3]

A manifest of `fr evaluate`; without one the made-up people of openpeople, too few for any rate.
--deepface and --dlib name interpreters that have DeepFace (with tf-keras, for its default engine)
and face_recognition; what one of them cannot import is left out, with a word. The weights of
DeepFace's default model are in no package: SFace stands for it, with --facenet Facenet beside it.
To save time --every takes every n-th of the people with references, and one probe of each, and
--only the tools with a word in their name, beside fr.

The first table is of whole processes with all their children: CPU ms a photo to enrol all
references; CPU s of one search in a process of its own, the median of rounds in which the tools
take turns; CPU ms of each further search in one process; the most that one process held.

The second is of answers, by the protocol of `fr evaluate`: `any` compares every face of a photo, as
the tools do by default, `middle` the face that an operator means. Then what each tool's own
threshold gives: how many probes of people without a reference have somebody's name put to them.
Intervals are those of 95 %.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fr_cli.errors import NoFace, QualityTooLow, SeveralFaces
from fr_cli.evaluation.at_threshold import at_threshold
from fr_cli.evaluation.listed import Listed, search_lists
from fr_cli.evaluation.points import points
from fr_cli.face.pipeline import FacePipeline
from fr_cli.operations.exclusions import read_exclusions
from fr_cli.operations.manifest import Row, read_manifest
from tests.benchmarks import peer_tools
from tests.benchmarks.cold import measured
from tests.benchmarks.cost import PEOPLE
from tests.benchmarks.peer_tools import Names, Photos, Tool

#: How far each reference (column) is from each probe (row); inf where nothing was compared.
Distances = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--exclude", type=Path)
    parser.add_argument("--deepface", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--dlib", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--facenet", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--searches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        photos = _laid(Path(name), rows(options.manifest, options.every), options.exclude)
        people = set(photos.reference_subjects)
        mated = sum(subject in people for subject in photos.probe_subjects)
        print(
            f"{len(photos.references):,} references of {len(people):,} people, {mated:,} probes "
            f"of them, {len(photos.probes) - mated:,} probes of others"
        )
        ours, single = _ours(photos)
        fr = peer_tools.ours(photos.folder)
        others = [
            *peer_tools.deepface(photos, options.deepface, options.facenet),
            *peer_tools.dlib(photos, options.dlib),
        ]
        tools = [fr, *(tool for tool in others if options.only in tool.name)]
        asked = [photos.probes[n] for n in single if photos.probe_subjects[n] in people]
        _costs(tools, asked[: 1 + options.searches], len(photos.references), options.rounds)
        _rates(tools, photos, ours, _threshold(fr, asked[0]))


def rows(manifest: Path | None, every: int) -> list[tuple[Path, str, str]]:
    """Photo, subject and role of each line that takes part."""
    lines = list(_made_up() if manifest is None else _listed(manifest))
    if every == 1:
        return lines
    people = sorted({subject for _, subject, role in lines if role == "reference"})
    chosen, seen = set(people[::every]), set()
    taken = []
    for path, subject, role in lines:
        if subject in people:
            if subject not in chosen or (subject, role) in seen:
                continue
            seen.add((subject, role))
        taken.append((path, subject, role))
    return taken


def _laid(folder: Path, rows: Sequence[tuple[Path, str, str]], exclude: Path | None) -> Photos:
    names: dict[str, Names] = {"reference": [], "probe": []}
    subjects: dict[str, Names] = {"reference": [], "probe": []}
    for role in names:
        (folder / role).mkdir()
    for path, subject, role in rows:
        place = folder / role / f"{len(names[role]):06}.jpg"
        shutil.copyfile(path, place)
        names[role].append(str(place))
        subjects[role].append(subject)
    feed = zip(subjects["reference"], names["reference"], strict=True)
    with (folder / "feed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("subject_id", "image"), *feed])
    return Photos(
        folder, names["reference"], subjects["reference"], names["probe"], subjects["probe"],
        read_exclusions(exclude).every,
    )  # fmt: skip


def _listed(manifest: Path) -> Iterator[tuple[Path, str, str]]:
    for row in read_manifest(manifest):
        if isinstance(row, Row):
            yield row.path, row.enrolment.subject_id, row.enrolment.extra["role"]


def _made_up() -> Iterator[tuple[Path, str, str]]:
    """The portraits of seven people are the gallery, the selfies of all ten the probes."""
    for number, who in enumerate(sorted(PEOPLE.iterdir())):
        if number < 7:
            yield who / "assets" / "studio_portrait.jpg", who.name, "reference"
        yield who / "assets" / "amateur_selfie.jpg", who.name, "probe"


def _ours(photos: Photos) -> tuple[Distances, list[int]]:
    """1 − cosine, and the probes that show one face; says of how many photos fr asks which."""
    single, several = [], {"reference": 0, "probe": 0}
    with FacePipeline.load() as pipeline:

        def vector(number: int, name: str, role: str) -> Distances | None:
            photo = Path(name).read_bytes()
            try:
                try:
                    made = pipeline.template(photo).vector
                    single.extend([number] * (role == "probe"))
                except SeveralFaces:
                    several[role] += 1
                    made = pipeline.template(photo, "central").vector
            except (NoFace, QualityTooLow):
                return None
            return made

        known = [vector(n, name, "reference") for n, name in enumerate(photos.references)]
        asked = [vector(n, name, "probe") for n, name in enumerate(photos.probes)]
    print(
        f"fr asks which face is meant of {several['reference']:,} references and "
        f"{several['probe']:,} probes; here the one in the middle",
        flush=True,
    )
    distances = np.full((len(asked), len(known)), np.inf, np.float32)
    rows = [n for n, one in enumerate(asked) if one is not None]
    columns = [n for n, one in enumerate(known) if one is not None]
    probes = np.stack([one for one in asked if one is not None])
    references = np.stack([one for one in known if one is not None])
    distances[np.ix_(rows, columns)] = 1 - probes @ references.T
    return distances, single


def _threshold(fr: Tool, photo: str) -> float:
    """The distance of the threshold that fr answers with in this gallery."""
    command = [*fr.search(photo), "--json"]
    done = subprocess.run(command, env=fr.environment, check=True, capture_output=True)
    return 1 - float(json.loads(done.stdout)["threshold"]["cosine"])


def _costs(tools: Sequence[Tool], asked: Names, references: int, rounds: int) -> None:
    enrolled = {
        tool.name: measured(tool.enroll, tool.environment, fine=(0, 100))
        for tool in tools
        if tool.enroll
    }
    alone: dict[str, list[tuple[float, float]]] = {tool.name: [] for tool in tools}
    for turn in range(rounds):
        for tool in tools:
            if turn == 0 or tool.enroll:  # whoever enrols at every search is asked once
                alone[tool.name].append(measured(tool.search(asked[0]), tool.environment))
    print(f"{'':36} {'enrol, ms':>10} {'search, s':>10} {'further, ms':>12} {'peak, MB':>9}")
    for tool in tools:
        cold = statistics.median(cpu for cpu, _ in alone[tool.name])
        peaks = [peak for _, peak in alone[tool.name]]
        cells = ["each time", f"{cold:.2f}", "-"]
        if tool.enroll:
            cpu, peak = enrolled[tool.name]
            cells[0] = f"{1000 * cpu / references:.1f}"
            peaks.append(peak)
        if tool.several and len(asked) > 1:
            cpu, peak = measured(tool.several(asked), tool.environment)
            first, _ = measured(tool.several(asked[:1]), tool.environment)
            cells[2] = f"{1000 * (cpu - first) / (len(asked) - 1):.0f}"
            peaks.append(peak)
        print(
            f"{tool.name:36} {cells[0]:>10} {cells[1]:>10} {cells[2]:>12} {max(peaks):>9.0f}",
            flush=True,
        )


def _rates(tools: Sequence[Tool], photos: Photos, ours: Distances, threshold: float) -> None:
    print(
        f"{'':36} {'no face':>9} {'rank 1':>7} {'TPIR, FPIR 1 %':>19} {'0.1 %':>19} "
        f"{'own threshold: TPIR':>19}  FPIR"
    )
    print(row("fr, middle", ours, threshold, photos), flush=True)
    for tool in tools:
        if tool.answers:
            file = photos.folder / "answers.npz"
            measured(tool.answers(file), tool.environment)
            with np.load(file) as said:
                for faces, of in (("any", "any"), ("middle", "central")):
                    name = f"{tool.name}, {faces}"
                    print(row(name, said[of], float(said["threshold"]), photos), flush=True)


def row(name: str, distances: Distances, threshold: float, photos: Photos) -> str:
    """One line of the second table; distances at most the threshold are what the tool lists."""
    numbers = {s: n for n, s in enumerate({*photos.reference_subjects, *photos.probe_subjects})}
    compared = np.isfinite(distances)
    probe, reference = np.nonzero(compared)
    pairs = [[numbers[one] for one in pair if one in numbers] for pair in photos.excluded]
    listed = Listed(
        probe, reference, -distances[probe, reference].astype(np.float64),
        np.array([numbers[subject] for subject in photos.probe_subjects]),
        np.array([numbers[subject] for subject in photos.reference_subjects]),
        np.asarray(compared.any(axis=1)), np.asarray(compared.any(axis=0)),
        np.full(len(photos.probes), -1), len(numbers),
    )  # fmt: skip
    listed = listed.without([(pair[0], pair[1]) for pair in pairs if len(pair) == 2])
    (found,) = search_lists(listed, [np.ones(len(numbers), bool)], "best")
    own = at_threshold(found, -threshold)
    cells = [
        _percent(point["tpir"], point["tpir_low"], point["tpir_high"])
        for point in points(found, targets=(0.01, 0.001))
    ]
    cells.append(_percent(own.tpir.value, own.tpir.low, own.tpir.high))
    missing = f"{np.sum(~listed.enrolled)} + {np.sum(~listed.acquired)}"
    return (
        f"{name:36} {missing:>9} {_percent(own.rank1.value):>7} "
        + " ".join(f"{cell:>19}" for cell in cells)
        + f"  {own.fpir.cases:,} of {own.fpir.of:,}: "
        + _percent(own.fpir.value, own.fpir.low, own.fpir.high)
    )


def _percent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    if value is None:
        return "-"
    between = "" if low is None or high is None else f" ({100 * low:.1f} … {100 * high:.1f})"
    return f"{100 * value:.1f}{between}"


if __name__ == "__main__":
    main()
