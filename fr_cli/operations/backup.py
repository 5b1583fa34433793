"""Copy the gallery to one file, under a key of its own that expires."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fr_cli.audit.backwards import newest_first
from fr_cli.audit.canonical import parse
from fr_cli.audit.line import read_line
from fr_cli.errors import ConfigurationError
from fr_cli.gallery import backup as files
from fr_cli.gallery.backup import BackupKey, Header
from fr_cli.gallery.copying import copied
from fr_cli.operations.bench import Bench
from fr_cli.operations.erasures import BACKUP
from fr_cli.records import Head, utc


@dataclass(frozen=True)
class Backup:
    """A backup that was made; `destroyed` are older ones (ids), whose keys expired."""

    header: Header
    file: Path
    key: Path
    subjects: int
    references: int
    size: int
    destroyed: tuple[str, ...]
    head: Head


def backup(target: Path, key: Path | None, bench: Bench) -> Backup:
    """Copy the gallery to a new file, or to one in the folder `target`, under a key of its own.

    Others enrol, search and purge meanwhile. The key goes to the file or folder `key`, by default
    into the home's keys. Raises ConfigurationError if one of them cannot be written, or if both
    would lie in one folder.
    """
    at = datetime.now(UTC)
    expires = utc(at + timedelta(days=_days(bench)))
    header = Header(secrets.token_hex(16), bench.site.origin, utc(at), expires)
    file, key_file = _places(target, key, header, bench)
    # Each backup repeats the last day of all of them, so that a purge need only find the newest.
    until = max(expires, last_expiry(bench) or "")
    with bench.act(BACKUP, "administration", backup=header.id, expires=expires, until=until) as act:
        destroyed = _destroy_expired(bench)
        with bench.gallery(act) as gallery, copied(gallery) as copy:
            made = BackupKey.create(header, key_file)
            try:
                size = files.write(file, made, copy.pieces())
            except BaseException:
                with contextlib.suppress(ConfigurationError):  # of which the first trouble is said
                    made.destroy()
                raise
            act.decide(
                backup=header.id, subjects=len(copy.keys), references=copy.references,
                destroyed=[*destroyed],
            )  # fmt: skip
    counts = (len(copy.keys), copy.references, size)
    return Backup(header, file, key_file, *counts, destroyed, act.head)


def _days(bench: Bench) -> int:
    """For how long the key of a backup is kept, which its intent says."""
    try:
        return bench.policy.backup_days
    except ConfigurationError:
        with bench.act(BACKUP, "administration"):  # refused there, so that the attempt is logged
            raise


def expire(bench: Bench) -> tuple[str, ...]:
    """Destroy the keys of backups whose time is over; the ids of these backups."""
    with bench.act(BACKUP, "administration", expire=True) as act:
        destroyed = _destroy_expired(bench)
        act.decide(destroyed=[*destroyed])
    return destroyed


def keys_folder(bench: Bench) -> Path:
    """Where the keys of backups lie if nothing else is said."""
    return bench.site.keys / "backups"


def expired(bench: Bench) -> list[BackupKey]:
    """The keys of backups in the home whose time is over."""
    keys = []
    for path in sorted(keys_folder(bench).glob("*.key")):
        with contextlib.suppress(ConfigurationError):  # no key, or half of one after a crash
            keys.append(BackupKey.load(path))
    now = utc(datetime.now(UTC))
    return [key for key in keys if key.header.expires <= now]


def _destroy_expired(bench: Bench) -> tuple[str, ...]:
    destroyed = []
    for key in expired(bench):
        key.destroy()
        destroyed.append(key.header.id)
    return tuple(destroyed)


def last_expiry(bench: Bench) -> str | None:
    """When the last key expires that opens a backup made so far; None if there is none."""
    for line in newest_first(bench.audit.path):
        if b'"until":' in line and b'"cmd":"gallery backup"' in line:
            entry = parse(read_line(line).body or b"{}")
            if entry["cmd"] == BACKUP and "until" in entry:
                until = str(entry["until"])
                return until if until > utc(datetime.now(UTC)) else None
    return None


def _places(target: Path, key: Path | None, header: Header, bench: Bench) -> tuple[Path, Path]:
    stamp = header.made.replace("-", "").replace(":", "")
    file = target / f"gallery-{stamp}-{header.id[:8]}.backup" if target.is_dir() else target
    place = key or keys_folder(bench)
    key_file = place / f"{header.id}.key" if key is None or place.is_dir() else place
    bench.site.refuse_inside(file)
    bench.site.refuse_inside(key_file, except_for=keys_folder(bench))
    if file.exists():
        raise ConfigurationError(
            f"{file} is there already.", hint="A backup is never overwritten: name a new file."
        )
    if file.resolve().parent == key_file.resolve().parent:
        raise ConfigurationError(
            "The key would lie beside the backup, which it opens.",
            hint="Give another folder with --key, best on another disk; or leave --key out.",
        )
    return file, key_file
