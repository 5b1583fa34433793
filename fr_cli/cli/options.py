"""What several commands share: options, and global ones that may stand anywhere on the line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fr_cli.errors import UsageProblem

GLOBAL_FLAGS = ("--json", "--debug")
GLOBAL_VALUES = ("--home",)
ENGINES: tuple[Literal["auto", "exact", "annoy"], ...] = ("auto", "exact", "annoy")

Photo = Annotated[str, typer.Argument(metavar="PHOTO", help="The photo, or - for standard input.")]
# Asked for on a terminal where they are left out.
Case = Annotated[
    str, typer.Option("--case", help="The case or incident this is for.", show_default=False)
]
Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        help="Why: one of the policy's reasons (fr policy show).",
        show_default=False,
    ),
]
Place = Annotated[
    str,
    typer.Option(
        "--place", help="Where it is asked: one of the policy's places.", show_default=False
    ),
]
Flags = Annotated[
    list[str] | None,
    typer.Option(
        "--flag",
        help="child or vulnerable: what the person seems to be; repeat for both.",
        metavar="FLAG",
    ),
]
Supervisor = Annotated[
    str,
    typer.Option(
        "--supervisor",
        help="The account of the reviewer who was asked, where the policy wants one.",
        show_default=False,
    ),
]
Necessity = Annotated[
    str,
    typer.Option(
        "--necessity",
        help="Why it is necessary, in words without a name, where the reason wants it.",
        show_default=False,
    ),
]
FaceNumber = Annotated[
    int | None,
    typer.Option("--face", min=1, help="Which face of the photo, counted from the left."),
]
Largest = Annotated[bool, typer.Option("--largest", help="Take the largest face of the photo.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes to use; all cores by default.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        metavar="SECONDS",
        help="How long to wait for another command that changes the gallery; 30 by default.",
        show_default=False,
    ),
]


def group(about: str | None = None) -> typer.Typer:
    """An app for commands, drawn without Rich, which costs as much as all of `fr --help`."""
    return typer.Typer(help=about, add_completion=False, rich_markup_mode=None)


def hoisted(arguments: list[str]) -> list[str]:
    """Move global options to the front, wherever they stand before a bare `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front, rest = [], []
    words = iter(arguments[:end])
    for word in words:
        if word in GLOBAL_FLAGS or word.startswith(tuple(f"{name}=" for name in GLOBAL_VALUES)):
            front.append(word)
        elif word in GLOBAL_VALUES:
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return front + rest + arguments[end:]


def unchecked(param: Any, take: Callable[[Any], Any] = lambda typed: typed) -> None:
    """Take of what is typed what `take` makes of it, and what is left out, without Typer's checks.

    They load a library that costs as much as all of `fr --help`, and a tenth of a search. They see
    what is missing, and that of which `take` makes None.
    """
    check = type(param).process_value

    def as_typed(context: Any, value: Any) -> Any:
        if value is None and not param.required:
            taken = () if param.multiple or param.nargs == -1 else None
        elif value is None or (taken := take(value)) is None:
            return check(param, context, value)
        return param.callback(context, param, taken) if param.callback else taken

    param.process_value = as_typed


def text_unchecked(param: Any) -> None:
    """The same where text is wanted; Typer checks whatever else is typed."""
    wanted = param.type_descriptor.annotation

    def text(typed: Any) -> Any:
        if wanted == list[str]:
            return [str(one) for one in typed] or None
        return typed if wanted is str else None

    unchecked(param, text)


def before_reading(command: Any, change: Callable[[Any], None]) -> None:
    """Change each parameter of a command before its line is read, that of the help too."""
    all_params = command.get_params

    def get_params(context: Any) -> list[Any]:
        params: list[Any] = all_params(context)
        for param in params:
            change(param)
        return params

    command.get_params = get_params


def read_photo_argument(photo: str) -> bytes:
    """The photo's bytes; PhotoUnreadable (20) if there is no such file."""
    from fr_cli.errors import PhotoUnreadable
    from fr_cli.face.formats import MAX_BYTES

    if photo == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(photo).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as trouble:
        why = trouble.strerror if isinstance(trouble, OSError) else str(trouble)
        raise PhotoUnreadable(
            f"The photo {photo} cannot be read: {why}.", hint="Check the path of the photo."
        ) from trouble


def chosen_face(number: int | None, largest: bool) -> Literal["single", "largest"] | int:
    """Which face is meant; UsageProblem if both options are given."""
    if number is not None and largest:
        raise UsageProblem("--face and --largest exclude each other.", hint="Give one of them.")
    return number or ("largest" if largest else "single")


def known_engine(name: str) -> Literal["auto", "exact", "annoy"]:
    """The search engine of that name; UsageProblem if there is none."""
    for engine in ENGINES:
        if engine == name:
            return engine
    raise UsageProblem(f"There is no engine {name!r}.", hint=f"Give one of: {', '.join(ENGINES)}.")
