"""What a watchlist may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fr_cli.casework.watchlists import (
    MOST,
    check_free,
    check_new,
    check_room,
    conditions,
    meets,
    named,
)
from fr_cli.errors import FrError, NotAllowed, UsageProblem
from fr_cli.gallery.watchlists import Watchlist

TODAY = date(2026, 11, 23)
GOOD = Watchlist(0, "uid", "w", "purpose", "insp", "2026-11-23", 100, "2026-01-01", "me", "", 0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, UsageProblem),
        ({"name": " "}, UsageProblem),
        ({"name": "all"}, UsageProblem),
        ({"name": "a,b"}, UsageProblem),
        ({"name": "a\nb"}, UsageProblem),
        ({"name": "x" * 201}, UsageProblem),
        ({"purpose": ""}, UsageProblem),
        ({"authoriser": "\x1b[31m"}, UsageProblem),
        ({"expires": "soon"}, UsageProblem),
        ({"expires": "2026-11-22"}, NotAllowed),
        ({"size_limit": 0}, UsageProblem),
        ({"size_limit": MOST + 1}, NotAllowed),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], error: type[FrError]) -> None:
    check_new(GOOD, TODAY, ())
    with pytest.raises(error):
        check_new(replace(GOOD, **change), TODAY, ())  # type: ignore[arg-type]


def test_where_there_are_operators_one_of_them_authorises() -> None:
    check_new(GOOD, TODAY, ("insp", "other"))
    with pytest.raises(NotAllowed, match="not an operator"):
        check_new(GOOD, TODAY, ("other",))


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_there_is_room_up_to_the_limit(members: int, coming: int, limit: int) -> None:
    one = replace(GOOD, members=members, size_limit=limit)
    if members + coming <= limit:
        check_room(one, coming)
    else:
        with pytest.raises(NotAllowed, match="may hold"):
            check_room(one, coming)


def test_a_name_has_one_meaning() -> None:
    check_free("w", None, {"other": 3})
    with pytest.raises(UsageProblem, match="The feed calls 3 references 'w'"):
        check_free("w", None, {"w": 3})
    with pytest.raises(UsageProblem, match="was closed on 2026-05-05"):
        check_free("w", replace(GOOD, closed_at="2026-05-05T00:00:00Z"), {})


def test_conditions_are_held_letter_by_letter_and_all_of_them() -> None:
    wanted = conditions(["offence=burglary", "note=a=b"])
    assert wanted == [("offence", "burglary"), ("note", "a=b")]
    assert meets({"offence": "burglary", "note": "a=b", "more": ""}, wanted)
    assert not meets({"offence": "Burglary", "note": "a=b"}, wanted)
    assert not meets({"offence": "burglary"}, wanted)
    for text in ("", "offence", "=burglary", "offence=", " = "):
        with pytest.raises(UsageProblem, match="no condition"):
            conditions([text])


def test_a_sentence_names_a_few_ids() -> None:
    assert named(["a", "b"]) == "'a', 'b'"
    assert named([str(n) for n in range(1200)]).endswith("'4' and 1,195 more")


@pytest.mark.parametrize(("day", "state"), [(22, "open"), (23, "open"), (24, "expired")])
def test_the_last_day_is_a_day_of_use(day: int, state: str) -> None:
    assert GOOD.state(date(2026, 11, day)) == state
    assert replace(GOOD, closed_at="2026-11-20").state(date(2026, 11, day)) == "closed"
