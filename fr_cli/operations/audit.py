"""Checking the log and proving what is in it: by its file and public keys, with nothing written.

None of this needs the home's private keys, and all but `log_of` of a home needs no home.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from fr_cli.audit.canonical import parse
from fr_cli.audit.line import Line
from fr_cli.audit.note import Note, WitnessKey, read_note, read_vkey
from fr_cli.audit.reader import Chooser, Log
from fr_cli.audit.receipt import Consistency, Inclusion, read_proof
from fr_cli.audit.rotation import Rotation
from fr_cli.audit.trust import Keys, Trusted, changed, check_signed
from fr_cli.audit.verify import Verification, verify_log
from fr_cli.audit.witness import fork
from fr_cli.errors import AuditBroken, ConfigurationError, UsageProblem
from fr_cli.keys import AUDIT_PUBLIC, load_public_key
from fr_cli.records import Head, Listener
from fr_cli.site import open_site

#: Bytes of a file that somebody sent; proofs and heads are far smaller.
MAX_FILE = 1_000_000


def log_of(home: Path, log: Path | None = None, key: Path | None = None) -> Log:
    """The log of a home, or one outside of a home with the key that it needs."""
    if log is None:
        site = open_site(home)
        public = key or site.keys / AUDIT_PUBLIC
        return Log(site.audit / "audit.jsonl", _public(public), site.origin)
    if key is None:
        raise UsageProblem("A log outside a home needs the public key.", hint="Give it by --key.")
    return Log(log, _public(key))


def key_of(home: Path, key: Path | None) -> Path:
    """The file of the key that was given, else of the home's own."""
    return key or open_site(home).keys / AUDIT_PUBLIC


def _public(key: Path) -> bytes:
    return load_public_key(key).public_bytes_raw()


def trusted(key: Path, changes: list[Path]) -> Keys:
    """The keys of a log from its first one and the proof of each change since, in their order.

    Such a proof is that of a rotation entry to its own head: `fr audit prove SEQ --to SEQ+1`.
    """
    keys: Keys = (Trusted(_public(key)),)
    for file in changes:
        proof = read_proof(read_file(file))
        if not isinstance(proof, Inclusion) or proof.index != proof.note.head.size - 1:
            raise AuditBroken(f"{file} is not the proof of a change of key at its own head.")
        proof.check(keys)
        try:
            rotation = Rotation.of(proof.entry or {})
        except ValueError as trouble:
            raise AuditBroken(f"{file} holds an entry that {trouble}.") from None
        keys = changed(keys, rotation, proof.root_before(), proof.note)
    return keys


def read_file(path: Path) -> bytes:
    """The bytes of a proof or a head; UsageProblem if there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE)
    except OSError as trouble:
        raise UsageProblem(f"{path} cannot be read: {trouble.strerror}.") from trouble


def write_file(path: Path, content: bytes) -> None:
    """Write a head, a proof or a request; ConfigurationError if it cannot be."""
    try:
        path.write_bytes(content)
    except OSError as trouble:
        raise ConfigurationError(
            f"{path} cannot be written: {trouble.strerror}.", hint="Choose another file by --out."
        ) from trouble


@dataclass(frozen=True)
class Seen:
    """A head that was kept elsewhere, and who signed it when (POSIX seconds)."""

    file: Path
    head: Head
    witnesses: dict[str, int]


def verify(
    log: Log,
    *,
    full: bool,
    witnessed: list[Path],
    witness_keys: list[Path],
    max_age: float | None,
    listener: Listener,
) -> tuple[Verification, list[Seen]]:
    """Check the whole log, and that it extends each head that was kept elsewhere.

    With witness keys, each of these heads must be signed by at least one of them; with `max_age`
    (hours), the newest of these signatures must not be older.
    """
    seen = [_seen(file, log, witness_keys) for file in witnessed]
    if max_age is not None:
        _recent(seen, max_age)
    heads = [one.head for one in seen]
    result = verify_log(
        log.path, log.public, log.origin, full=full, witnessed=heads, listener=listener
    )
    return result, seen


def _seen(file: Path, log: Log, witness_keys: list[Path]) -> Seen:
    # The log's own signature on it need not be checked: the log holds this head, or fails.
    note = read_note(read_file(file))
    if note.origin != log.named:
        raise AuditBroken(f"{file} is a head of another log, {note.origin}.")
    times = {key.name: key.time_of(note) for key in map(_witness_key, witness_keys)}
    signed = {name: when for name, when in times.items() if when is not None}
    if witness_keys and not signed:
        raise AuditBroken(
            f"{file} is signed by none of these witnesses.",
            hint="Have it signed with: fr audit witness, on the witness's machine.",
        )
    return Seen(file, note.head, signed)


def _recent(seen: list[Seen], hours: float) -> None:
    newest = max((when for one in seen for when in one.witnesses.values()), default=None)
    if newest is None:
        raise UsageProblem(
            "The age of a head is known only from a witness's signature.",
            hint="Give the head by --witnessed and the witness's key by --witness-key.",
        )
    age = (time.time() - newest) / 3600
    if not -1 <= age <= hours:  # an hour for clocks that differ
        raise AuditBroken(
            f"The newest witnessed head is {age:.1f} hours old; {hours:g} are allowed.",
            hint="What was written since is not protected: have the log witnessed now.",
        )


def _witness_key(file: Path) -> WitnessKey:
    try:
        return read_vkey(file.read_text())
    except (OSError, ValueError) as trouble:
        raise ConfigurationError(
            f"The witness's key {file} cannot be read: {trouble}.",
            hint="Give the witness.vkey that the witness published.",
        ) from trouble


def prove(
    log: Log, entry: str | None, old: int | None, upto: int | None, listener: Listener
) -> Inclusion | Consistency:
    """The proof of an entry, or that the log extends its head of the size `old`."""
    if entry is not None and old is None:
        return prove_entry(log, entry, upto=upto, listener=listener)
    if entry is None and old is not None:
        return prove_growth(log, old, upto=upto, listener=listener)
    raise UsageProblem(
        "Either an entry can be proven, or growth.", hint="Give ENTRY, or --from SIZE."
    )


def prove_entry(log: Log, entry: str, *, upto: int | None, listener: Listener) -> Inclusion:
    """The proof of an entry by its number `seq`, or of the last entry of an act by its id."""
    choose = _chooser(entry)
    reading = log.read(upto=upto, choose=choose, listener=listener).through()
    if not reading.chosen:
        raise UsageProblem(
            f"The log has no entry {entry!r} up to the head of {reading.note.head.size} entries.",
            hint="Give an entry's seq, counted from 0, or an act's id; see: fr audit show",
        )
    return reading.inclusion(reading.chosen[-1])


def _chooser(entry: str) -> Chooser:
    if re.fullmatch(r"[0-9]{1,15}", entry):
        size = int(entry) + 1
        return lambda line: line.size == size
    if re.fullmatch(r"[0-9a-f]{32}", entry):
        return lambda line: _is_of(line, entry)
    raise UsageProblem(
        f"{entry!r} is neither an entry's number nor an act's id.",
        hint="Give the seq of an entry, counted from 0, or the 32 digits of a search id.",
    )


def _is_of(line: Line, req: str) -> bool:
    # The search for the text spares reading most lines as JSON.
    body = line.body
    return body is not None and req.encode() in body and parse(body).get("req") == req


def prove_growth(log: Log, old: int, *, upto: int | None, listener: Listener) -> Consistency:
    """The proof that the log begins with what it was when it had `old` entries."""
    reading = log.read(upto=upto, choose=lambda line: line.size == old, listener=listener).through()
    if old > reading.note.head.size:
        raise UsageProblem(
            f"The log has {reading.note.head.size} entries, so it cannot extend one of {old}.",
            hint="If a head of that size was ever seen, the log was cut: keep that head.",
        )
    return reading.consistency(old)


def check_proof(
    file: Path, keys: Keys, old: Path | None
) -> tuple[Inclusion | Consistency | Note, Note | None]:
    """Check a proof, or compare two heads of one size; AuditBroken if it does not hold.

    With `old`, the head of an entry's proof must be that one.
    """
    proof = read_proof(read_file(file))
    if isinstance(proof, Inclusion):
        proof.check(keys)
    note = proof if isinstance(proof, Note) else proof.note
    check_signed(note, keys)
    if old is None:
        if isinstance(proof, Inclusion):
            return proof, None
        raise UsageProblem(
            "This proof is about two heads, and says nothing without the older one.",
            hint="Give the head that you kept: --head FILE",
        )
    before = read_note(read_file(old))
    check_signed(before, keys)
    _compare(before, note, proof)
    return proof, before


def _compare(before: Note, note: Note, proof: Inclusion | Consistency | Note) -> None:
    if before.origin != note.origin:
        raise AuditBroken(f"These are heads of two logs: {before.origin} and {note.origin}.")
    if before.head == note.head:
        return
    same_size = before.head.size == note.head.size
    if isinstance(proof, Consistency) and proof.old == before.head.size and not same_size:
        if proof.follows(before.head):
            return
    elif not same_size:
        low, high = sorted((before.head.size, note.head.size))
        raise UsageProblem(
            f"Heads of {before.head.size} and {note.head.size} entries need a proof.",
            hint=f"Ask the log's owner for: fr audit prove --from {low} --to {high}",
        )
    raise fork(before.head, note.head, note.origin)
