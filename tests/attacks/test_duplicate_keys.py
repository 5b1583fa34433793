"""An object with a key twice: two readers, two truths; signed by one with the key."""

from __future__ import annotations

import pytest

from .tampering import SmallLog


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"exit":0', b'"exit":0,"exit":0'),
        (b'"exit":0', b'"exit":0,"exit":1'),
        (b'"result":"no_candidate"', b'"result":"candidates","result":"no_candidate"'),
        (b'"result":"no_candidate"', b'"result":"no_candidate","\\u0072esult":"candidates"'),
    ],
)
def test_a_key_twice_in_an_entry(small: SmallLog, old: bytes, new: bytes) -> None:
    small.detected(small.respelled(9, old, new), "line 10 holds an entry that has a key twice")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'{"cp":', b'{"cp":{},"cp":'), (b'"size":10', b'"size":9,"size":10'),
     (b',"e":', b',"e":{},"e":'), (b"}}\n", b'},"e":{}}\n')],
)  # fmt: skip
def test_a_key_twice_in_a_line(small: SmallLog, old: bytes, new: bytes) -> None:
    lines = small.lines
    lines[9] = lines[9].replace(old, new)
    small.detected(lines, "line 10 ")
