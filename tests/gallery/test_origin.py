"""Where a reference came from is told by its random id, and goes with the reference."""

from __future__ import annotations

from fr_cli.records import Enrolment, Origin, Template
from tests.gallery.conftest import FINGERPRINT, House, vectors


def test_an_origin_is_what_the_feed_said_without_paths_and_free_columns(house: House) -> None:
    (vector,) = vectors(1)
    said = Enrolment(
        "s", "r", "photos/s.jpg", watchlist="wanted", source="custody", captured_at="2026-03-01",
        lawful_basis="PACE 1984 s.64A", extra={"note": "tall"},
    )  # fmt: skip
    with house.open(create=True) as gallery, gallery.writing():
        gallery.enrol([(said, "key", Template(vector, FINGERPRINT))], "0" * 32)
    with house.open() as gallery:
        ((hit,), _) = gallery.search(vector, count=1)
        origin = gallery.origins([hit.reference_uid])[hit.reference_uid]
    assert origin == Origin(
        "custody", "2026-03-01", "PACE 1984 s.64A", "", "", "wanted", origin.enrolled_at
    )
    assert origin.enrolled_at.startswith("20")
    house.purge("s")
    with house.open() as gallery:
        assert gallery.origins([hit.reference_uid]) == {}
