"""Everything that can go wrong, with its exit code and what to do about it.

One class a kind of trouble. A script tells them apart by the exit code, a person by the
sentence, so every error says what happened (the message) and what to do next (the hint).
"""

from __future__ import annotations

from typing import ClassVar


class FrError(Exception):
    """An expected failure: shown as two sentences, never as a traceback."""

    code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors to their parent by pickle, which otherwise drops the hint.
        return (_restore, (type(self), self.message, self.hint))


def _restore(kind: type[FrError], message: str, hint: str) -> FrError:
    return kind(message, hint=hint)


class OutputFailed(FrError):
    """The act is done and logged, but its result could not be printed."""

    default_hint = "The act was carried out and is in the audit log."


class UsageProblem(FrError):
    """The command line or an input table cannot be understood."""

    code = 2


class SubjectUnknown(UsageProblem):
    """Nobody is enrolled under the id that was given."""

    default_hint = "Check the id; ids are compared letter by letter."


class SearchUnknown(UsageProblem):
    """The log holds no such search, or nothing on it can be decided."""

    default_hint = "The id of a search stands at the end of its answer; fr decide --pending lists."


class ConfigurationError(FrError):
    """The home folder, its settings or its policy are missing or invalid."""

    code = 3


class StationUnreachable(ConfigurationError):
    """The service that this account asks does not answer."""

    default_hint = "Ask whoever runs it; with a home of your own, name it with --home DIR."


class NotServed(ConfigurationError):
    """The service does not offer this command."""


class NotAllowed(FrError):
    """The policy does not allow this act."""

    code = 4


class LimitReached(NotAllowed):
    """The policy lets this operator search again only later."""


class GalleryMissing(FrError):
    """There is no gallery, or nobody is enrolled in it."""

    code = 10
    default_hint = "Enrol references first: fr enroll SOURCE"


class GalleryLocked(FrError):
    """Another process is changing the gallery."""

    code = 11


class StationBusy(GalleryLocked):
    """The service does not take this request now."""

    code = 11
    default_hint = "Try again in a moment."


class GalleryDamaged(FrError):
    """The gallery's files are not what they were when they were written."""

    code = 12
    default_hint = "See what is wrong with: fr gallery check"


class GalleryUnwritable(GalleryDamaged):
    """The gallery's files cannot be written: the disk is full, or the folder read-only."""

    default_hint = "See whether the disk is full and who owns the folder; then run it again."


class OtherModel(FrError):
    """The gallery was enrolled with a different model: scores cannot be compared."""

    code = 13


class PhotoUnreadable(FrError):
    """The photograph cannot be decoded, or is larger than the limits."""

    code = 20


class NoFace(FrError):
    """No face was found in the photograph."""

    code = 21
    default_hint = "Photograph the face from the front, closer and in even light."


class SeveralFaces(FrError):
    """The photograph shows more than one face, and none was chosen."""

    code = 22


class QualityTooLow(FrError):
    """The face is below the policy's quality floor, so it was not searched."""

    code = 23


class AuditUnwritable(FrError):
    """The audit log cannot be appended to, so nothing was done and nothing is shown."""

    code = 30


class AuditBroken(FrError):
    """The audit log does not verify."""

    code = 31
    default_hint = "Keep the file as it is, and compare it with a head kept elsewhere."


class TargetMissed(FrError):
    """An evaluation did not reach a target that was asked of it."""

    code = 40


class WeightsWrong(FrError):
    """The weights of a model are missing, or are not the bytes of the catalogue."""

    code = 50
    default_hint = "Fetch them with: fr models pull"


class ModelDrift(WeightsWrong):
    """The model makes another template of the golden photo than it did."""

    default_hint = "Libraries changed: go back to those before, or enrol and calibrate anew."


#: Exit codes that are not errors of this tree.
DONE_WITH_SKIPS = 100
INTERRUPTED = 130
