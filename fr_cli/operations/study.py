"""What to evaluate, and by which protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fr_cli.errors import UsageProblem
from fr_cli.face.pipeline import Choice

if TYPE_CHECKING:
    from fr_cli.evaluation.impostors import Fusion

Protocol = Literal["open-set", "closed-set", "verification", "leave-one-out"]


@dataclass(frozen=True)
class Study:
    """What to evaluate, and how.

    `manifest` is a manifest or a folder with one folder a subject. `protocol` None is open-set
    for a manifest, leave-one-out for a folder. `random_galleries` > 0 draws that many galleries
    of `gallery_size` subjects, with `seed`. `site_data` says that the photos are the site's own,
    `holdout` asks for a fit tested on unseen people, `eer` for the equal error rate, `pairs` for
    the faces of pairs that look wrongly labelled, `record` for what became of each probe,
    `worst` for the faces of the worst errors.
    `require` is a file of targets to be reached.
    """

    manifest: Path | None = None
    exclude: Path | None = None
    group_by: tuple[str, ...] = ()
    face: Choice = "central"
    calibrate: Path | None = None
    workers: int | None = None
    protocol: Protocol | None = None
    fusion: Fusion = "best"
    random_galleries: int = 0
    gallery_size: int = 0
    seed: int = 0
    site_data: bool = False
    holdout: bool = False
    eer: bool = False
    pairs: bool = False
    scores: Path | None = None
    gallery: bool = False
    cache: bool = True
    search_loss: bool = False
    require: Path | None = None
    record: bool = False
    worst: bool = False

    @property
    def source(self) -> Path:
        """The manifest, folder or list of scores; UsageProblem unless there is exactly one."""
        given = [path for path in (self.manifest, self.scores) if path is not None]
        if len(given) != 1:
            raise UsageProblem(
                "An evaluation is of one manifest, or of one list of scores.",
                hint="Give MANIFEST, or --scores FILE.",
            )
        return given[0]


def protocol_of(study: Study) -> Protocol:
    """The protocol that is asked for, or the one that fits the input."""
    if study.protocol is None:
        folder = study.source.is_dir() and not study.gallery
        return "leave-one-out" if folder else "open-set"
    return study.protocol


def check(study: Study) -> None:
    """Raise UsageProblem for wishes that do not go together."""
    protocol = protocol_of(study)
    listed, drawn = study.scores is not None, study.random_galleries
    rules = (
        (
            listed and study.calibrate is not None,
            "A calibration says what a cosine of this home's model means, not another's score.",
            "Leave --calibrate out.",
        ),
        (
            listed and study.gallery,
            "A list of scores has its references in it; the home's gallery is not asked.",
            "Leave --gallery out.",
        ),
        (
            bool(drawn) and protocol != "open-set",
            f"Random galleries are drawn under the protocol open-set, not {protocol}.",
            "Add --protocol open-set, or leave --random-galleries out.",
        ),
        (
            bool(drawn) != bool(study.gallery_size),
            "--random-galleries says how many, --gallery-size how large: they belong together.",
            "Give both --random-galleries and --gallery-size, or neither.",
        ),
        (
            study.gallery and protocol not in ("open-set", "closed-set"),
            f"The gallery is searched under open-set and closed-set, not {protocol}.",
            "Give a manifest with references of its own for anything else.",
        ),
        (
            study.record and (bool(drawn) or protocol == "verification"),
            "A record is of one search for each probe.",
            "Leave --record out, or evaluate with one gallery.",
        ),
        (
            study.gallery and study.calibrate is not None,
            "A calibration compares all photos of a manifest; the gallery gives none.",
            "Leave --gallery out.",
        ),
    )
    for wrong, message, hint in rules:
        if wrong:
            raise UsageProblem(message, hint=hint)
