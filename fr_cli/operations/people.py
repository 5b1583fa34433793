"""Who is meant, of those who are enrolled: by what the feed says of them, or by their ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fr_cli.casework import watchlists as rules
from fr_cli.errors import SubjectUnknown, UsageProblem
from fr_cli.gallery.frame import described
from fr_cli.gallery.store import Store

#: Bytes of a file of ids; 10,000 of them are far smaller.
MAX_FILE = 4_000_000


@dataclass(frozen=True)
class People:
    """Who is meant: by conditions (`COLUMN=VALUE`, all on one reference), by id, by a file of ids.

    One id a line. `reason` is why they are put on a watchlist or taken off it.
    """

    where: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    file: Path | None = None
    reason: str = ""

    @property
    def given(self) -> bool:
        """Whether anybody is meant."""
        return bool(self.where or self.subjects or self.file)


def selected_by(people: People, store: Store) -> dict[int, str]:
    """Who is meant: subjects (pk), each with the random id.

    UsageProblem or SubjectUnknown if nobody is, or an id is nobody's.
    """
    wanted, named = rules.conditions(people.where), _ids(people)
    if bool(wanted) == bool(named):
        raise UsageProblem(
            "Either conditions or ids say who is meant.",
            hint="Give --where COLUMN=VALUE, or --subject ID, or --subjects FILE.",
        )
    if named:
        return _by_id(store, named)
    columns: set[str] = set()
    met: dict[int, str] = {}
    for one in described(store):
        columns.update(one.columns)
        if rules.meets(one.columns, wanted):
            met[one.subject] = one.subject_uid
    for column, _ in wanted:
        if column not in columns:
            raise UsageProblem(
                f"No reference has a column {column!r}.",
                hint=f"There are: {', '.join(sorted(columns))}.",
            )
    if not met:
        raise UsageProblem(
            "Nobody is enrolled with " + " and ".join(map("=".join, wanted)) + ".",
            hint="Values are compared letter by letter, all of them with one reference.",
        )
    return met


def _by_id(store: Store, named: list[str]) -> dict[int, str]:
    subjects = {name: store.subject(name) for name in named}
    absent = [name for name, one in subjects.items() if one is None]
    if absent:
        raise SubjectUnknown(f"Nobody is enrolled as {rules.named(absent)}.")
    return {one.pk: one.uid for one in subjects.values() if one is not None}


def _ids(people: People) -> list[str]:
    if people.file is None:
        return [*people.subjects]
    try:
        with people.file.open(encoding="utf-8-sig") as file:
            lines = file.read(MAX_FILE).splitlines()
    except (OSError, UnicodeDecodeError) as trouble:
        what = trouble.strerror if isinstance(trouble, OSError) else "it is not UTF-8"
        raise UsageProblem(
            f"The file of ids {people.file} cannot be read: {what}.",
            hint="It is a text in UTF-8 with one subject id a line.",
        ) from trouble
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise UsageProblem(f"There is no id in {people.file}.")
    return [*people.subjects, *ids]
