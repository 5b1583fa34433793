"""Attack: the signature is changed, cut short, or another file."""

from __future__ import annotations

import base64

from .two_people import Station

NONE = "The signature is not one of ssh-keygen -Y sign."
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def test_a_bit_of_the_signature_itself(station: Station) -> None:
    data = station.ask().data
    raw = bytearray(base64.b64decode(b"".join(station.sign(data).splitlines()[1:-1])))
    raw[-1] ^= 1
    signature = BEGIN + base64.encodebytes(bytes(raw)) + END
    assert station.refused(data, signature).startswith("The signature of bob does not hold")


def test_of_another_request(station: Station) -> None:
    first, second = station.ask().data, station.ask().data
    said = station.refused(second, station.sign(first))
    assert said.startswith("The signature of bob does not hold")


def test_what_is_no_signature(station: Station) -> None:
    data = station.ask().data
    good = station.sign(data)
    for bad in (b"", b"x", good[:100], good + good, BEGIN + b"AAAA\n" + END, good + b"x" * 20_000):
        assert station.refused(data, bad) == NONE
