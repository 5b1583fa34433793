"""Which commands there are, in the order of the help; each is imported when it is called."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer

from fr_cli.cli.options import before_reading, group, text_unchecked

#: Name and first sentence of its help (a test compares the two). A command is the function of
#: its name in the module of its name; a group is that module's `app`.
COMMANDS = {
    "demo": "See it all once, on people who do not exist.",
    "init": "Make a home: folders, keys, policy and the signed log.",
    "enroll": "Enrol reference photos.",
    "identify": "Ask who a photographed person may be.",
    "decide": "Confirm, reject or leave unresolved each candidate of a search.",
    "outcome": "Record what came of a search.",
    "verify": "Compare a photo with one enrolled subject.",
    "evaluate": "Measure error rates on labelled photos.",
    "purge": "Delete subjects for good: one, those of a watchlist or source, the expired, or all.",
    "watchlist": "Keep watchlists: who may be searched for, why, and until when.",
    "sample": "Draw dip samples of the references, and say how many are wrong.",
    "approve": "Sign what another operator asks for, as the second person, with your own SSH key.",
    "gallery": "Look after the gallery.",
    "upgrade": "Bring a home of an older version up to this one.",
    "models": "Fetch and check weights.",
    "status": "Say how the home stands: model, gallery, log, last acts.",
    "doctor": "Check the installation and the home, and say what mends it.",
    "audit": "Check, prove, read and look after the signed log.",
    "report": "Report on a period from the log.",
    "policy": "Show, check and change the policy.",
    "serve": "Serve this home to the accounts that its policy names, over a Unix socket.",
}


class Commands(MutableMapping[str, Any]):
    """Typer's mapping of commands, filled as it is asked: `fr --help` imports none of them."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            module = import_module(f"fr_cli.cli.{name}")
            self._loaded[name] = _command(name, module)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _command(name: str, module: Any) -> Any:
    app = getattr(module, "app", None)
    if app is None:
        app = group()
        app.command(name)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    _quicken(command)
    return command


def _quicken(command: Any) -> None:
    before_reading(command, text_unchecked)
    for one in getattr(command, "commands", {}).values():
        _quicken(one)
