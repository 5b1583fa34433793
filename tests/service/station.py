"""A station with real accounts: a service account that owns a home, and people of each role.

Needs root, to make the accounts; elsewhere the tests that need them are skipped with a word. The
accounts live as long as the tests run. Whatever they must read (Python, the package, the weights)
is copied to where they can, if they cannot read it where it is.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket as sockets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import fr_cli
from tests.conftest import GROUNDS, Fr, Result, jpeg, small

ROLES = {
    "service": ["gallery-manager", "administrator"],
    "officer": ["officer"],
    "second": ["officer"],
    "reviewer": ["reviewer"],
    "manager": ["gallery-manager"],
    "auditor": ["auditor"],
    "stranger": [],
}
#: Not the names of roles alone: several test runs share a machine.
_PREFIX = f"fr{os.getpid()}"


@dataclass(frozen=True)
class Account:
    """A Unix account made for the tests."""

    name: str

    @property
    def uid(self) -> int:
        """Its number."""
        return pwd.getpwnam(self.name).pw_uid


@dataclass(frozen=True)
class Desk:
    """What all accounts can read: Python, the package, the weights; and the accounts."""

    folder: Path
    python: Path
    path: str
    accounts: dict[str, Account]

    def environment(self) -> dict[str, str]:
        """What every process begins with."""
        return {
            "PATH": f"{self.folder}/bin:/usr/bin:/bin",
            "PYTHONPATH": self.path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/nonexistent",
            "XDG_DATA_HOME": f"{self.folder}/data",
        }

    def start(self, who: str, *words: object, **more: str) -> subprocess.Popen[bytes]:
        """Start a command line as one of the accounts."""
        account = self.accounts[who]
        return subprocess.Popen(
            ["setpriv", "--reuid", account.name, "--regid", account.name, "--init-groups",
             "--", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment() | more,
            cwd="/",
        )  # fmt: skip

    def run(self, who: str, *words: object, stdin: bytes = b"", **more: str) -> Result:
        """Run it to its end."""
        with self.start(who, *words, **more) as process:
            out, err = process.communicate(stdin, timeout=120)
            return Result(process.returncode, out.decode(), err.decode())


@dataclass
class Station:
    """A service that runs, and its home, which only root and the service account can read."""

    desk: Desk
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """The home of the service."""
        return self.folder / "home"

    @property
    def socket(self) -> Path:
        """Where it hears."""
        return self.folder / "run" / "fr.sock"

    @property
    def pid(self) -> int:
        """The process of the door."""
        assert self.process is not None
        return self.process.pid

    def start(self, *options: str, **more: str) -> None:
        """Start it, with more in its environment, and wait until it hears."""
        words = (
            "fr",
            "serve",
            "--home",
            self.home,
            "--socket",
            self.socket,
            "--everyone",
            *options,
        )
        self.process = self.desk.start("service", *words, **more)
        until = time.monotonic() + 60
        while not self._hears():
            if self.process.poll() is not None or time.monotonic() > until:
                out, err = self.process.communicate()
                raise AssertionError((self.process.returncode, out, err))
            time.sleep(0.05)

    def _hears(self) -> bool:
        with sockets.socket(sockets.AF_UNIX) as line, suppress(OSError):
            line.connect(str(self.socket))
            return True
        return False

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        assert self.process is not None
        self.process.send_signal(sign)
        self.process.communicate(timeout=60)
        code, self.process = self.process.returncode, None
        return code

    def fr(self, who: str, *words: object, stdin: bytes = b"", **more: str) -> Result:
        """Run `fr` as somebody, who asks this station."""
        more.setdefault("FR_STATION", str(self.socket))
        return self.desk.run(who, "fr", *words, stdin=stdin, **more)

    def json(
        self, who: str, *words: object, stdin: bytes = b"", code: int = 0, **more: str
    ) -> dict[str, Any]:
        """The same with --json: the document, or the error if another code than 0 or 100 is due."""
        result = self.fr(who, *words, "--json", stdin=stdin, **more)
        assert result.code == code, (result.code, result.stdout, result.stderr)
        return result.document if code in (0, 100) else result.error

    def identify(self, who: str, photo: bytes, *options: str, code: int = 0) -> dict[str, Any]:
        """Ask who is in a photo."""
        return self.json(who, "identify", "-", *GROUNDS, *options, stdin=photo, code=code)

    def direct(self, *words: object, **more: str) -> dict[str, Any]:
        """Run `fr` directly on the home, as the service account; the document."""
        words = ("fr", *words, "--home", self.home, "--json")
        result = self.desk.run("service", *words, stdin=b"", **more)
        assert result.code in (0, 100), (result.code, result.stdout, result.stderr)
        return result.document

    def feed(self, *people: str, kind: str = "studio_portrait") -> Path:
        """A folder of photos of these people, which every account can read."""
        folder = Path(tempfile.mkdtemp(prefix="feed-", dir=self.folder))
        folder.chmod(0o755)
        for person in people:
            (folder / person).mkdir()
            (folder / person / f"{kind}.jpg").write_bytes(jpeg(small(person, kind)))
        return folder

    def log(self) -> list[dict[str, Any]]:
        """The entries of the audit log."""
        text = (self.home / "audit" / "audit.jsonl").read_text()
        return [json.loads(line)["e"] for line in text.splitlines()]

    def policy(self, **changes: Any) -> None:
        """Change the policy of the home, in place, as an administrator would."""
        path = self.home / "policy.yaml"
        rules = yaml.safe_load(path.read_text()) | changes
        draft = path.with_suffix(".new")
        draft.write_text(yaml.safe_dump(rules))
        shutil.chown(draft, self.desk.accounts["service"].name)
        draft.chmod(0o600)
        draft.replace(path)

    @contextmanager
    def line(self, who: str | None = None) -> Iterator[sockets.socket]:
        """A connection to the socket, made by root or by one of the accounts."""
        uid = 0 if who is None else self.desk.accounts[who].uid
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as made:
            made.settimeout(60)
            # The kernel notes who connects by the effective account of that moment.
            os.seteuid(uid)
            try:
                made.connect(str(self.socket))
            finally:
                os.seteuid(0)
            yield made


@contextmanager
def made_desk(models: Path) -> Iterator[Desk]:
    """Make the accounts; they are gone at the end."""
    if os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("setpriv"):
        pytest.skip("real accounts can only be made by root, with useradd and setpriv")
    folder = Path(tempfile.mkdtemp(prefix="fr-station-", dir="/tmp"))
    folder.chmod(0o755)
    names = {role: Account(f"{_PREFIX}{role[:6]}") for role in ROLES}
    made: list[str] = []
    try:
        python = _python(folder)
        path = _importable(folder)
        (folder / "data" / "fr").mkdir(parents=True)
        shutil.copytree(models, folder / "data" / "fr" / "models", ignore=_only_default)
        (folder / "bin").mkdir()
        program = folder / "bin" / "fr"
        # Guarded as the script that pip makes: the processes of an enrolment import it.
        lines = "from fr_cli.cli.main import app\n\nif __name__ == '__main__':\n    app()\n"
        program.write_text(f"#!{python}\n{lines}")
        program.chmod(0o755)
        for account in names.values():
            _add(account.name)
            made.append(account.name)
        yield Desk(folder, python, path, names)
    finally:
        for name in made:
            _patiently("userdel", "--force", name)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def made_station(desk: Desk, enrolled: Fr) -> Iterator[Station]:
    """A station of its own that does not run yet; stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="station-", dir=desk.folder))
    folder.chmod(0o755)
    service = desk.accounts["service"].name
    one = Station(desk, folder)
    shutil.copytree(enrolled.home, one.home)
    (folder / "run").mkdir(mode=0o755)
    for path in (one.home, *one.home.rglob("*"), folder / "run"):
        shutil.chown(path, service, service)
    people = {desk.accounts[who].name: {"roles": roles} for who, roles in ROLES.items() if roles}
    one.policy(operators=people)
    try:
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.stop(signal.SIGKILL)


def _patiently(*words: str) -> bool:
    """Run it, again while somebody else has the list of accounts; whether it was done."""
    for _ in range(100):
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if "lock" not in done.stderr:
            return done.returncode == 0
        time.sleep(0.1)
    return False


def _add(name: str) -> None:
    if not _patiently("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name):
        pytest.skip("this machine makes no accounts")


def _only_default(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".onnx")}


def _reachable(path: Path) -> bool:
    """Whether any account can read this."""
    real = path.resolve()
    return all(one.stat().st_mode & 0o001 for one in (real, *real.parents)) or (
        real.is_file() and all(one.stat().st_mode & 0o001 for one in real.parents)
    )


def _python(folder: Path) -> Path:
    """This Python where any account can run it: itself, the system's of its version, or a copy."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for one in (Path(sys.executable), Path("/usr/bin") / version):
        if one.exists() and _reachable(one):
            return one
    base = Path(sys.base_prefix)
    ignored = shutil.ignore_patterns("test", "site-packages", "__pycache__", "idlelib", "*.a")
    shutil.copytree(base / "lib" / version, folder / "python/lib" / version, ignore=ignored)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy(library, folder / "python/lib")
    (folder / "python/bin").mkdir()
    shutil.copy(base / "bin" / version, folder / "python/bin")
    return folder / "python/bin" / version


def _importable(folder: Path) -> str:
    """What Python is to import from: a copy of the package, and the libraries where they are."""
    shutil.copytree(
        Path(fr_cli.__file__).parent,
        folder / "lib" / "fr_cli",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    libraries = [Path(one) for one in sys.path if one.endswith("-packages")]
    if not all(map(_reachable, libraries)):
        pytest.skip(f"other accounts cannot read the libraries in {libraries}")
    return ":".join(map(str, (folder / "lib", *libraries)))
