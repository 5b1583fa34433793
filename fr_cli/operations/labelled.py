"""Labelled photos → templates, with everything that went wrong."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fr_cli.errors import FrError, QualityTooLow, UsageProblem
from fr_cli.face import batch
from fr_cli.face.pipeline import Choice
from fr_cli.face.quality import enforce, judge
from fr_cli.operations.bench import Bench
from fr_cli.operations.cache import Cache, Made
from fr_cli.operations.manifest import BadRow, Row, read_manifest, read_photo
from fr_cli.records import Listener, Template

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["reference", "probe", ""]

_ENROLLED = "this very photo is enrolled: compared with itself it measures nothing"


@dataclass(frozen=True, eq=False)
class Sample:
    """One photo and what its line says of it; `role` is empty where the protocol needs none.

    `template` is None where none could be made or the policy's quality floors refuse the photo;
    `ungated` is the same without those floors. `digest` is the SHA-256 of the photo's bytes,
    empty for one that could not be read.
    """

    subject: str
    role: Role
    columns: dict[str, str]
    template: Template | None
    ungated: Template | None = None
    image: str = ""
    line: int = 0
    digest: bytes = b""


@dataclass(frozen=True, eq=False)
class Enrolled:
    """Templates to search in: whose they are, vectors (n, d), and who should be among them.

    `failed` are references that could not be enrolled; `generation` is that of the home's gallery,
    None for references of the manifest.
    """

    subjects: Sequence[str]
    vectors: NDArray[np.float32]
    listed: frozenset[str]
    failed: int = 0
    generation: int | None = None


@dataclass
class Labelled:
    """All photos that can be used, in the order of their lines.

    `gallery` is the home's own, where its references are searched instead of those listed here;
    `passed_over` are references of the manifest that were left aside for it.
    """

    samples: list[Sample] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    passed_over: int = 0
    gallery: Enrolled | None = None

    def of(self, role: Role) -> list[Sample]:
        """The references, or the probes."""
        return [sample for sample in self.samples if sample.role == role]


def read_labelled(
    source: Path,
    bench: Bench,
    listener: Listener,
    *,
    face: Choice,
    needed: tuple[Role, ...] = ("reference", "probe"),
    columns: tuple[str, ...] = (),
    workers: int | None = None,
    kept: Cache | None = None,
    known: Callable[[bytes], bool] | None = None,
) -> Labelled:
    """Embed every photo of a manifest or folder with the home's model.

    `needed` are the roles that the protocol asks for; without any, roles are ignored. In a
    folder, the first photo of each subject by name is its reference and the others are probes.
    With probes only, a line without a role is a probe, and references are passed over. Templates
    that are `kept` are not made again; a photo that is `known` is enrolled, and left out.
    A photo that is listed twice is used once, and not at all if two subjects claim it: such
    lines come as bad rows. Raises UsageProblem if a role or a column is missing.
    """
    data = Labelled()
    rows = list(_rows(source, data, needed))
    for role in needed:
        if not any(known == role for _, known in rows):
            raise UsageProblem(
                f"{source} has no line with the role {role}.",
                hint="Its column `role` says reference or probe, and both are needed; or let every "
                "photo be both in turn, with --protocol leave-one-out.",
            )
    for name in columns:
        if not any(name in row.enrolment.extra for row, _ in rows):
            raise UsageProblem(
                f"{source} has no column {name!r}, or it is empty.",
                hint="Name columns of the manifest with --group-by.",
            )
    digests: dict[int, bytes] = {}
    with kept or nullcontext():
        made = _made(rows, bench.maker(face, gated=False), digests, kept, known, workers, listener)
    floors = bench.policy.quality_floors
    for place, (row, role) in enumerate(rows):
        if place not in made:
            data.bad_rows.append(BadRow(row.line, "", _ENROLLED, row.enrolment.image))
            continue
        template, ungated, why = _gated(made.pop(place), floors)
        if why:
            data.failures.append((row.enrolment.image, why))
        data.samples.append(
            Sample(
                row.enrolment.subject_id, role, _columns(row), template, ungated,
                row.enrolment.image, row.line, digests[place],
            )
        )  # fmt: skip
    _once(data)
    return data


def _rows(source: Path, data: Labelled, needed: tuple[Role, ...]) -> Iterator[tuple[Row, Role]]:
    met: set[str] = set()
    for row in read_manifest(source):
        if isinstance(row, BadRow):
            data.bad_rows.append(row)
            continue
        if not needed:
            yield row, ""
            continue
        if needed == ("probe",):
            if row.enrolment.extra.get("role", "probe") == "reference":
                data.passed_over += 1
            else:
                yield row, "probe"
            continue
        subject = row.enrolment.subject_id
        said = row.enrolment.extra.get("role")
        if source.is_dir():
            said = "probe" if subject in met else "reference"
            met.add(subject)
        if said == "reference":
            yield row, "reference"
        elif said == "probe":
            yield row, "probe"
        else:
            data.bad_rows.append(BadRow(row.line, "", f"the role is {said!r}"))


def _columns(row: Row) -> dict[str, str]:
    """The free columns, and those of the contract that say when and where from."""
    named = {
        name: value
        for name in ("captured_at", "source", "watchlist")
        if (value := getattr(row.enrolment, name))
    }
    return named | dict(row.enrolment.extra)


def _made(
    rows: list[tuple[Row, Role]],
    maker: batch.Maker,
    digests: dict[int, bytes],
    kept: Cache | None,
    known: Callable[[bytes], bool] | None,
    workers: int | None,
    listener: Listener,
) -> dict[int, Made]:
    """What was made of the photo of each row, by its place; without those that are `known`.

    `digests` is filled with the SHA-256 of each.
    """
    made: dict[int, Made] = {}

    def unseen() -> Iterator[tuple[tuple[int, bytes], bytes]]:
        for place, (row, _) in enumerate(listener.track(rows, "Embedding", len(rows))):
            try:
                photo = read_photo(row.path)
            except OSError:
                photo = b""  # refused by the decoder, and counted as a failure there
            digests[place] = hashlib.sha256(photo).digest() if photo else b""
            if known is not None and known(photo):
                continue
            if kept is not None and (found := kept.find(photo)) is not None:
                made[place] = found
            else:
                yield (place, photo), photo

    for (place, photo), one in batch.templates(unseen(), maker, workers=workers):
        if isinstance(one, FrError) and one.code not in range(20, 30):
            raise one
        made[place] = one
        if kept is not None:
            kept.keep(photo, one)
    return made


def _gated(made: Made, floors: Mapping[str, float]) -> tuple[Template | None, Template | None, str]:
    """The template under the policy's floors, the one without them, and why there is none."""
    if isinstance(made, FrError):
        return None, None, made.message
    quality = judge(made.quality.measures, floors)
    try:
        enforce(quality)
    except QualityTooLow as refused:
        return None, made, refused.message
    return Template(made.vector, made.fingerprint, quality), made, ""


def _once(data: Labelled) -> None:
    """Leave out the lines of a photo that is claimed by two subjects, or met before."""
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, sample in enumerate(data.samples):
        if sample.digest:
            places[sample.digest].append(place)
    out: dict[int, str] = {}
    for same in places.values():
        out |= _repeats([(place, data.samples[place]) for place in same]) if same[1:] else {}
    data.bad_rows += [
        BadRow(data.samples[place].line, "", reason, data.samples[place].image)
        for place, reason in sorted(out.items())
    ]
    data.samples = [sample for place, sample in enumerate(data.samples) if place not in out]


def _repeats(same: list[tuple[int, Sample]]) -> Iterable[tuple[int, str]]:
    """Which of the samples of one photo cannot be used, and why."""
    lines = {sample.subject: sample.line for _, sample in reversed(same)}
    if len(lines) > 1:
        for place, sample in same:
            other = next(line for subject, line in lines.items() if subject != sample.subject)
            yield place, f"line {other} says that the same photo is of another subject"
        return
    first = next((one for one in same if one[1].role == "reference"), same[0])
    for place, sample in same:
        if place == first[0]:
            continue
        if sample.role != first[1].role:
            yield (
                place,
                (
                    f"the photo is both reference (line {first[1].line}) and probe: compared with "
                    "itself it measures nothing"
                ),
            )
        else:
            yield place, f"the same photo as line {first[1].line}"
