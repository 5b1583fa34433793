"""Signatures by people's own SSH keys, made and verified by `ssh-keygen -Y` (OpenSSH 8.2 or newer).

The form is OpenSSH's PROTOCOL.sshsig. Only the head of a signature is read here, to say whose it
is and what for; whether it holds, ssh-keygen says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fr_cli.errors import ConfigurationError, NotAllowed

if TYPE_CHECKING:
    import subprocess

#: What a signature is for stands in it, so that one for git or a file is none for an act.
NAMESPACE = "fr-approval@v1"
#: Bytes of a signature file that is read; an RSA one of 16384 bits has some 6,000.
LONGEST = 16 * 1024

_LINE = re.compile(r"(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) (?P<blob>[A-Za-z0-9+/]+=*)( .*)?")
#: What may stand in a list of signers without meaning more than itself there.
_PRINCIPAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*")
_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*"
)


@dataclass(frozen=True)
class PublicKey:
    """A public key; `blob` are the bytes that OpenSSH writes as base64."""

    kind: str
    blob: bytes

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Of a line as it stands in a file `….pub`; ValueError if it is none."""
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise ValueError("is not the one line of a file ….pub of ssh-keygen")
        try:
            blob = base64.b64decode(parts["blob"], validate=True)
            if _strings(blob, 1)[0] != parts["kind"].encode():
                raise ValueError
        except (ValueError, binascii.Error):
            raise ValueError("is not whole, or not of the kind that it names") from None
        return cls(parts["kind"], blob)

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as ssh-keygen -l shows it."""
        return fingerprint(self.blob)

    def signer(self, name: str) -> str:
        """The line of a list of allowed signers by which this key speaks for a name, here only."""
        key = base64.b64encode(self.blob).decode()
        return f'{name} namespaces="{NAMESPACE}" {self.kind} {key}\n'


def may_sign_as(name: str) -> bool:
    """Whether an account's name can stand in a list of signers."""
    return _PRINCIPAL.fullmatch(name) is not None


def fingerprint(blob: bytes) -> str:
    """The fingerprint of a key by its bytes."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def sign(message: bytes, key: Path) -> bytes:
    """Sign with a private key, or by its public half with the agent that holds it.

    What asks for a passphrase or a touch is ssh-keygen. ConfigurationError if it cannot sign.
    """
    if not key.is_file():
        raise ConfigurationError(
            f"There is no key {key}.",
            hint="Name your SSH key with --key; ssh-keygen -t ed25519 makes one.",
        )
    words = ["-Y", "sign", "-n", NAMESPACE, "-f", str(key.resolve())]
    # At a terminal it says itself that it waits for a touch, or what is wrong.
    done = _keygen(words, message, seconds=300, told=sys.stderr.isatty())
    if done.returncode or not done.stdout:
        raise ConfigurationError(
            f"ssh-keygen did not sign with {key}: {_last_line(done.stderr or b'see above.')}",
            hint="Try the key with: ssh-keygen -y -f KEY",
        )
    return done.stdout


def signed_by(message: bytes, signature: bytes, signers: Mapping[str, PublicKey]) -> str:
    """Who of these signed the message, for an approval; NotAllowed if none of them did."""
    blob, namespace = _head(signature)
    name = next((name for name, key in signers.items() if key.blob == blob), None)
    if name is None:
        raise NotAllowed(
            f"The signature is by the key {fingerprint(blob)}, which the policy gives to nobody "
            "who may approve.",
            hint="fr policy show lists the operators and their keys.",
        )
    if namespace != NAMESPACE.encode():
        raise NotAllowed(
            f"The signature of {name} was made for something else than an approval.",
            hint=f"Sign with: fr approve REQUEST, or ssh-keygen -Y sign -n {NAMESPACE}",
        )
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="fr-") as folder:
        listed, given = Path(folder) / "allowed_signers", Path(folder) / "signature"
        listed.write_text(signers[name].signer(name))
        given.write_bytes(signature.replace(b"\r\n", b"\n"))  # as mail may have brought it
        words = ["-Y", "verify", "-f", str(listed), "-I", name, "-n", NAMESPACE, "-s", str(given)]
        done = _keygen(words, message, seconds=60)
    if done.returncode:
        raise NotAllowed(
            f"The signature of {name} does not hold for this request: one of the two was altered.",
            hint="Use both files as they were written, or ask anew.",
        )
    return name


def _head(signature: bytes) -> tuple[bytes, bytes]:
    """Key and namespace that a signature names; NotAllowed if it is none."""
    armoured = _ARMOUR.fullmatch(signature) if len(signature) <= LONGEST else None
    try:
        data = base64.b64decode(b"".join(armoured[1].split()), validate=True) if armoured else b""
        if data[:10] != b"SSHSIG\0\0\0\1":
            raise ValueError
        key, namespace = _strings(data[10:], 2)
    except (ValueError, binascii.Error):
        raise NotAllowed(
            "The signature is not one of ssh-keygen -Y sign.",
            hint="Sign the request with: fr approve REQUEST",
        ) from None
    return key, namespace


def _strings(data: bytes, count: int) -> list[bytes]:
    """The first strings of SSH's wire format: a length of four bytes, then so many bytes."""
    found = []
    for _ in range(count):
        end = 4 + int.from_bytes(data[:4], "big")
        if len(data) < end or end < 5:
            raise ValueError("is cut short")
        found.append(data[4:end])
        data = data[end:]
    return found


def _keygen(
    words: list[str], message: bytes, seconds: int, *, told: bool = False
) -> subprocess.CompletedProcess[bytes]:
    import shutil
    import subprocess

    program = shutil.which("ssh-keygen")
    if program is None:
        raise ConfigurationError(
            "ssh-keygen is not installed, which makes and verifies approvals.",
            hint="Install OpenSSH's client (package openssh-client).",
        )
    try:
        return subprocess.run(  # noqa: S603 - the program by its path, every word ours or a path
            [program, *words],
            input=message,
            timeout=seconds,
            check=False,
            stdout=subprocess.PIPE,
            stderr=None if told else subprocess.PIPE,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"ssh-keygen did not answer within {seconds} seconds.") from None


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing."
