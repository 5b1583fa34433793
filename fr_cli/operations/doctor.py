"""Is everything in order? Each check is ok, warn or fail, with the one command that mends it.

Nothing is written, not even to the log: a home whose log is broken or whose disk is full must
still be examined. Photos and templates are not looked at, but for the golden photo.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from fr_cli.errors import (
    AuditUnwritable,
    ConfigurationError,
    FrError,
    GalleryDamaged,
    GalleryLocked,
    OtherModel,
    WeightsWrong,
)
from fr_cli.face import weights
from fr_cli.face.catalogue import needed
from fr_cli.face.choices import check_licence, resolved
from fr_cli.operations.bench import Bench

State = Literal["ok", "warn", "fail"]

#: Free bytes below which a full disk is near, and below which nothing can be relied on.
LITTLE, NOTHING = 2**30, 50 * 2**20
#: Days before the end of the evaluation in force from which on it is said.
SOON = 30
#: Which failure an exit code speaks of, where there are several: the first of these.
WORST = (31, AuditUnwritable.code, GalleryDamaged.code, ConfigurationError.code, OtherModel.code)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: how it stands, in words, and what mends it."""

    name: str
    state: State
    what: str
    mend: str = ""
    code: int = 0


def ok(name: str, what: str) -> Check:
    """It is as it should be."""
    return Check(name, "ok", what)


def warn(name: str, what: str, mend: str) -> Check:
    """It works, and somebody should know."""
    return Check(name, "warn", what, mend)


def fail(name: str, what: str, mend: str, code: int) -> Check:
    """It does not work, or must not be relied on; `code` is what a command would exit with."""
    return Check(name, "fail", what, mend, code)


def examine(home: Path) -> list[Check]:
    """All checks of a home; ConfigurationError (3) if there is none."""
    from fr_cli.operations import doctor_records as records

    looks: tuple[tuple[str, Callable[[Bench], Check]], ...] = (
        ("policy", _policy), ("modes", _modes), ("keys", records.keys), ("log", records.log),
        ("clock", records.clock), ("pending acts", records.pending),
        ("witness", records.witness), ("disk", _disk), ("processor", _processor),
        ("engine", _engine), ("annoy", _annoy), ("weights", _weights),
        ("golden photo", _golden), ("calibration", _calibration), ("evaluation", _evaluation),
        ("gallery", records.gallery), ("last acts", records.last),
    )  # fmt: skip
    with Bench(home) as bench:
        return [_looked(name, look, bench) for name, look in looks]


def worst(checks: list[Check]) -> int:
    """The exit code: 0 without a failure, else that of the worst one."""
    codes = {check.code for check in checks if check.state == "fail"}
    return next((code for code in WORST if code in codes), max(codes, default=0))


def _looked(name: str, look: Callable[[Bench], Check], bench: Bench) -> Check:
    try:
        return look(bench)
    except GalleryLocked as trouble:
        return warn(name, trouble.message, "fr doctor")
    except FrError as trouble:
        return fail(name, trouble.message, trouble.hint, trouble.code)
    except OSError as trouble:
        return fail(name, f"{trouble.filename or 'A file'}: {trouble.strerror}.", "", 3)


def _policy(bench: Bench) -> Check:
    reasons = len(bench.policy.reasons)
    return ok("policy", f"{reasons} reasons, SHA-256 {bench.policy_digest[:16]}…")


def _modes(bench: Bench) -> Check:
    home = bench.site.home
    open_to_others = [path for path in _private(home) if path.lstat().st_mode & 0o077]
    foreign = [path for path in _private(home) if path.lstat().st_uid != os.geteuid()]
    if open_to_others:
        some = ", ".join(str(path.relative_to(home.parent)) for path in open_to_others[:3])
        return fail(
            "modes", f"Other accounts can reach {len(open_to_others)} of the home's files: {some}.",
            f"chmod -R go-rwx {home}", ConfigurationError.code,
        )  # fmt: skip
    if foreign:
        return warn(
            "modes", f"{foreign[0]} belongs to another account than the one that runs this.",
            f"chown -R {os.geteuid()} {home}",
        )  # fmt: skip
    return ok("modes", "only the owner can reach the home")


def _private(home: Path) -> Iterator[Path]:
    """What nobody else may reach: the folder itself, and the secrets in it."""
    yield home
    for path in sorted((home / "keys").iterdir()):
        if stat.S_ISREG(path.lstat().st_mode) and path.suffix != ".pub":
            yield path
    yield from (home / name for name in ("audit", "gallery", "keys"))
    if (home / "evaluation").exists():
        yield home / "evaluation"


def _disk(bench: Bench) -> Check:
    free = shutil.disk_usage(bench.site.home).free
    said = f"{free / 2**30:.1f} GiB free"
    mend = f"make room on the volume of {bench.site.home}"
    if free < NOTHING:
        return fail("disk", f"{said}: nothing can be logged, so nothing can be done", mend, 30)
    return warn("disk", said, mend) if free < LITTLE else ok("disk", said)


def _processor(bench: Bench) -> Check:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return warn("processor", "its features cannot be read", "mount /proc")
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    found = [name for name in ("avx2", "fma", "avx512f", "avx512_vnni") if name in flags]
    cores = len(os.sched_getaffinity(0))
    said = f"{cores} cores, {', '.join(found) or 'no vector extensions that are known here'}"
    return ok("processor", said)


def _engine(bench: Bench) -> Check:
    wanted = ("deepface", "onnxruntime", "opencv-contrib-python-headless", "numpy")
    try:
        found = {name: version(name) for name in wanted}
    except PackageNotFoundError as missing:
        return fail("engine", f"{missing.name} is not installed.", f"pip install {missing.name}", 3)
    if int(found[wanted[2]].split(".")[0]) >= 5:
        return fail(
            "engine", "OpenCV 5 is installed, which DeepFace refuses in places.",
            "pip install 'opencv-contrib-python-headless<5'", 3,
        )  # fmt: skip
    return ok("engine", ", ".join(f"{name} {number}" for name, number in found.items()))


def _annoy(bench: Bench) -> Check:
    # It is compiled for the processor that built it, and dies of another one without a word.
    program = (
        "from annoy import AnnoyIndex as A; a = A(8, 'angular'); "
        "[a.add_item(i, [i, 1, 2, 3, 4, 5, 6, 7]) for i in range(9)]; a.build(2); "
        "assert a.get_nns_by_item(0, 1) == [0]"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603
    if done.returncode:
        return fail(
            "annoy", "The index library does not run on this processor.",
            "pip install --force-reinstall --no-cache-dir --no-binary annoy annoy", 3,
        )  # fmt: skip
    return ok("annoy", f"annoy {version('annoy')} runs here")


def _weights(bench: Bench) -> Check:
    folders = bench.model_folders
    models = [resolved(one.name, folders) for one in needed(bench.site.model)]
    for model in models:
        check_licence(model, folders)
        try:
            weights.load(model, folders)
        except WeightsWrong as trouble:
            mend = f"fr models pull {model.name}" if model.sha256 else trouble.hint
            return fail("weights", trouble.message, mend, WeightsWrong.code)
    return ok(
        "weights", "; ".join(f"{one.name}, SHA-256 {str(one.sha256)[:16]}…" for one in models)
    )


def _golden(bench: Bench) -> Check:
    from fr_cli.face import golden

    cosine = golden.check(bench.pipeline, bench.model_folders[0])
    if cosine is None:
        return warn(
            "golden photo", f"What {bench.site.model} makes of it was not recorded yet.",
            f"fr models pull {bench.site.model}",
        )  # fmt: skip
    return ok("golden photo", f"the template is what it was (cosine {cosine:.5f})")


def _calibration(bench: Bench) -> Check:
    found = bench.calibration
    if found is None:
        place = bench.site.calibration / "own.json"
        return warn(
            "calibration", f"None for {bench.site.model}: every search is inconclusive.",
            f"fr evaluate MANIFEST --calibrate {place}",
        )  # fmt: skip
    return ok(
        "calibration",
        f"{found.data.name}, made {found.made}, measured down to FMR {found.smallest_fmr:.1e}",
    )


def _evaluation(bench: Bench) -> Check:
    """Whether an evaluation is in force, of this model, and for how long."""
    from fr_cli.operations.in_force import in_force

    mend = "fr evaluate MANIFEST --require TARGETS"
    refuses = bench.policy.evaluation == "refuse"
    effect = "every search is inconclusive" if refuses else "every answer says so"
    found = in_force(bench)
    if found is None:
        return warn("evaluation", f"None is in force: {effect}.", mend)
    if found.fingerprint != bench.fingerprint:
        return warn("evaluation", f"The one in force is of another model: {effect}.", mend)
    until = found.until.isoformat()
    if found.over:
        return warn("evaluation", f"It was in force until {until}: {effect}.", mend)
    said = f"in force until {until}, up to {found.references:,} references"
    if (found.until - datetime.now(UTC).date()).days < SOON:
        return warn("evaluation", f"{said[0].upper()}{said[1:]}.", mend)
    return ok("evaluation", f"{said}, from score {found.score:.2f} on")
