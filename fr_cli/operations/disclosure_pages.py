"""The pages of a disclosure: what a recipient reads, as text and as HTML, and the script."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path

from fr_cli.audit.note import Note
from fr_cli.audit.show import ActRecord
from fr_cli.keys import load_public_key
from fr_cli.operations.extract import row
from fr_cli.records import harmless


@dataclass
class Case:
    """The acts of a case, and what they say was in force.

    `extra` are the files that not every bundle has, with what each is; `gone` is what the entries
    name and nobody has kept.
    """

    name: str
    recipient: str
    acts: list[ActRecord]
    note: Note
    erased: int
    extra: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        return {act.req for act in self.acts}

    def digests(self, name: str) -> set[str]:
        """What the entries name under this key, in the intent or the decision.

        But for the handing over: the policy of today is not that of the search.
        """
        done = [act for act in self.acts if act.command != "audit export"]
        found = {str(act.first.get(name, "")) for act in done}
        return (found | {str(act.decision.get(name, "")) for act in done}) - {""}


def write_pages(draft: Path, case: Case, note: Note, entries: int, public: Path) -> None:
    """Write the page for the recipient, as text and as HTML, and the script that checks."""
    from cryptography.hazmat.primitives import serialization

    key = load_public_key(public).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = note.head
    extra = {f"{name:22} {what}" for name, what in case.extra.items()}
    extra |= {f"(The {one} is not here: it was not kept.)" for one in case.gone}
    words = {
        "CASE": case.name, "TO": case.recipient, "MADE": case.acts[-1].start,
        "ORIGIN": note.origin, "SIZE": str(head.size), "ROOT": head.root,
        "FINGERPRINT": hashlib.sha256(key).hexdigest(), "COUNT": str(entries),
    }  # fmt: skip
    words = {name: harmless(word) for name, word in words.items()}
    words["FILES"] = "".join(f"{line}\n" for line in sorted(extra))
    words["ERASED"] = _erased(case.erased)
    lines = [[harmless(word) for word in _summary(act)] for act in case.acts]
    text = _filled("README.txt", words | {"ACTS": "\n".join(map(_paragraph, lines))})
    (draft / "README.txt").write_text(text, encoding="utf-8")
    rows = "\n".join(f"<tr>{''.join(f'<td>{escape(w)}</td>' for w in line)}</tr>" for line in lines)
    page = {"CASE": escape(words["CASE"]), "ACTS": rows, "TEXT": escape(text)}
    (draft / "README.html").write_text(_filled("README.html", page), encoding="utf-8")
    (draft / "check.sh").write_text(_resource("check.sh"))


def _erased(count: int) -> str:
    if not count:
        return ""
    return (
        f"\n- That nothing was erased. {count} entries of this log were, when their time was over; "
        "their\n  hashes are left, and whether they belonged to this case cannot be told."
    )


def _summary(act: ActRecord) -> list[str]:
    one = row(act)
    shown = f", {len(one.candidates)} candidates" if one.command == "identify" else ""
    return [
        one.start,
        f"{one.operator} (account {one.uid}) on {one.host}",
        f"{one.command} ({one.operation})",
        ", ".join(filter(None, (one.justification, one.legal_basis, one.recipient))),
        f"{one.result}{shown}" if one.result else one.state,
        " ".join(map(str, act.seqs)),
    ]


def _paragraph(words: list[str]) -> str:
    when, who, what, why, result, entries = words
    return f"{when}  {what}\n    {who}\n    why: {why or '-'}\n    {result}; entries {entries}\n"


def _filled(name: str, words: dict[str, str]) -> str:
    # In one pass, so that a word that looks like a mark is not filled in itself.
    return re.sub(r"@@([A-Z]+)@@", lambda mark: words[mark[1]], _resource(name))


def _resource(name: str) -> str:
    return resources.files("fr_cli.operations").joinpath("bundle", name).read_text(encoding="utf-8")
