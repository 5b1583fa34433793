"""Write what the documentation takes from the code; `--check` only compares.

    python docs/generate.py            write
    python docs/generate.py --check    exit 1 and name the pages that are out of date

A page holds a pair of marks, and what stands between them is replaced:

    <!-- generated: NAME -->
    <!-- end of generated -->

NAME is `help`, `help COMMAND…`, `exit-codes`, `policy`, `calibration` or `thresholds`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

# The help text must not depend on the terminal, nor on what a CI sets. Read at import.
for _name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "FR_HOME"):
    os.environ.pop(_name, None)
os.environ.update(COLUMNS="90", LINES="40", TERM="dumb", NO_COLOR="1")

DOCS = Path(__file__).parent
PARTS = re.compile(
    r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end of generated -->)", re.DOTALL
)
#: Sizes of a gallery for which a threshold is tabled: a desk, two towns, a force, a country.
SIZES = (100, 1_000, 10_000, 100_000, 600_000, 19_000_000)


def main(arguments: list[str]) -> int:
    """Write all pages, or compare them; the exit code."""
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = PARTS.sub(lambda part: part[1] + block(part["name"]) + part[3], text)
        if new != text:
            stale.append(page)
            if "--check" not in arguments:
                page.write_text(new, encoding="utf-8")
    shown = {
        part["name"]
        for page in DOCS.rglob("*.md")
        for part in PARTS.finditer(page.read_text(encoding="utf-8"))
    }
    absent = [name for name in ("help", *commands()) if _help_name(name) not in shown]
    done = "is out of date" if "--check" in arguments else "was written"
    for page in stale:
        print(f"{page.relative_to(DOCS.parent)} {done}")
    for name in absent:
        print(f"No page shows the help of: fr {name}")
    duplicates = duplicate_codes()
    for code, names in duplicates.items():
        print(f"Exit code {code} is used twice: {', '.join(names)}")
    return 1 if absent or duplicates or (stale and "--check" in arguments) else 0


def block(name: str) -> str:
    """The text of a generated part."""
    if name == "help" or name.startswith("help "):
        return f"```text\n{help_text(name.removeprefix('help').split())}\n```\n"
    makers = {
        "exit-codes": exit_codes,
        "policy": policy,
        "calibration": calibration,
        "thresholds": thresholds,
    }
    return makers[name]()


def commands() -> dict[str, Any]:
    """Every command and group by its words, in the order of the help."""
    import typer

    from fr_cli.cli.main import app

    return dict(_walk(typer.main.get_command(app), ()))


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        yield " ".join((*words, name)), child
        yield from _walk(child, (*words, name))


def _help_name(name: str) -> str:
    return name if name == "help" else f"help {name}"


def help_text(words: list[str]) -> str:
    """What `fr … --help` prints."""
    from typer.testing import CliRunner

    from fr_cli.cli.main import app

    result = CliRunner().invoke(app, [*words, "--help"], prog_name="fr")
    if result.exit_code:
        raise SystemExit(f"fr {' '.join(words)} --help failed: {result.output}")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return "\n".join(line.rstrip() for line in plain.strip("\n").splitlines())


def errors() -> list[type]:
    """Every class of the error tree, by exit code."""
    from fr_cli.errors import FrError

    def below(kind: type) -> Iterator[type]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return sorted(below(FrError), key=lambda kind: (kind.code, kind.__name__))


def duplicate_codes() -> dict[int, list[str]]:
    """Codes that two kinds of error share, other than a kind and its own subclass."""
    found: dict[int, list[str]] = {}
    for kind in errors():
        inherited = any(getattr(base, "code", None) == kind.code for base in kind.__mro__[1:-2])
        if not inherited:
            found.setdefault(kind.code, []).append(kind.__name__)
    return {code: names for code, names in found.items() if len(names) > 1}


def exit_codes() -> str:
    """The error tree as a table."""
    lines = [
        "| code | name | what happened | what `fr` advises, unless it knows better |",
        "|---|---|---|---|",
    ]
    for kind in errors():
        said = " ".join((kind.__doc__ or "").split())
        hint = re.sub(r"(fr [a-z]+(?: [a-z]+)?(?: SOURCE)?)$", r"`\1`", kind.default_hint)
        lines.append(f"| {kind.code} | `{kind.__name__}` | {said} | {hint} |")
    return "\n".join(lines) + "\n"


def policy() -> str:
    """The policy of a new home, word for word."""
    text = resources.files("fr_cli.authority").joinpath("default_policy.yaml").read_text()
    return f"```yaml\n{text.rstrip()}\n```\n"


def _shipped() -> Iterator[Any]:
    from fr_cli.decision.document import calibration_from_dict

    folder = resources.files("fr_cli.decision").joinpath("shipped")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            yield file.name, calibration_from_dict(json.loads(file.read_text()))


def calibration() -> str:
    """What the shipped calibrations rest on."""
    from fr_cli.operations.calibration_files import SHIPPED

    lines = []
    for name, one in _shipped():
        lines += [
            f"| `{name}` | |",
            "|---|---|",
            f"| model | {one.model}, fingerprint `{one.fingerprint[:16]}…` |",
            f"| data | `{one.data.name}`: {one.data.images:,} photos of "
            f"{one.data.subjects:,} people, {one.data.comparisons:,} impostor comparisons |",
            f"| smallest FMR that the data can show | {one.smallest_fmr:.2e} |",
            f"| largest impostor cosine | {one.largest_impostor:.3f} |",
            f"| cosine of score 0.60 | {one.cosine(0.60):.3f} |",
            f"| score from which on it extrapolates | {_score_of(one.smallest_fmr):.2f} |",
            f"| bootstrap draws | {len(one.draws)} |",
            f"| made | {one.made} |",
            f"| SHA-256 of the file | `{SHIPPED[name]}` |",
            "",
        ]
    return "\n".join(lines)


def _score_of(fmr: float) -> float:
    from fr_cli.decision.calibration import score_of

    return score_of(fmr)


def thresholds() -> str:
    """What the default policy asks of each size of gallery, under the shipped calibration."""
    from fr_cli.authority.policy import default_policy, parse_policy
    from fr_cli.decision.answer import one_in
    from fr_cli.decision.threshold import fpir, threshold_for

    policy = parse_policy(default_policy()).policy
    assert policy is not None
    bounds = policy.identify
    (_, one), *_ = _shipped()
    lines = [
        f"| N | FPIR if the threshold stayed at {bounds.floor_score:.2f} | threshold used: score | "
        "cosine | FPIR there | 95 % interval of that |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for size in SIZES:
        threshold = threshold_for(one, size, bounds.floor_score, bounds.fpir_target)
        rate = fpir(one, threshold.cosine, size)
        fixed = fpir(one, one.cosine(bounds.floor_score), size)
        lines.append(
            f"| {size:,} | {one_in(fixed.value)} | {threshold.score:.2f} | "
            f"{threshold.cosine:.3f} | {one_in(rate.value)} | "
            f"{one_in(rate.low)} … {one_in(rate.high)} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
