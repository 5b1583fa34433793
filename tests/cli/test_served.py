"""What a station serves: the table says of every parameter that is a path what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from fr_cli.authority.roles import ACTS
from fr_cli.cli.commands import Commands
from fr_cli.cli.served import LOCAL, SERVED


def command_of(words: str) -> Any:
    command: Any = Commands()[words.split()[0]]
    for word in words.split()[1:]:
        command = command.commands[word]
    return command


@pytest.mark.parametrize("words", SERVED)
def test_every_path_is_accounted_for(words: str) -> None:
    served, command = SERVED[words], command_of(words)
    names = {param.name for param in command.params}
    paths = {
        param.name for param in command.params if "Path" in str(param.type_descriptor.annotation)
    }
    special = {served.feed, served.unless, *served.own, *served.reads, *served.writes} - {""}
    assert paths == special
    assert special | ({served.photo} - {""}) <= names
    assert not served.confirm or "yes" in names


@pytest.mark.parametrize("words", sorted(LOCAL))
def test_what_stays_here_exists(words: str) -> None:
    assert command_of(words).name == words.split()[-1]


def test_every_act_of_officers_and_managers_is_served_or_known_to_be_missing() -> None:
    acts = ACTS["officer"] | ACTS["reviewer"] | ACTS["gallery-manager"] | ACTS["auditor"]
    first = {words.partition(" ")[0] for words in SERVED}
    assert {act for act in acts if act not in SERVED} - first <= {"request"}
