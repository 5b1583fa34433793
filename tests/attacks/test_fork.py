"""One log shown in two versions, both rightly signed: each is whole, and together they are proof.

From one file alone a fork cannot be seen: whoever has the key can write any past. Two heads that
two witnesses saw can: no log has both.
"""

from __future__ import annotations

import pytest

from fr_cli.audit.line import read_line
from fr_cli.errors import AuditBroken
from fr_cli.records import Head

from .tampering import SmallLog


def heads(lines: list[bytes]) -> list[Head]:
    return [Head(line.size, line.root) for line in map(read_line, lines)]


@pytest.fixture
def forks(small: SmallLog) -> tuple[list[bytes], list[bytes]]:
    """The log, and one that leaves it after eight lines."""
    bodies = small.bodies
    bodies[8:] = [body.replace(b"CR/26/2", b"CR/26/3") for body in bodies[8:]]
    bodies[8:] = [body.replace(b"no_candidate", b"candidates") for body in bodies[8:]]
    return small.lines, small.signed(bodies)


def test_each_fork_is_whole_by_itself(
    small: SmallLog, forks: tuple[list[bytes], list[bytes]]
) -> None:
    for fork in forks:
        for head in heads(fork):
            assert small.passes(fork, witnessed=head).entries == 10


def test_no_log_has_what_two_witnesses_saw(
    small: SmallLog, forks: tuple[list[bytes], list[bytes]]
) -> None:
    for shown, other in (forks, forks[::-1]):
        for head in heads(other)[:8]:  # their common past
            small.passes(shown, witnessed=head)
        for head in heads(other)[8:]:
            small.detected(shown, "another root than the witnessed head", witnessed=head)


def test_a_fork_of_another_length(small: SmallLog, forks: tuple[list[bytes], list[bytes]]) -> None:
    shown, other = forks
    small.detected(other[:9], "it was cut", witnessed=heads(shown)[9])
    small.detected(other, "another root", witnessed=heads(shown)[8])


def test_the_home_remembers_its_own_fork(
    small: SmallLog, forks: tuple[list[bytes], list[bytes]]
) -> None:
    """As long as its cache is there, which whoever writes the log could remove as well."""
    _, other = forks
    small.log.path.write_bytes(b"".join(other))
    with pytest.raises(AuditBroken, match="rewritten"):
        small.log.act("identify", "consultation")
    assert small.lines == other
    (small.log.path.parent / "frontier.json").unlink()
    with small.log.act("identify", "consultation"):
        pass
    assert small.passes(small.lines).entries == 12
    small.detected(small.lines, "another root", witnessed=heads(forks[0])[9])
