"""Attack: an approval is used twice, one after the other or at once."""

from __future__ import annotations

import threading

import pytest

from fr_cli.errors import NotAllowed
from fr_cli.operations.bench import Bench
from fr_cli.operations.used import refuse_used

from .two_people import Station, rotate


def test_a_second_time(pair: Station) -> None:
    request = pair.ask()
    signature = pair.sign(request.data)
    pair.do(request.data, signature)
    said = pair.refused(request.data, signature)
    assert said.startswith("This request was used before, on 20")


def test_with_another_signature_of_the_same_or_of_another_approver(pair: Station) -> None:
    request = pair.ask()
    pair.do(request.data, pair.sign(request.data, "bob"))
    said = pair.refused(request.data, pair.sign(request.data, "carol"))
    assert said.startswith("This request was used before")


def test_after_an_act_that_failed(pair: Station) -> None:
    """Used is what stands in an intent: an act that broke off may have been done in part."""

    def breaks(bench: Bench) -> None:
        with bench.act("audit rotate", "administration"):
            raise OSError("the disk is gone")

    request = pair.ask()
    signature = pair.sign(request.data)
    with pytest.raises(OSError, match="the disk is gone"):
        pair.do(request.data, signature, breaks)
    assert pair.refused(request.data, signature).startswith("This request was used before")


def test_what_was_not_good_uses_nothing_up(pair: Station) -> None:
    request = pair.ask()
    pair.refused(request.data, b"no signature")
    pair.refused(request.data, pair.sign(request.data, "mallory"))
    pair.do(request.data, pair.sign(request.data))
    assert pair.log()[-1]["exit"] == 0


def test_two_at_once_of_which_the_first_in_the_log_goes_on(
    pair: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both intents are on disk before either looks whether the request was used."""
    both = threading.Barrier(2)

    def waiting(*given: object) -> None:
        both.wait(timeout=60)
        refuse_used(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("fr_cli.operations.approvals.refuse_used", waiting)
    request = pair.ask()
    signature = pair.sign(request.data)
    refused: list[str] = []

    def act() -> None:
        try:
            pair.do(request.data, signature, rotate)
        except NotAllowed as trouble:
            refused.append(trouble.message)

    threads = [threading.Thread(target=act) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    (message,) = refused
    assert message.startswith("This request was used before")
    log = pair.log()
    first = next(entry["req"] for entry in log if "approval" in entry)
    ends = {entry["req"]: entry["exit"] for entry in log if entry["ph"] == "outcome"}
    assert ends.pop(first) == 0
    assert [entry["ph"] for entry in log].count("rotation") == 1


def test_after_the_entries_that_would_tell_were_erased(pair: Station) -> None:
    """An erasure in between: whether one of the erased acts used it, nobody can tell."""
    with pair.bench() as bench, bench.act("models pin", "administration"):
        pass
    request = pair.ask()
    signature = pair.sign(request.data)
    with pair.bench() as bench, bench.act("models pin", "administration") as act:
        pass
    seqs = [entry["seq"] for entry in pair.log() if entry["req"] == act.id]
    with pair.bench() as bench:
        bench.audit.erase(seqs, "retention")
    assert pair.refused(request.data, signature).startswith("Entries of the log since")
