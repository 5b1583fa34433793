"""What a command takes as it is typed, and what Typer checks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from fr_cli.cli.options import before_reading, text_unchecked
from tests.conftest import Fr

WORD = "a"


def read(*words: str) -> dict[str, Any]:
    """What a command gets for these words, its parameters being of every kind that `fr` has."""
    app = typer.Typer()
    found: dict[str, Any] = {}

    @app.command()
    def command(
        name: str,
        case: str = "",
        place: Annotated[str | None, typer.Option()] = None,
        lists: Annotated[list[str] | None, typer.Option("--list")] = None,
        most: Annotated[int | None, typer.Option(min=1)] = None,
        largest: Annotated[bool, typer.Option("--largest")] = False,
    ) -> None:
        found.update(name=name, case=case, place=place, lists=lists, most=most, largest=largest)

    made = typer.main.get_command(app)
    before_reading(made, text_unchecked)
    before_reading(made, text_unchecked)  # as a station's client does, on top
    made.main(list(words), standalone_mode=False)
    return found


def test_text_is_taken_as_it_is_typed() -> None:
    assert read(WORD) == {
        "name": WORD, "case": "", "place": None, "lists": None, "most": None, "largest": False,
    }  # fmt: skip
    found = read("--list", "x", "--list", "y", "--largest", "--place", "é ", "--case=--", WORD)
    assert found["lists"] == ["x", "y"]
    assert (found["place"], found["case"], found["largest"]) == ("é ", "--", True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((WORD, "--most", "two"), "valid integer"),
        ((WORD, "--most", "0"), "greater than or equal to 1"),
        ((), "Missing argument"),
    ],
)
def test_what_is_no_text_typer_checks(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(typer.TyperException) as found:
        read(*words)
    assert message in found.value.format_message()
    assert read(WORD, "--most", "2")["most"] == 2


def test_a_group_without_a_command_says_where_its_help_is(tmp_path: Path) -> None:
    alone = Fr(tmp_path)("sample")
    assert (alone.code, alone.stdout) == (2, "")
    assert re.fullmatch(r"Missing command\.\nSee: \w+ sample --help\n", alone.stderr)
