"""What a doctor asks of the records of a home: keys, log, gallery, and what was done when."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime

from fr_cli.audit.lease import Leases
from fr_cli.audit.log import AuditLog
from fr_cli.audit.note import read_note
from fr_cli.audit.storage import read_tail, snapshot
from fr_cli.audit.verify import verify_log
from fr_cli.errors import (
    AuditBroken,
    AuditUnwritable,
    ConfigurationError,
    GalleryDamaged,
    GalleryMissing,
    NotAllowed,
)
from fr_cli.operations.audit import log_of, read_file
from fr_cli.operations.bench import Bench
from fr_cli.operations.doctor import Check, fail, ok, warn
from fr_cli.operations.owed import owed
from fr_cli.operations.policy_in_force import COPY
from fr_cli.operations.standing import compare
from fr_cli.operations.status import status

#: Seconds by which the log's last entry may lie ahead of the clock.
_AHEAD = 60
#: Bytes of a log that is verified from its first entry: a second or two.
VERIFIED = 32 * 2**20
#: Where the log's owner keeps the head that a witness signed last.
WITNESSED = "witnessed.note"


def two_people(bench: Bench) -> Check:
    """Acts that take two can be done, and none was done by one; the policy is the one in force."""
    name, found, policy = "two people", owed(bench.audit.path), bench.site.policy
    if found.policy and found.policy != bench.policy_digest:
        what = "policy.yaml is not the policy in force, so nothing is done under it."
        return fail(name, what, f"cp {bench.site.home / COPY} {policy}", NotAllowed.code)
    acts = bench.policy.approvals.acts
    if acts and shutil.which("ssh-keygen") is None:
        return fail(name, "ssh-keygen is not installed.", "apt install openssh-client", 3)
    if found.overrides:
        what = f"Done without a second person, not approved since: {len(found.overrides)}."
        return warn(name, what, f"fr approve --override {found.overrides[0].act}")
    return ok(name, f"taken by {', '.join(acts) or 'no act'}")


def keys(bench: Bench) -> Check:
    """The site key can be read, and the signing key is the one that the log is signed with."""
    try:
        _ = bench.site_key
        signer = bench.signer
    except ConfigurationError as trouble:
        if "passphrase" not in trouble.message:
            raise
        return warn("keys", trouble.message, trouble.hint)
    AuditLog(bench.site.audit, signer, bench.site.origin).head()
    return ok("keys", "they open, and the log's last head is signed with this one")


def log(bench: Bench) -> Check:
    """The log verifies, and no half line hangs on it; of a long one only the last head is read."""
    whole = log_of(bench.site.home)
    if not whole.path.exists():
        mend = "restore the folder from its backup"
        raise AuditUnwritable(f"The audit log {whole.path} is missing.", hint=mend)
    file, length = snapshot(whole.path)
    with file:
        tail = read_tail(file.fileno(), length)
    if tail.end < length:
        what = f"{length - tail.end} bytes of a torn line follow the last entry"
        return warn("log", f"{what}; the next act sets them aside", "fr gallery stats")
    try:
        if length > VERIFIED:
            size = whole.head().head.size
            return ok("log", f"{size:,} entries, the last head holds; all: fr audit verify")
        found = verify_log(whole.path, whole.public, whole.origin)
    except AuditBroken as trouble:
        return fail("log", trouble.message, "fr audit verify --full", trouble.code)
    return ok("log", f"{found.entries:,} entries, verified up to the last head")


def clock(bench: Bench) -> Check:
    """The clock does not stand before what the log says was done."""
    newest = status(bench.site.home).newest
    if not newest:
        return warn("clock", "The log has no time to hold it against.", "fr audit verify")
    ahead = datetime.fromisoformat(newest).timestamp() - time.time()
    if ahead > _AHEAD:
        return fail(
            "clock", f"The log's last entry lies {ahead:,.0f} s ahead of the clock.",
            "timedatectl set-ntp true", ConfigurationError.code,
        )  # fmt: skip
    return ok("clock", "not before the log's last entry")


def pending(bench: Bench) -> Check:
    """No act was cut short without being closed."""
    leases = Leases(bench.site.audit)
    if leases.any_dead():
        return warn(
            "pending acts", "An act was cut short; the next one records it as abandoned.",
            "fr gallery stats",
        )  # fmt: skip
    running = len(leases.open())
    return ok("pending acts", f"{running} running" if running else "none")


def witness(bench: Bench) -> Check:
    """Somebody else has signed a head of the log not long ago."""
    place = bench.site.audit / WITNESSED
    if not place.exists():
        return warn(
            "witness", f"No head signed by a witness is kept as {place}: insiders could rewrite.",
            "fr audit head --out head.note",
        )  # fmt: skip
    note = read_note(read_file(place))
    if note.origin != bench.site.origin:
        raise AuditBroken(f"{place} is a head of another log, {note.origin}.")
    signed = [one for one in note.signatures if one.name != note.origin]
    behind = log_of(bench.site.home).head().head.size - note.head.size
    if not signed:
        return warn("witness", f"{place} is not signed by a witness.", f"fr audit witness {place}")
    # c2sp.org/tlog-cosignature: four bytes name the key, eight are the time.
    when = max(int.from_bytes(one.blob[4:12], "big") for one in signed)
    day = datetime.fromtimestamp(min(when, 2**40), UTC).date()
    said = f"{note.head.size:,} entries are witnessed, on {day}; {behind:,} came since"
    return ok("witness", f"{said}; held against the log by: fr audit verify --witnessed {place}")


def gallery(bench: Bench) -> Check:
    """The database is sound, and the generation opens, is of this home, and fits it."""
    from fr_cli.gallery.gallery import Gallery
    from fr_cli.gallery.inspection import measure

    try:
        # Not as an act does: the doctor writes nothing.
        opened = Gallery.open(bench.site, bench.site_key, fingerprint=bench.fingerprint)
    except GalleryMissing:
        return warn("gallery", "Nobody is enrolled.", "fr enroll SOURCE")
    with opened as found:
        compare(found.store.state, bench.audit.path)
        (said,) = found.store.db.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise GalleryDamaged(f"The database: {said}.", hint="fr gallery check")
        unfinished = len(found.store.marked())
        result = measure(found)
        found.generations.check(result.generation, found.fingerprint)
    if unfinished:
        return warn("gallery", f"{unfinished} purges were cut short.", "fr gallery rebuild")
    return ok(
        "gallery",
        f"{result.references:,} references of {result.subjects:,} people, generation "
        f"{result.generation}, engine {result.engine}; all of it: fr gallery check",
    )


def last(bench: Bench) -> Check:
    """When was enrolled, purged, searched? Only told: each force has its own rhythm."""
    done = status(bench.site.home).last
    said = ", ".join(f"{name} {when[:16].replace('T', ' ')}" for name, when in done.items())
    return ok("last acts", said or "none yet")
