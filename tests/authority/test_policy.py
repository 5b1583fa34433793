"""Reading a policy: every fault with its line, its key and what to do, all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fr_cli.authority.policy import Policy, Reading, default_policy, load_policy, parse_policy
from fr_cli.errors import ConfigurationError

DEFAULT = default_policy().decode()


def read(text: str) -> Reading:
    return parse_policy(text.encode())


def problems(text: str) -> list[tuple[int, str, str, str]]:
    return [(one.line, one.key, one.message, one.hint) for one in read(text).problems]


def changed(old: str, new: str) -> str:
    """The default policy with one line changed."""
    assert DEFAULT.count(old) == 1, old
    return DEFAULT.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number of the only line that holds this."""
    (found,) = [at for at, line in enumerate(text.splitlines(), 1) if part in line]
    return found


def test_a_new_homes_policy_is_valid_and_names_nobody() -> None:
    policy = read(DEFAULT).policy
    assert isinstance(policy, Policy)
    assert policy.operators == {}
    assert (policy.places, policy.supervised, policy.approvals.acts) == ((), (), ())


@pytest.mark.parametrize(
    ("old", "new", "key", "message", "hint"),
    [
        ("  floor_score: 0.60", "  floor_score: 2.5", "identify.floor_score",
         "must be at most 2, and is 2.5", ""),
        ("  floor_score: 0.60", '  floor_score: "0.60"', "identify.floor_score",
         "must be a number, and is '0.60'", ""),
        ("  floor_score: 0.60", "  floor_score: .nan", "identify.floor_score",
         "must be a finite number, and is nan", ""),
        ("  floor_score: 0.60", "  floor_score:", "identify.floor_score", "must be a number", ""),
        ("  max_candidates: 6", "  max_candidates: true", "identify.max_candidates",
         "must be a whole number, and is True", ""),
        ("  max_candidates: 6", "  max_candidates: 0", "identify.max_candidates",
         "must be at least 1, and is 0", ""),
        ("  fmr_target: 0.0001", "  fmr_target: 0.0001\n  fmr_targt: 1", "verify.fmr_targt",
         "is not a key of the policy", "Did you mean fmr_target?"),
        ("evaluation: warn", "evaluation: refused", "evaluation",
         "must be 'warn' or 'refuse', and is 'refused'", "Did you mean refuse?"),
        ("  InterEyeDistance: 24", "  InterEyes: 24", "quality.InterEyes",
         "must be 'InterEyeDistance' or 'Sharpness', and is 'InterEyes'", "InterEyeDistance"),
        ("backup_days: 30", "backup_days: 30\nbackup_dayz: 3", "backup_dayz",
         "is not a key of the policy", "Did you mean backup_days?"),
        ("backup_days: 30", "backup_days: 30\nlimits: {searches_per_hours: 3}",
         "limits.searches_per_hours", "is not a key of the policy", "searches_per_hour"),
        ("backup_days: 30", "backup_days: 30\noperators: {pc1: {roles: [oficer]}}",
         "operators.pc1.roles[0]", "must be 'officer', 'reviewer'", "Did you mean officer?"),
        ("backup_days: 30",
         "backup_days: 30\noperators: {pc1: {role: [officer], roles: [officer]}}",
         "operators.pc1.role", "is not a key of the policy", "Did you mean roles?"),
        ("backup_days: 30", "backup_days: 30\noperators: {pc1: {roles: []}}",
         "operators.pc1.roles", "must have at least 1 entry", ""),
        ("backup_days: 30", "backup_days: 30\noperators: {pc1: {roles: officer}}",
         "operators.pc1.roles", "must be a list", ""),
        ("backup_days: 30",
         "backup_days: 30\noperators: {pc1: {roles: [officer], trained_until: soon}}",
         "operators.pc1.trained_until", "must be a day", ""),
        ("backup_days: 30",
         "backup_days: 30\noperators: {pc1: {roles: [officer], trained_until: 2026-02-30}}",
         "operators.pc1.trained_until", "cannot be read", "plain value"),
        ("backup_days: 30", "backup_days: 30\nsupervised: [child]", "supervised",
         "needs an operator with the role reviewer", ""),
        ("backup_days: 30", "backup_days: 30\nplaces: &p [street]\nsupervised: *p",
         "supervised", "is an alias", "Write the value out"),
        ("backup_days: 30", "backup_days: !!python/name:os.system x", "backup_days",
         "cannot be read", ""),
        ('    description: A deceased person is to be identified.', '    description: ""',
         "reasons.deceased.description", "must not be empty", ""),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_and_key_and_hint(
    old: str, new: str, key: str, message: str, hint: str
) -> None:
    text = changed(old, new)
    ((line, found, said, help_),) = problems(text)
    last = new.splitlines()[-1]
    assert (line, found) == (line_of(text, last), key)
    assert message in said
    assert help_
    assert hint in help_
    assert read(text).policy is None


def test_what_is_missing_is_placed_where_it_would_stand() -> None:
    text = changed("    legal_basis: Coroners and Justice Act 2009\n", "")
    assert problems(text) == [
        (line_of(text, "  deceased:"), "reasons.deceased.legal_basis", "is missing",
         "Add it. The reference page on the configuration explains every key."),
    ]  # fmt: skip


def test_a_key_that_stands_twice_is_refused_and_both_lines_are_named() -> None:
    text = DEFAULT + "evaluation: refuse\n"
    first = line_of(DEFAULT, "evaluation: warn")
    ((line, key, message, _),) = problems(text)
    assert (line, key) == (len(text.splitlines()), "evaluation")
    assert message == f"stands twice, first in line {first}"


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = changed("  floor_score: 0.60", "  floor_score: -1")
    text = text.replace("evaluation: warn", "evaluation: maybe").replace("keep_photos:", "photos:")
    text += "backup_days: 5\n"
    found = problems(text)
    assert [key for _, key, _, _ in found] == [
        "identify.floor_score", "evaluation", "photos", "backup_days",
    ]  # fmt: skip
    assert [line for line, *_ in found] == sorted(line for line, *_ in found)


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", 1, "is empty"),
        (b"# nothing\n", 1, "is empty"),
        (b"version: 1\nreasons: a: b\n", 2, "is not YAML"),
        (b"version: 1\n\treasons: 2\n", 2, "is not YAML"),
        (b"version: 1\nreasons: \xff\n", 2, "is not text in UTF-8"),
        (b"version: 1\n---\nversion: 1\n", 2, "is not YAML"),
        (b"[" * 20_000, 1, "is nested too deeply"),
        (b"#" * (1 << 20) + b"#", 1, "is longer than"),
        (b"- 1\n", 1, "must be keys with values"),
    ],
)
def test_what_cannot_be_read_at_all_has_one_problem(data: bytes, line: int, message: str) -> None:
    (problem,) = parse_policy(data).problems
    assert (problem.line, problem.key) == (line, "")
    assert message in problem.message
    assert problem.hint


def test_an_alias_of_itself_ends() -> None:
    assert any("alias" in one.message for one in read("reasons: &r {a: *r}\n").problems)


def test_a_power_of_ten_is_a_number_and_an_account_of_digits_a_name() -> None:
    text = changed("  fpir_target: 0.000166667", "  fpir_target: 1e-4")
    policy = read(
        text + "operators:\n  1207: {roles: [officer]}\n  no: {roles: [auditor]}\n"
    ).policy
    assert policy is not None
    assert policy.identify.fpir_target == 1e-4
    assert set(policy.operators) == {"1207", "no"}


@pytest.mark.parametrize(
    "key",
    ["AAAAC3NzaC1lZDI1NTE5", "-----BEGIN OPENSSH PRIVATE KEY-----",
     "ssh-ed25519 AAAA\\nmallory ssh-ed25519 BBBB"],
)  # fmt: skip
def test_a_key_is_one_line_of_a_public_key_file(key: str) -> None:
    operators = 'operators: {pc1: {roles: [reviewer], key: "%s"}}\n'
    assert [one.key for one in read(DEFAULT + operators % key).problems] == ["operators.pc1.key"]
    good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6u pc1@station"
    assert read(DEFAULT + operators % good).policy is not None


def test_loading_names_every_line_and_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(changed("backup_days: 30", "backup_days: 0") + "x: 1\n")
    with pytest.raises(ConfigurationError, match=r"line \d+, backup_days .*; line \d+, x "):
        load_policy(path)
    path.write_bytes(default_policy())
    import hashlib

    assert load_policy(path)[1] == hashlib.sha256(default_policy()).hexdigest()


def test_a_policy_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_policy(tmp_path / "policy.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load_policy(tmp_path)
