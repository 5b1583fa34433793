"""Calibration files: signed by the home that made them, checked before a score means anything.

The signature stands in the document itself:

    "signature": {"origin": "fr.local/…", "key": "<base64>", "sig": "<base64>"}

and in it "approval", the SHA-256 of the request (or the act of the override) by which a second
person approved it, where the policy asks for one.

Ed25519 by the key of the home's audit log over `fr calibration`, a line end, and the RFC 8785
bytes of the document without `sig`. So neither the numbers nor who is said to have made them can
be changed. The files that come with fr are not signed; their SHA-256 is in this code.

Which keys a home had, its log says. So that no search has to read that, a key that takes over signs
the home's calibrations anew: in a file of the same name and `.sig`, over their bytes as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fr_cli.decision.calibration import Calibration
from fr_cli.decision.document import calibration_from_dict, calibration_to_dict
from fr_cli.disk import write_whole
from fr_cli.errors import ConfigurationError, FrError, NotAllowed
from fr_cli.keys import AUDIT_PUBLIC, SigningKey, load_public_key
from fr_cli.operations.vouching import signed as vouched
from fr_cli.site import Site

#: The calibrations that come with fr, by the SHA-256 of their bytes.
SHIPPED = {
    "sface-yunet.json": "fc550ae0b192099a73e3e7149502d68f6f6c9bcf9235e8df888481f6f57f271d",
}
#: What a later key signs of a file, before its bytes.
_ANEW = b"fr calibration of this home\n"
_AGAIN = "Restore it from its backup, or make it again with: fr evaluate --calibrate"


@dataclass(frozen=True)
class InForce:
    """A calibration, the SHA-256 of its file, and what must be said of it (empty for nothing).

    `approval` is what a second person approved it by (a request, or the act of an override),
    `shipped` whether it comes with fr.
    """

    calibration: Calibration
    digest: str
    note: str = ""
    approval: str = ""
    shipped: bool = False

    def refuse_unapproved(self) -> None:
        """NotAllowed (4) unless a second person of this home has approved it, or it is fr's."""
        if not self.shipped and (self.note or not self.approval):
            raise NotAllowed(
                "A calibration lies in calibration/ that no second person has approved.",
                hint="Take it out, and make it with: fr evaluate --calibrate FILE --request R",
            )


def in_force(site: Site, fingerprint: str, fusion: str, now: bytes = b"") -> InForce | None:
    """The home's own calibration of this model and fusion, else the one that comes with fr.

    `now` is the public key that signs the log now; without it the log is asked for a later key.
    Raises ConfigurationError for a file that cannot be read, or is not as it was signed.
    """
    for name, data, own in _files(site):
        document = _parsed(name, data)
        signature = document.pop("signature", None)
        calibration = calibration_from_dict(document)
        if (calibration.fingerprint, calibration.fusion) == (fingerprint, fusion):
            note = _checked(name, data, document, signature, site, now) if own else ""
            approval = str(signature.get("approval", "")) if isinstance(signature, dict) else ""
            digest = hashlib.sha256(data).hexdigest()
            return InForce(calibration, digest, note, approval, shipped=not own)
    return None


def summary(calibration: Calibration) -> dict[str, Any]:
    """What a second person is told; `fit` is the SHA-256 of all of it but the day it was made."""
    import rfc8785

    document = calibration_to_dict(calibration)
    del document["made"]
    return {
        "model": calibration.model,
        "fusion": calibration.fusion,
        "fingerprint": calibration.fingerprint,
        "data": document["data"],
        "score 0.60 is cosine": f"{calibration.cosine(0.60):.4f}",
        "fit": hashlib.sha256(rfc8785.dumps(document)).hexdigest(),
    }


def signed(calibration: Calibration, signer: SigningKey, origin: str, approval: str = "") -> bytes:
    """The file of a calibration, signed by a home; `approval` is what it was approved by."""
    document = calibration_to_dict(calibration)
    who = {"origin": origin, "key": base64.b64encode(signer.public).decode()}
    if approval:
        who["approval"] = approval
    sig = base64.b64encode(signer.sign(_message(document, who))).decode()
    return json.dumps({**document, "signature": {**who, "sig": sig}}, indent=1).encode() + b"\n"


def _message(document: dict[str, Any], who: dict[str, str]) -> bytes:
    import rfc8785

    return b"fr calibration\n" + rfc8785.dumps({**document, "signature": who})


def _files(site: Site) -> Iterator[tuple[str, bytes, bool]]:
    for path in sorted(site.calibration.glob("*.json")):
        try:
            yield str(path), path.read_bytes(), True
        except OSError as trouble:
            raise ConfigurationError(
                f"The calibration {path} cannot be read: {trouble.strerror}.", hint=_AGAIN
            ) from trouble
    folder = Path(__file__).parents[1] / "decision" / "shipped"
    for name, digest in SHIPPED.items():
        data = (folder / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ConfigurationError(
                f"The calibration {name} that comes with fr was altered.", hint="Install fr anew."
            )
        yield name, data, False


def _parsed(name: str, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("it is not an object")
    except ValueError as trouble:
        raise ConfigurationError(
            f"The calibration {name} cannot be read: {trouble}.", hint=_AGAIN
        ) from trouble
    return document


def sign_anew(site: Site, key: SigningKey) -> None:
    """Sign the home's own calibrations with the log's new key; only those that are its own.

    Where that fails nothing is lost: each search then asks the log, which takes longer.
    """
    for path in site.calibration.glob("*.json"):
        with suppress(OSError, FrError):
            data = path.read_bytes()
            document = _parsed(str(path), data)
            if not _checked(str(path), data, document, document.pop("signature", None), site):
                write(base64.b64encode(key.sign(_ANEW + data)) + b"\n", _beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sig")


def _checked(
    name: str,
    data: bytes,
    document: dict[str, Any],
    signature: object,
    site: Site,
    now: bytes = b"",
) -> str:
    """Hold a home's file against its signature; returns what to say of a stranger's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    fields = {"origin", "key", "sig"}
    if not isinstance(signature, dict) or set(signature) - {"approval"} != fields:
        raise ConfigurationError(f"The calibration {name} is not signed.", hint=_AGAIN)
    who = {name: str(one) for name, one in signature.items() if name != "sig"}
    try:
        public = base64.b64decode(who["key"], validate=True)
        sig = base64.b64decode(str(signature["sig"]), validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(sig, _message(document, who))
    except (InvalidSignature, ValueError) as trouble:
        raise ConfigurationError(
            f"The calibration {name} is not as it was signed: it was altered or damaged.",
            hint=_AGAIN,
        ) from trouble
    if who["origin"] != site.origin:
        return (
            f"The calibration {Path(name).name} was made by another home ({who['origin']}, key "
            f"{who['key']}): its error rates are that home's word."
        )
    if not _own(public, Path(name), data, site, now):
        raise ConfigurationError(
            f"The calibration {name} says that this home made it, but no key of this home "
            "signed it.",
            hint=_AGAIN,
        )
    return ""


def _own(public: bytes, path: Path, data: bytes, site: Site, now: bytes) -> bool:
    """Whether it is a key of the home: its first one, the one of now, or one that its log names."""
    first = load_public_key(site.keys / AUDIT_PUBLIC).public_bytes_raw()
    if public in (first, now):
        return True
    with suppress(OSError):
        if now and vouched(now, _ANEW + data, _beside(path).read_bytes()):
            return True
    from fr_cli.audit.reader import Log

    log = Log(site.audit / "audit.jsonl", first, site.origin)
    return any(key.public == public for key in log.read().through().keys)


def write(data: bytes, path: Path) -> str:
    """Write the file whole or not at all; returns the SHA-256 of its bytes."""
    try:
        write_whole(path, [data])
    except OSError as trouble:
        raise ConfigurationError(
            f"The calibration {path} cannot be written: {trouble.strerror}.",
            hint="Choose another path for --calibrate.",
        ) from trouble
    return hashlib.sha256(data).hexdigest()
