"""A labelled manifest → references and probes as templates, with everything that went wrong."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fr_cli.errors import FrError, UsageProblem
from fr_cli.face import batch
from fr_cli.face.pipeline import Choice
from fr_cli.operations.bench import Bench
from fr_cli.operations.manifest import BadRow, Row, read_manifest, read_photo
from fr_cli.records import Listener, Template

Role = Literal["reference", "probe"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of the manifest; `template` is None where none could be made."""

    subject: str
    role: Role
    columns: dict[str, str]
    template: Template | None


@dataclass
class Labelled:
    """All images of a manifest, in its order."""

    samples: list[Sample] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    shared: int = 0

    def of(self, role: Role) -> list[Sample]:
        """The references, or the probes."""
        return [sample for sample in self.samples if sample.role == role]


def read_labelled(
    manifest: Path,
    bench: Bench,
    listener: Listener,
    *,
    face: Choice,
    columns: tuple[str, ...] = (),
    workers: int | None = None,
) -> Labelled:
    """Embed every image of the manifest with the home's model and the policy's floors.

    Raises UsageProblem if the manifest has no references, no probes, or lacks a column.
    """
    data = Labelled()
    rows = list(_rows(manifest, data))
    for role in ("reference", "probe"):
        if not any(row.enrolment.extra["role"] == role for row in rows):
            raise UsageProblem(
                f"{manifest} has no line with the role {role}.",
                hint="Its column `role` says reference or probe; both are needed.",
            )
    for name in columns:
        if not any(name in row.enrolment.extra for row in rows):
            raise UsageProblem(
                f"{manifest} has no column {name!r}, or it is empty.",
                hint="Name columns of the manifest with --group-by.",
            )
    embedded = batch.templates(_photos(rows, data, listener), bench.maker(face), workers=workers)
    for row, template in embedded:
        if isinstance(template, FrError):
            if template.code not in range(20, 30):
                raise template
            data.failures.append((row.enrolment.image, template.message))
        data.samples.append(
            Sample(
                row.enrolment.subject_id,
                "reference" if row.enrolment.extra["role"] == "reference" else "probe",
                dict(row.enrolment.extra),
                None if isinstance(template, FrError) else template,
            )
        )
    return data


def _rows(manifest: Path, data: Labelled) -> Iterator[Row]:
    for row in read_manifest(manifest):
        if isinstance(row, BadRow):
            data.bad_rows.append(row)
        elif (role := row.enrolment.extra.get("role")) not in ("reference", "probe"):
            data.bad_rows.append(BadRow(row.line, "", f"the role is {role!r}"))
        else:
            yield row


def _photos(rows: list[Row], data: Labelled, listener: Listener) -> Iterator[tuple[Row, bytes]]:
    roles: dict[bytes, str] = {}
    for row in listener.track(rows, "Embedding", len(rows)):
        try:
            photo = read_photo(row.path)
        except OSError:
            photo = b""  # refused by the decoder, and counted as a failure there
        else:
            role = row.enrolment.extra["role"]
            data.shared += roles.setdefault(hashlib.sha256(photo).digest(), role) != role
        yield row, photo


def read_exclusions(path: Path | None) -> frozenset[frozenset[str]]:
    """Pairs of subjects not to be compared, from the columns subject_a and subject_b."""
    if path is None:
        return frozenset()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return frozenset(
                frozenset((line["subject_a"].strip(), line["subject_b"].strip()))
                for line in csv.DictReader(file)
            )
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as trouble:
        raise UsageProblem(
            f"The exclusions {path} cannot be read: {trouble}.",
            hint="Give a CSV table with the columns subject_a and subject_b.",
        ) from trouble
