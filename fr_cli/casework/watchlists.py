"""What a watchlist may be: rules of its making and of who may be put on it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from fr_cli.errors import NotAllowed, UsageProblem
from fr_cli.gallery.watchlists import ALL, Watchlist
from fr_cli.records import counted

#: People on a watchlist: never more, whatever limit is asked for. The source report's figure.
MOST = 10_000
#: Letters of a name, a purpose, an authoriser or a reason.
LONGEST = 200
#: Names of one sentence.
SHOWN = 5


def is_text(text: str) -> bool:
    """Whether these are 1 to 200 printable letters, not all of them blank."""
    return bool(text.strip()) and len(text) <= LONGEST and text.isprintable()


def check_text(what: str, text: str) -> None:
    """UsageProblem unless it `is_text`."""
    if not is_text(text):
        raise UsageProblem(f"{what} is a text of 1 to {LONGEST} printable characters.")


def check_new(new: Watchlist, today: date, operators: Collection[str]) -> None:
    """Whether such a watchlist may be made; `operators` are the accounts of the policy, if any.

    UsageProblem for what cannot be, NotAllowed for a limit above MOST, an end that is past, or an
    authoriser who is no operator.
    """
    check_text("The name of a watchlist", new.name)
    check_text("The purpose of a watchlist", new.purpose)
    check_text("The authoriser of a watchlist", new.authoriser)
    if new.name == ALL or "," in new.name:
        raise UsageProblem(
            f"A watchlist cannot be called {new.name!r}.",
            hint=f"{ALL!r} stands for every watchlist, a comma stands between names.",
        )
    try:
        end = date.fromisoformat(new.expires)
    except ValueError:
        raise UsageProblem(f"{new.expires!r} is not a day.", hint="Write 2026-12-31.") from None
    if end < today:
        raise NotAllowed(
            f"A watchlist that expires on {new.expires} is over before it begins.",
            hint="Give the last day on which it may be searched with --expires.",
        )
    if new.size_limit < 1:
        raise UsageProblem("A watchlist holds at least one person.", hint="Give a larger --limit.")
    if new.size_limit > MOST:
        raise NotAllowed(
            f"A watchlist holds at most {MOST:,} people, and {new.size_limit:,} were asked for.",
            hint="Tailor it: narrow the query, or make several.",
        )
    if operators and new.authoriser not in operators:
        raise NotAllowed(
            f"{new.authoriser} is not an operator of this home, so cannot authorise a watchlist.",
            hint="Give the account of one with --authorised-by; see: fr policy show",
        )


def check_free(name: str, made: Watchlist | None, labels: Mapping[str, int]) -> None:
    """UsageProblem if the name has a meaning already."""
    if made is not None:
        over = f", and was closed on {made.closed_at[:10]}" * bool(made.closed_at)
        raise UsageProblem(
            f"There is a watchlist {name!r}: it was made on {made.created_at[:10]}{over}.",
            hint="A name is used once, so that the log stays clear. Choose another.",
        )
    if name in labels:
        raise UsageProblem(
            f"The feed calls {counted(labels[name], 'reference')} {name!r}, in its column "
            "watchlist.",
            hint="Choose another name. To take these people: --where watchlist=" + name,
        )


def check_room(one: Watchlist, coming: int) -> None:
    """NotAllowed if more people would stand on it than its limit."""
    if one.members + coming > one.size_limit:
        raise NotAllowed(
            f"The watchlist {one.name!r} may hold {counted(one.size_limit, 'person', 'people')}; "
            f"with these it would hold {one.members + coming:,}.",
            hint="Narrow the query, or take people off it first: fr watchlist remove",
        )


Condition = tuple[str, str]


def conditions(texts: Sequence[str]) -> list[Condition]:
    """What `--where COLUMN=VALUE` says; UsageProblem for any other form."""
    found = []
    for text in texts:
        column, equals, value = text.partition("=")
        if not (column.strip() and equals and value.strip()):
            raise UsageProblem(
                f"{text!r} is no condition.", hint="Write --where COLUMN=VALUE: offence=burglary"
            )
        found.append((column.strip(), value.strip()))
    return found


def meets(columns: Mapping[str, str], wanted: Sequence[Condition]) -> bool:
    """Whether a reference is described so, in every condition, letter by letter."""
    return all(columns.get(column) == value for column, value in wanted)


def named(some: Sequence[str]) -> str:
    """The first of some ids, for a sentence."""
    more = f" and {len(some) - SHOWN:,} more" if len(some) > SHOWN else ""
    return ", ".join(map(repr, some[:SHOWN])) + more
