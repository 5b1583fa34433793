"""The list of commands in `fr --help` says what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import fr_cli.cli
from fr_cli.cli.commands import COMMANDS
from fr_cli.cli.main import app

#: Modules of the room that are no command.
OTHERS = {
    "__init__",
    "backup",
    "commands",
    "consent",
    "draft",
    "evaluation",
    "grounds",
    "main",
    "options",
    "output",
    "served",
    "serving",
    "station",
    "exchange",
    "written",
    "page",
    "protection",
    "oversight",
    "put",
    "sheet",
    "wiring",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_sentence_of_a_command_stands_in_the_list(name: str) -> None:
    text = " ".join(CliRunner().invoke(app, [name, "--help"], prog_name="fr").stdout.split())
    assert f" {COMMANDS[name]} " in text


def test_no_command_is_missing_from_the_list() -> None:
    folder = Path(fr_cli.cli.__file__).parent
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names - OTHERS - {"__pycache__"} == set(COMMANDS)
