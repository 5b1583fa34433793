"""Attack: an officer sets variables, so that the service takes another home, policy or library.

Defence: nothing of a client's environment is sent; the service has its own.
"""

from __future__ import annotations

import pytest

from tests.conftest import MATED, jpeg, small
from tests.service.station import Station


@pytest.mark.parametrize(
    "name",
    [
        "XDG_DATA_HOME", "LD_PRELOAD", "LC_ALL", "TZ", "FR_PASSPHRASE_FILE",
        "CREDENTIALS_DIRECTORY", "SUDO_UID", "TMPDIR",
    ],
)  # fmt: skip
def test_the_answer_is_the_same(station: Station, name: str) -> None:
    words = ("identify", "-", "--case", "CR/26/1", "--reason", "test")
    value = "/tmp/attack" if name != "SUDO_UID" else "0"
    more = {name: value}
    answer = station.fr("officer", *words, "--json", stdin=jpeg(small(MATED)), **more).document
    assert [one["subject_id"] for one in answer["candidates"]] == [MATED]
    operator = station.log()[-1]["op"]
    assert operator["user"] == station.desk.accounts["officer"].name
    assert "sudo_uid" not in operator


def test_another_home_is_the_officers_own_affair(station: Station) -> None:
    before = len(station.log())
    result = station.fr("officer", "status", FR_HOME="/tmp/attack")
    assert result.code == 3
    assert len(station.log()) == before
