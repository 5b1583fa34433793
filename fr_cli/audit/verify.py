"""Checking the whole log from the file and the public key alone; nothing is written.

Always checked: the grammar of every line, the canonical form and the fields of every entry,
every leaf, the root that every line states, the order of the phases, the erasures, every change
of the key, and the signature of the last line, whose root commits to every entry before it.
`full` also checks the signature of every line. The one key that is given is that of the genesis
entry; it counts up to the entry that names the next.

So without `full` a change is missed only inside the signature text of a line that is not the
last (behind its four-byte key id): no entry and no root is changed by that. No check of the file
alone can see that lines are missing at its end: for that, give a head kept elsewhere.

Memory: some 150 bytes an act, for the rule that no id of an act is used again.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fr_cli.audit import chunks
from fr_cli.audit.check import MAX_PROBLEMS, Check, KeyRange, Verification
from fr_cli.audit.chunks import Examined
from fr_cli.audit.line import MAX_LINE, lines
from fr_cli.audit.storage import snapshot
from fr_cli.errors import AuditBroken
from fr_cli.records import Head, Listener, Silence

__all__ = ["MAX_PROBLEMS", "KeyRange", "Verification", "verify_log"]


def verify_log(
    path: Path,
    public_key: bytes,
    origin: str | None,
    *,
    full: bool = False,
    witnessed: Collection[Head] = (),
    listener: Listener = Silence(),  # noqa: B008  (it holds nothing)
) -> Verification:
    """Check a log against a raw public key of 32 bytes.

    `origin` None takes the one that the genesis entry names. `witnessed` are heads kept
    elsewhere: the log must have had each root at its size. AuditBroken names the lines and what
    is wrong with each, up to MAX_PROBLEMS.
    """
    try:
        file, length = snapshot(path)
    except OSError as trouble:
        raise AuditBroken(f"{path} cannot be read: {trouble.strerror}.") from trouble
    check = Check(public_key, origin, full, witnessed)
    with file, chunks.pool(length, full) as pool:
        source = listener.track(lines(file, length), "Verifying the audit log")
        if all(_taken(check, *one) for one in chunks.examined(source, pool, check.terms)):
            check.end()
    if check.problems:
        raise AuditBroken(f"{path.name} does not verify: " + "; ".join(check.problems) + ".")
    if check.history.steps_back:
        listener.say(
            f"The clock went back {check.history.steps_back} times, "
            f"first at line {check.history.first_step_back}."
        )
    return check.verification()


def _taken(check: Check, texts: list[bytes], chunk: Examined | None) -> bool:
    """Check these lines; False if it is no use to go on."""
    if chunk is not None and check.take(texts, chunk):
        return True
    for text in texts:
        check.line(text)
        if len(check.problems) >= MAX_PROBLEMS or len(text) > MAX_LINE:
            return False
    return True
