"""Attack: a signature that was made for something else, such as a commit or a file."""

from __future__ import annotations

import pytest

from .two_people import Station


@pytest.mark.parametrize("namespace", ["file", "git", "fr-approval@v2", "fr-approval"])
def test_another_namespace(pair: Station, namespace: str) -> None:
    data = pair.ask().data
    said = pair.refused(data, pair.sign(data, namespace=namespace))
    assert said == "The signature of bob was made for something else than an approval."


def test_the_head_of_a_signature_says_one_namespace_and_its_body_another(pair: Station) -> None:
    """The head is read by fr, the signature by ssh-keygen: it must not be enough to fool one."""
    import base64

    data = pair.ask().data
    signed = pair.sign(data, namespace="fr-approval@v2")
    raw = base64.b64decode(b"".join(signed.splitlines()[1:-1]))
    forged = base64.encodebytes(raw.replace(b"fr-approval@v2", b"fr-approval@v1"))
    lines = signed.splitlines(keepends=True)
    said = pair.refused(data, lines[0] + forged + lines[-1] + b"\n")
    assert said.startswith("The signature of bob does not hold for this request")
