"""`fr audit expire`: bodies go by the policy, and the log verifies as before."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fr_cli.audit import expiry
from fr_cli.operations import expire
from fr_cli.operations.bench import Bench
from tests.conftest import Fr


@pytest.fixture
def fr(tmp_path: Path) -> Fr:
    """A home whose log keeps searches for 30 days and all else for good: two searches, a purge."""
    fr = Fr(tmp_path / "home")
    fr.json("init")
    policy = fr.home / "policy.yaml"
    text = policy.read_text()
    all_kept = "audit_retention:\n  default: null\n"
    assert all_kept in text
    policy.write_text(text.replace(all_kept, all_kept + "  identify: 30\n"))
    with Bench(fr.home) as bench:
        for case in ("CR/1", "CR/2"):
            with bench.audit.act("identify", "consultation", why={"case": case}) as act:
                act.decide(outcome="no_candidate")
        with bench.audit.act("purge", "erasure"):
            pass
    return fr


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """31 days after."""

    class Later(datetime):
        @classmethod
        def now(cls, zone: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(zone) + timedelta(days=31)  # type: ignore[arg-type]

    monkeypatch.setattr(expire, "datetime", Later)


def test_nothing_goes_before_its_time(fr: Fr) -> None:
    done = fr.json("audit", "expire")
    assert (done["acts"], done["entries"], done["erasures"]) == (0, 0, 0)
    assert {"rule": "identify: 30 days are not over", "acts": 2} in done["kept"]
    assert fr.json("audit", "verify", "--full")["erased"] == 0


@pytest.mark.usefixtures("later")
def test_a_dry_run_counts_and_changes_nothing(fr: Fr) -> None:
    before = (fr.home / "audit" / "audit.jsonl").read_bytes()
    done = fr.json("audit", "expire", "--dry-run")
    assert (done["acts"], done["entries"], done["commands"]) == (2, 4, {"identify": 2})
    assert done["kept"] == [
        {"rule": expiry.HISTORY, "acts": 1}, {"rule": expiry.DELETION, "acts": 1},
    ]  # fmt: skip
    assert (fr.home / "audit" / "audit.jsonl").read_bytes().startswith(before)
    assert fr.log()[-2]["dry_run"] is True


@pytest.mark.usefixtures("later")
def test_what_has_expired_is_gone_from_the_file_and_the_log_verifies(fr: Fr) -> None:
    done = fr.json("audit", "expire")
    assert (done["acts"], done["entries"], done["erasures"]) == (2, 4, 1)
    text = (fr.home / "audit" / "audit.jsonl").read_bytes()
    assert b'"CR/1"' not in text
    assert b'"CR/2"' not in text
    found = fr.json("audit", "verify", "--full")
    assert found["erased_entries"] == [1, 2, 3, 4]
    assert found["open_intents"] == []
    shown = fr.json("audit", "show", "--command", "audit-erase")["acts"]
    assert [one["entries"][0]["erases"] for one in shown] == [[1, 2, 3, 4]]
    again = fr.json("audit", "expire")
    assert again["acts"] == 0
    assert "0 entries of 0 acts are erased" in fr("audit", "expire").stdout


@pytest.mark.usefixtures("later")
def test_many_go_in_several_erasures(fr: Fr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "MAX_ERASED", 2)
    assert fr.json("audit", "expire")["erasures"] == 2
    assert fr.json("audit", "verify", "--full")["erased"] == 4


@pytest.mark.usefixtures("later")
def test_nothing_is_erased_from_a_log_that_is_not_whole(fr: Fr) -> None:
    path = fr.home / "audit" / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"CR/1", b"CR/9"))
    fr.json("audit", "expire", code=31)
    assert b"CR/9" in path.read_bytes()
    assert b'"x":' not in path.read_bytes()


def test_a_policy_of_before_keeps_everything(fr: Fr) -> None:
    policy = fr.home / "policy.yaml"
    policy.write_text(policy.read_text().partition("audit_retention:")[0])
    done = fr.json("audit", "expire")
    assert done["acts"] == 0
    assert fr.json("policy", "show")["audit_retention"] == {"default": None}
