"""Nobody is named under whose name the template was not sealed, whoever edits the database."""

from __future__ import annotations

import numpy as np
import pytest

from fr_cli.errors import GalleryDamaged
from fr_cli.gallery.inspection import inspect
from fr_cli.records import Silence

from .conftest import House, Vector


@pytest.mark.parametrize("person", [1, 5])
@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE subjects SET subject_id = 'innocent' WHERE subject_id = :name",
        "UPDATE refs SET uid = 'other' WHERE subject = :pk",
        "UPDATE refs SET sealed = (SELECT sealed FROM refs WHERE subject != :pk) "
        "WHERE subject = :pk",
        "UPDATE subjects SET slot = 99 WHERE pk = :pk",
    ],
)
def test_a_name_put_on_somebody_elses_template_is_damage_and_no_answer(
    six: tuple[House, Vector], person: int, forgery: str
) -> None:
    house, templates = six
    with house.open() as gallery:
        gallery.store.db.execute(forgery, {"name": f"s{person}", "pk": person + 1})
    with pytest.raises(GalleryDamaged) as caught:
        house.found(templates[person], 1)
    assert caught.value.code == 12
    with house.open() as gallery:
        assert inspect(gallery, Silence())


def test_a_generation_that_holds_another_template_than_the_database_names_nobody(
    six: tuple[House, Vector],
) -> None:
    house, templates = six
    with house.open() as gallery, gallery.writing():
        # As if somebody with the site key had packed a generation in which s0 looks like s1.
        view = gallery._view()
        forged = np.array(view.rows.vectors)
        forged[0] = templates[1]
        number = gallery.generations.write(
            type(view.rows)(view.rows.pks, view.rows.subjects, forged), gallery.fingerprint
        )
        with gallery.store.transaction():
            gallery.store.set_meta(generation=str(number))
    with pytest.raises(GalleryDamaged):
        house.found(templates[1], 2)
