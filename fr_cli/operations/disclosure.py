"""A case's entries for somebody outside: with proofs, the key, and how to check them without fr."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fr_cli.audit.canonical import JSON
from fr_cli.audit.line import Line
from fr_cli.audit.note import Note
from fr_cli.audit.reader import Reading
from fr_cli.audit.show import ActRecord, acts
from fr_cli.errors import ConfigurationError, UsageProblem
from fr_cli.keys import AUDIT_PUBLIC
from fr_cli.operations.approvals import approved
from fr_cli.operations.audit import log_of, prove_entry
from fr_cli.operations.bench import Bench
from fr_cli.operations.disclosure_pages import Case, write_pages
from fr_cli.operations.extract import as_csv, rows_of
from fr_cli.operations.grounds import reasoned
from fr_cli.operations.kept import find
from fr_cli.records import Head, Listener, Silence

#: What entries name by the SHA-256 of its file, and how such a file is called.
IN_FORCE = {"policy": ".yaml", "calibration": ".json", "evaluation": ".json"}


@dataclass(frozen=True)
class Bundle:
    """What was handed out: the folder, and the SHA-256 (hex) of its SHA256SUMS."""

    out: Path
    acts: int
    entries: int
    files: list[str]
    sums: str
    note: Note
    head: Head


def export(
    case: str, recipient: str, out: Path, bench: Bench, listener: Listener, *, reason: str = ""
) -> Bundle:
    """Write the bundle of a case to a new folder, which appears when the log has the outcome.

    UsageProblem if the folder exists, or if the log has nothing of that case.
    """
    if out.exists():
        raise UsageProblem(f"{out} is there already.", hint="Give a new folder by --out.")
    why: dict[str, JSON] = {"case": case, **reasoned(reason)}
    with _draft(out) as draft:
        with bench.act("audit export", "disclosure", why=why, to=recipient) as act:
            approved(bench, "export", {"case": case, "to": recipient})
            found = _case(case, recipient, bench, listener)
            reading = _proven(found, bench, listener)
            files = _write(draft, found, reading, bench)
            sums = hashlib.sha256((draft / "SHA256SUMS").read_bytes()).hexdigest()
            head = found.note.head
            act.decide(entries=len(reading.chosen), sums=sums, size=head.size, root=head.root)
        draft.rename(out)
    entries = len(reading.chosen)
    return Bundle(out, len(found.acts), entries, files, sums, found.note, act.head)


@contextlib.contextmanager
def _draft(out: Path) -> Iterator[Path]:
    draft = out.with_name(f".{out.name}.new")
    try:
        draft.mkdir(mode=0o700)
    except OSError as trouble:
        raise ConfigurationError(
            f"The folder {out} cannot be made: {trouble.strerror}.",
            hint=f"Choose another by --out, or remove {draft} if an export was broken off.",
        ) from trouble
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _case(name: str, recipient: str, bench: Bench, listener: Listener) -> Case:
    """The acts done for the case, and the later ones that name one of these by its id."""
    erased = 0

    def lines(reading: Reading) -> Iterator[Line]:
        nonlocal erased
        for line in reading:
            erased += line.body is None
            yield line

    reading = log_of(bench.site.home).read(listener=listener)
    chosen: list[ActRecord] = []
    ids: set[str] = set()
    for act in acts(lines(reading)):
        looking = act.command.startswith("audit ")
        if act.why.get("case") == name or (not looking and act.mentions(ids)):
            chosen.append(act)
            ids.add(act.req)
    if all(act.command == "audit export" for act in chosen):  # earlier ones that found nothing
        raise UsageProblem(
            f"The log has no entry of the case {name!r}.",
            hint="Cases are compared letter by letter.",
        )
    chosen.sort(key=lambda one: one.seqs[0])
    return Case(name, recipient, chosen, reading.note, erased)


def _proven(case: Case, bench: Bench, listener: Listener) -> Reading:
    wanted = {seq for act in case.acts for seq in act.seqs}
    log = log_of(bench.site.home)
    reading = log.read(
        upto=case.note.head.size, choose=lambda line: line.size - 1 in wanted, listener=listener
    )
    return reading.through()


def _write(draft: Path, case: Case, reading: Reading, bench: Bench) -> list[str]:
    for folder in ("entries", "proofs"):
        (draft / folder).mkdir()
    for index in reading.chosen:
        proof = reading.inclusion(index)
        (draft / "entries" / f"{index}.json").write_bytes(proof.extra)
        (draft / "proofs" / f"{index}.tlog-proof").write_text(proof.text(), encoding="utf-8")
    (draft / "head.note").write_text(reading.note.text(), encoding="utf-8")
    shutil.copyfile(bench.site.keys / AUDIT_PUBLIC, draft / AUDIT_PUBLIC)
    _key_changes(draft, case, reading, bench)
    (draft / "acts.csv").write_text(as_csv(rows_of(case.acts)), encoding="utf-8")
    _in_force(draft, case, bench)
    write_pages(draft, case, reading.note, len(reading.chosen), draft / AUDIT_PUBLIC)
    files = sorted(str(file.relative_to(draft)) for file in draft.rglob("*") if file.is_file())
    digests = {name: hashlib.sha256((draft / name).read_bytes()).hexdigest() for name in files}
    manifest = _manifest(case, reading, digests)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (draft / "manifest.json").write_text(text, encoding="utf-8")
    digests["manifest.json"] = hashlib.sha256((draft / "manifest.json").read_bytes()).hexdigest()
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    (draft / "SHA256SUMS").write_text(sums)
    return [*sorted(digests), "SHA256SUMS"]


def _key_changes(draft: Path, case: Case, reading: Reading, bench: Bench) -> None:
    """Add the proof of each change of the log's key: they lead from audit.pub to the head's."""
    log = log_of(bench.site.home)
    for number, index in enumerate(reading.changes, start=1):
        proof = prove_entry(log, str(index), upto=index + 1, listener=Silence())
        name = f"key-changes/{number:03d}.tlog-proof"
        (draft / name).parent.mkdir(exist_ok=True)
        (draft / name).write_text(proof.text(), encoding="utf-8")
        case.extra[name] = f"a later key of the log, as entry {index} names it"


def _in_force(draft: Path, case: Case, bench: Bench) -> None:
    """Add what was in force at the case's acts: each file that the entries name by its SHA-256."""
    for kind, suffix in IN_FORCE.items():
        named = sorted(case.digests(kind))
        for digest in named:
            data = find(bench.site, digest)
            if data is None:
                case.gone.append(f"{kind} {digest}")
                continue
            name = f"{kind}{suffix}" if len(named) == 1 else f"{kind}-{digest[:12]}{suffix}"
            (draft / name).write_bytes(data)
            case.extra[name] = f"the {kind} in force; the entries name its SHA-256"


def _manifest(case: Case, reading: Reading, digests: dict[str, str]) -> dict[str, Any]:
    head = reading.note.head
    return {
        "schema": "fr/disclosure/1",
        "case": case.name,
        "to": case.recipient,
        "origin": reading.note.origin,
        "head": {"size": head.size, "root": head.root},
        "acts": [{"id": act.req, "command": act.command, "entries": act.seqs} for act in case.acts],
        "policies": sorted(case.digests("policy")),
        "calibrations": sorted(case.digests("calibration")),
        "evaluations": sorted(case.digests("evaluation")),
        "erased_in_log": case.erased,
        "files": digests,
    }
