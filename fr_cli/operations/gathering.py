"""What a study asks for → its trial: photos are read, or a list of scores, and searched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fr_cli.audit.log import Act
from fr_cli.operations import scored
from fr_cli.operations.bench import Bench
from fr_cli.operations.cache import Cache
from fr_cli.operations.labelled import Enrolled, Labelled, Role, read_labelled
from fr_cli.operations.study import Protocol, Study, check, protocol_of
from fr_cli.operations.trial import Trial, play
from fr_cli.records import Listener


def gather(
    study: Study, excluded: frozenset[frozenset[str]], bench: Bench, act: Act, listener: Listener
) -> Trial:
    """Read the photos and search by the protocol. Raises UsageProblem for what cannot be evaluated.

    `excluded` are pairs of subjects not to be compared.
    """
    check(study)
    protocol = protocol_of(study)
    if study.scores is not None:
        return scored.play(study, protocol, excluded, listener)
    read = _reader(study, protocol, bench, listener)
    if not study.gallery:
        return play(study, read(), excluded)
    with bench.gallery(act) as gallery:
        subjects, vectors = gallery.everyone()
        data = read(known=gallery.has_image)
        data.gallery = Enrolled(
            subjects, vectors, frozenset(subjects), generation=int(gallery.store.meta("generation"))
        )
    return play(study, data, excluded)


def _reader(
    study: Study, protocol: Protocol, bench: Bench, listener: Listener
) -> Callable[..., Labelled]:
    """Reads the photos that the protocol needs."""
    needed: tuple[Role, ...] = ()
    if protocol in ("open-set", "closed-set"):
        needed = ("probe",) if study.gallery else ("reference", "probe")
    kept = None
    if study.cache:
        kept = Cache(bench.site, bench.site_key, bench.fingerprint, study.face)
    return partial(
        read_labelled, study.source, bench, listener,
        face=study.face, needed=needed, columns=study.group_by, workers=study.workers, kept=kept,
    )  # fmt: skip
