"""A policy as YAML: what cannot be read, and what YAML would read otherwise than a person."""

from __future__ import annotations

import pytest

from fr_cli.authority.policy import parse_policy
from tests.authority.test_policy import DEFAULT, changed, line_of, problems, read


def test_a_key_that_stands_twice_is_refused_and_both_lines_are_named() -> None:
    text = DEFAULT + "evaluation: refuse\n"
    first = line_of(DEFAULT, "evaluation: warn")
    ((line, key, message, _),) = problems(text)
    assert (line, key) == (len(text.splitlines()), "evaluation")
    assert message == f"stands twice, first in line {first}"


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
