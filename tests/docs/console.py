"""Runs the ```console blocks of a page as a reader would, and compares what they show.

`$ ` begins a command; the lines below it are its output, up to the next command or the end of the
block. In the output `…` stands for anything within a line, and a line that is only `…` for any
number of lines. `$ echo $?` shows the exit code of the command before it; without it, 0 is due.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

from fr_cli.cli.main import app

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = set("|<>;&$*'\"`")


@dataclass
class Step:
    """A command of a page, with what the page says of it."""

    line: int
    command: str
    output: list[str] = field(default_factory=list)
    code: int = 0


def steps(page: Path) -> list[Step]:
    """The commands of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Step] = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        asked = False
        for line, content in enumerate(block[1].splitlines(), start=first):
            if content == "$ echo $?":
                asked = True
            elif content.startswith("$ "):
                found.append(Step(line, content[2:]))
            elif asked:
                found[-1].code, asked = int(content), False
            else:
                found[-1].output.append(content)
    return found


def run(step: Step, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Carry out a command: its exit code, and both of its streams, result first."""
    if step.command.startswith("export "):
        name, _, value = step.command.removeprefix("export ").partition("=")
        environment[name] = value.replace("$PWD", str(folder))
        return 0, ""
    if step.command.startswith("fr ") and not _SHELL & set(step.command):
        done = CliRunner().invoke(app, shlex.split(step.command)[1:], env=environment)
        return done.exit_code, done.stdout + done.stderr
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.run(
        ["bash", "-c", step.command], cwd=folder, env={**os.environ, **environment, "PATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return shell.returncode, shell.stdout + shell.stderr


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What the output must look like: the page's lines, `…` for what differs."""

    def parts() -> Iterator[str]:
        for line in lines:
            if line == "…":
                yield r"(?:.*\n)*?"
            else:
                words = (re.escape(part.rstrip() if part else "") for part in line.split("…"))
                yield r".*".join(words) + r" *\n"

    return re.compile("".join(parts()))
