"""Faults of a policy: each with its line, its key and what to do, all of them at once."""

from __future__ import annotations

import pytest

from tests.authority.test_policy import changed, line_of, problems, read


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


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = changed("  floor_score: 0.60", "  floor_score: -1")
    text = text.replace("evaluation: warn", "evaluation: maybe").replace("keep_photos:", "photos:")
    text += "backup_days: 5\n"
    found = problems(text)
    assert [key for _, key, _, _ in found] == [
        "identify.floor_score", "evaluation", "photos", "backup_days",
    ]  # fmt: skip
    assert [line for line, *_ in found] == sorted(line for line, *_ in found)
