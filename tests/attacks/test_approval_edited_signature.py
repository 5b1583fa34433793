"""Attack: the signature is changed, cut short, or another file."""

from __future__ import annotations

import base64

from .two_people import Station

NONE = "The signature is not one of ssh-keygen -Y sign."
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def test_a_bit_of_the_signature_itself(pair: Station) -> None:
    data = pair.ask().data
    raw = bytearray(base64.b64decode(b"".join(pair.sign(data).splitlines()[1:-1])))
    raw[-1] ^= 1
    signature = BEGIN + base64.encodebytes(bytes(raw)) + END
    assert pair.refused(data, signature).startswith("The signature of bob does not hold")


def test_of_another_request(pair: Station) -> None:
    first, second = pair.ask().data, pair.ask().data
    said = pair.refused(second, pair.sign(first))
    assert said.startswith("The signature of bob does not hold")


def test_what_is_no_signature(pair: Station) -> None:
    data = pair.ask().data
    good = pair.sign(data)
    for bad in (b"", b"x", good[:100], good + good, BEGIN + b"AAAA\n" + END, good + b"x" * 20_000):
        assert pair.refused(data, bad) == NONE
