"""Who stands on a watchlist is who is searched, and what is deleted of it is gone."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from fr_cli.errors import GalleryMissing, NotAllowed
from fr_cli.gallery import watchlists
from fr_cli.gallery.gallery import Gallery
from fr_cli.gallery.inspection import inspect, measure
from fr_cli.gallery.selection import Selection
from fr_cli.gallery.watchlists import ALL, Watchlist
from fr_cli.records import Silence

from .conftest import House, Vector, one_each, purge_selected, vectors
from .test_crash import every_step

REASON = "seen with a van of the make in the profile"


def make(
    gallery: Gallery, name: str, *subjects: str, expires: str = "9999-12-31", reason: str = REASON
) -> Watchlist:
    """A watchlist of these subjects."""
    store = gallery.store
    new = Watchlist(
        0, f"uid of {name}", name, "purpose", "insp", expires, 100, "2026-01-01T00:00:00Z", "me",
        "", 0,
    )  # fmt: skip
    with store.transaction():
        pk = watchlists.create(store, new)
        found = [store.subject(one) for one in subjects]
        pks = [one.pk for one in found if one is not None]
        watchlists.add(store, pk, pks, reason, "2026-01-01T00:00:00Z", "me")
    made = watchlists.watchlist(store, name)
    assert made is not None
    return made


def compared(house: House, *names: str) -> int:
    with house.open() as gallery:
        return gallery.search(vectors(1)[0], count=3, watchlists=names)[1].references


@pytest.fixture
def listed(six: tuple[House, Vector]) -> House:
    """s0 … s3 in a generation, s4 and s5 beside it; `one` has s0 and s4, `two` s4 and s5."""
    house, _ = six
    house.enrol(("f0", "r", vectors(9)[8]), watchlist="label")
    with house.open() as gallery, gallery.writing():
        make(gallery, "one", "s0", "s4")
        make(gallery, "two", "s4", "s5")
    return house


def test_one_several_or_all_are_searched_and_each_reference_counts_once(listed: House) -> None:
    assert compared(listed, "one") == 2
    assert compared(listed, "one", "two") == 3
    assert compared(listed, "one", "label") == 3
    assert compared(listed, ALL) == 4
    assert compared(listed) == 7
    for probe, name in ((vectors(6)[4], "s4"), (vectors(6)[0], "s0")):
        assert listed.found(probe, 1, "one") == [name]
    assert "s5" not in listed.found(vectors(6)[5], 9, "one")


def test_all_references_of_a_member_are_compared_also_those_enrolled_later(listed: House) -> None:
    listed.enrol(("s0", "second", vectors(20)[19]))
    assert compared(listed, "one") == 3
    listed.rebuild()
    assert compared(listed, "one") == 3
    # A reference that is replaced, as a nightly feed does, changes nothing of the membership.
    listed.enrol(("s0", "r", vectors(30)[29]))
    assert compared(listed, "one") == 3
    assert listed.found(vectors(30)[29], 1, "one") == ["s0"]


def test_a_slip_of_the_pen_does_not_narrow_a_search(listed: House) -> None:
    with pytest.raises(GalleryMissing, match="'tow'"):
        compared(listed, "one", "tow")
    with listed.open() as gallery, gallery.writing():
        make(gallery, "nobody")
    with pytest.raises(GalleryMissing, match="'nobody'"):
        compared(listed, "nobody", "one")
    assert compared(listed, ALL) == 4


def test_what_has_expired_is_refused_and_not_among_all(listed: House) -> None:
    today = datetime.now(UTC).date().isoformat()
    with listed.open() as gallery, gallery.writing():
        make(gallery, "today", "s1", expires=today)
        make(gallery, "past", "s2", expires="2020-01-01")
    assert compared(listed, "today") == 1
    with pytest.raises(NotAllowed, match="expired on 2020-01-01"):
        compared(listed, "one", "past")
    assert compared(listed, ALL) == 5


def test_the_name_of_a_watchlist_that_was_made_is_never_the_feeds_again(listed: House) -> None:
    listed.enrol(("f1", "r", vectors(12)[11]), watchlist="one")
    assert compared(listed, "one") == 2
    assert compared(listed, ALL) == 4
    with listed.open() as gallery, gallery.writing():
        assert watchlists.labels(gallery.store) == {"label": 1, "one": 1}
        watchlists.close(gallery.store, ["uid of one"], "2026-05-05T00:00:00Z")
    with pytest.raises(NotAllowed, match="was closed on 2026-05-05"):
        compared(listed, "one")
    assert compared(listed, ALL) == 3


def test_a_purged_subject_is_on_no_watchlist_and_nothing_says_that_they_were(
    listed: House,
) -> None:
    listed.purge("s4")
    with listed.open() as gallery:
        assert [one.members for one in watchlists.all_watchlists(gallery.store)] == [1, 1]
        assert gallery.store.db.execute("SELECT count(*) FROM members").fetchone() == (2,)
        assert inspect(gallery, Silence()) == []
    assert compared(listed, "one") == 1


def test_a_purge_that_takes_some_references_leaves_the_others_on_it(listed: House) -> None:
    listed.enrol(("s0", "second", vectors(20)[19]), watchlist="gone")
    with listed.open() as gallery, gallery.writing():
        assert len(purge_selected(gallery, Selection("watchlist", "gone"))) == 1
    assert compared(listed, "one") == 2
    assert listed.found(vectors(6)[0], 1, "one") == ["s0"]


def test_purging_a_watchlist_that_was_made_takes_its_members_whole(listed: House) -> None:
    listed.enrol(("s0", "second", vectors(20)[19]), watchlist="label")
    listed.enrol(("f1", "r", vectors(12)[11]), watchlist="one")  # a label: means nothing here
    with listed.open() as gallery, gallery.writing():
        purged = purge_selected(gallery, Selection("watchlist", "one"))
        assert sorted(len(one.reference_uids) for one in purged) == [1, 2]
        assert all(one.whole for one in purged)
        assert gallery.store.subject("s0") is None
        assert gallery.store.subject("f1") is not None
    with pytest.raises(GalleryMissing):
        compared(listed, "one")
    assert compared(listed, "two") == 1


@pytest.mark.parametrize("how", ["close", "purge"])
def test_no_file_keeps_why_somebody_was_on_it(six: tuple[House, Vector], how: str) -> None:
    house, _ = six
    with house.open() as gallery, gallery.writing():
        made = make(gallery, "one", "s0")
    needle = REASON.encode()
    assert any(needle in data for data in house.files().values())
    with house.open() as reader, house.open() as gallery, gallery.writing():
        if how == "close":
            watchlists.close(gallery.store, [made.uid], "2026-05-05T00:00:00Z")
        else:
            purge_selected(gallery, Selection("subject", "s0"))
        assert not any(needle in data for data in house.files().values())
        assert reader.count("subjects") == (6 if how == "close" else 5)


def test_closing_leaves_the_name_and_takes_nobody_out_of_the_gallery(listed: House) -> None:
    with listed.open() as gallery, gallery.writing():
        before = gallery.store.meta("generation")
        watchlists.close(gallery.store, ["uid of one"], "2026-05-05T00:00:00Z")
        one, two = watchlists.all_watchlists(gallery.store)
        assert (one.members, one.closed_at, two.members) == (0, "2026-05-05T00:00:00Z", 2)
        # Closed twice: the day stays the first.
        watchlists.close(gallery.store, ["uid of one"], "2027-05-05T00:00:00Z")
        again = watchlists.watchlist(gallery.store, "one")
        assert again == one
        assert gallery.store.meta("generation") == before
    assert listed.found(vectors(6)[0], 1) == ["s0"]


def test_the_database_itself_refuses_more_than_ten_thousand(house: House) -> None:
    house.enrol(*one_each(np.asarray(vectors(1))))
    with house.open() as gallery, gallery.writing():
        make(gallery, "w")
        with pytest.raises(Exception, match="CHECK"):
            gallery.store.db.execute("UPDATE watchlists SET size_limit = 10001")


def test_a_closing_that_was_cut_short_is_finished_by_the_same_command(listed: House) -> None:
    def close(gallery: Gallery) -> None:
        watchlists.close(gallery.store, ["uid of one"], "2026-05-05T00:00:00Z")

    seen = set()

    def check(house: House) -> None:
        with house.open() as gallery, gallery.writing():
            one, two = watchlists.all_watchlists(gallery.store)
            seen.add((one.members, bool(one.closed_at)))
            assert two.members == 2
            close(gallery)
            one, two = watchlists.all_watchlists(gallery.store)
            assert (one.members, one.closed_at[:4], two.members) == (0, "2026", 2)
            assert inspect(gallery, Silence()) == []

    assert every_step(listed, close, check) >= 4
    # Never closed with somebody still on it.
    assert seen == {(2, False), (0, False), (0, True)}


def test_a_watchlist_is_made_with_everybody_or_not_at_all(six: tuple[House, Vector]) -> None:
    def check(house: House) -> None:
        with house.open() as gallery:
            assert [one.members for one in watchlists.all_watchlists(gallery.store)] in ([], [3])

    assert every_step(six[0], lambda gallery: make(gallery, "w", "s0", "s1", "s5"), check) >= 2


def test_who_is_marked_for_a_purge_is_on_no_watchlist_from_then_on(listed: House) -> None:
    with listed.open() as gallery, gallery.writing():
        found = gallery.store.subject("s4")
        assert found is not None
        with gallery.store.transaction():
            gallery.store.mark(found.uid, gallery.alias("s4"))
        assert [one.members for one in watchlists.all_watchlists(gallery.store)] == [1, 1]


def test_who_is_marked_for_a_purge_is_not_counted(house: House) -> None:
    templates = vectors(5)
    for number, label in enumerate(("a", "a", "b", "")):
        house.enrol((f"s{number}", "r", templates[number]), watchlist=label)
    house.enrol(("s0", "other", templates[4]), watchlist="")
    with house.open() as gallery, gallery.writing():
        assert measure(gallery).watchlists == {"": 2, "a": 2, "b": 1}
        for name in ("s0", "s2"):
            found = gallery.store.subject(name)
            assert found is not None
            with gallery.store.transaction():
                gallery.store.mark(found.uid, gallery.alias(name))
                gallery.store.empty_references(found.pk)  # as far as a purge comes
        assert watchlists.labels(gallery.store) == {"a": 1}
        stats = measure(gallery)
        assert (stats.watchlists, stats.sources) == ({"": 1, "a": 1}, {"": 2})
