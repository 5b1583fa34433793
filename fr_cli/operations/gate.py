"""Does an evaluation reach its targets? Each is met, missed, or not decided by the data.

A target is met when the 95 % interval lies wholly on its good side, missed when it lies wholly on
the bad side, and undecided in between. Only what is met passes: data that cannot decide is no
approval. So a system whose true rate misses a target passes it in at most 5 of 100 evaluations, and
for group ratios likewise, whatever the number of groups (`inequity.max_min`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fr_cli.operations.targets import Groups, Targets

if TYPE_CHECKING:
    from fr_cli.evaluation.groups import GroupStudy
    from fr_cli.evaluation.inequity import Ratio
    from fr_cli.evaluation.intervals import Rate
from fr_cli.evaluation.rates import Probes

Verdict = Literal["met", "missed", "undecided"]


@dataclass(frozen=True)
class Check:
    """One target: in words, its verdict, and what was found; how much was missing in `short`."""

    target: str
    verdict: Verdict
    found: str
    short: str = ""

    @property
    def sentence(self) -> str:
        """The check in one sentence."""
        gap = f" ({self.short})" if self.short else ""
        return f"{self.target}: {self.verdict}; {self.found}{gap}."


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the targets are held against.

    `cosine` gives the cosine of a score (None without a calibration), `operating` the score that
    searches use in a gallery of the size that the targets ask for; `studies` the groups by their
    columns and threshold, `latency` the 99th percentile of a search in ms, if measured.
    """

    references: int
    subjects: int
    probes: Probes
    cosine: Callable[[float], float] | None
    studies: Sequence[GroupStudy]
    operating: float = 0.0
    latency: float | None = None


def gate(targets: Targets, evidence: Evidence) -> list[Check]:
    """Every target with its verdict, in the order of the file."""
    return [*_checks(targets, evidence)]


def passes(checks: Sequence[Check]) -> bool:
    """Whether every target is met."""
    return all(check.verdict == "met" for check in checks)


def group_thresholds(targets: Targets, evidence: Evidence) -> list[tuple[tuple[str, ...], float]]:
    """The columns and thresholds for which the targets need a study of groups."""
    wanted = []
    for one in targets.groups:
        threshold = _threshold(evidence, one.at_score, one.at_fpir)
        if threshold is not None:
            wanted.append((tuple(one.by), threshold))
    return wanted


def _checks(targets: Targets, evidence: Evidence) -> Iterator[Check]:
    from fr_cli.evaluation.rates import fpir, tpir

    probes = evidence.probes
    found = {
        "references": ("references", evidence.references),
        "subjects": ("subjects", evidence.subjects),
        "probes_mated": ("mated probes", probes.mated_count),
        "probes_nonmated": ("non-mated probes", probes.nonmated_count),
    }
    for name, (words, count) in found.items():
        if name in targets.counts.model_fields_set:
            yield _count(words, count, getattr(targets.counts, name))
    for one in targets.tpir:
        # A large gallery is searched at a higher score than the one that is asked about.
        score = None if one.at_score is None else max(one.at_score, evidence.operating)
        where = _where(score, one.at_fpir)
        threshold = _threshold(evidence, score, one.at_fpir)
        if threshold is None:
            yield _no_threshold(f"TPIR {where} at least {one.at_least:.2%}", one.at_fpir)
        else:
            missed = _complement(tpir(probes, threshold))
            yield at_most(f"TPIR {where} at least {one.at_least:.2%}", missed, 1.0 - one.at_least,
                          complement=True)  # fmt: skip
    limit = targets.in_force.references
    for wanted in targets.fpir:
        name = (
            f"FPIR at score {wanted.at_score:.2f} among {limit:,} references at most "
            f"{_percent(wanted.at_most)}"
        )
        threshold = _threshold(evidence, wanted.at_score, None)
        if threshold is None:
            yield _no_threshold(name, None)
        else:
            rate = fpir(probes, threshold)
            yield at_most(name, among(rate, evidence.references, limit), wanted.at_most)
    for group in targets.groups:
        yield from _groups(group, evidence)
    if targets.latency:
        yield _latency(evidence.latency, targets.latency.search_p99_ms_at_most)


def at_most(target: str, rate: Rate, limit: float, *, complement: bool = False) -> Check:
    """A rate that may not pass a limit; `complement` words it as 1 − rate, which must reach."""
    words = _words(rate, complement)
    if rate.value is None:
        return Check(target, "undecided", "there was nothing to count")
    if rate.low > limit:
        return Check(target, "missed", words, f"by {_percent(rate.value - limit)}")
    if rate.value > limit:
        why = f"by {_percent(rate.value - limit)}, but the interval reaches the target"
        return Check(target, "undecided", words, why)
    if rate.high > limit:
        needed = "" if rate.cases else f"; {3.0 / limit:,.0f} trials without a case would decide"
        why = f"the interval passes the target by {_percent(rate.high - limit)}{needed}"
        return Check(target, "undecided", words, why)
    return Check(target, "met", words)


def ratio_at_most(target: str, ratio: Ratio, limit: float) -> Check:
    """A ratio of groups' rates that may not pass a limit."""
    value = f"{ratio.value:.3g}" if ratio.value is not None else f"no ratio, as {ratio.why}"
    high = "" if ratio.high is None else f" to {ratio.high:.3g}"
    words = f"{value} (from {ratio.low:.3g}{high})"
    if ratio.low > limit:
        over = (ratio.value or ratio.low) / limit
        return Check(target, "missed", words, f"{over:.3g} times the limit")
    if ratio.high is None:
        return Check(target, "undecided", words, "the data sets it no upper limit")
    if ratio.high > limit:
        return Check(target, "undecided", words, f"the data cannot exclude {ratio.high:.3g}")
    return Check(target, "met", words)


def _count(name: str, found: int, wanted: int) -> Check:
    target = f"At least {wanted:,} {name}"
    if found >= wanted:
        return Check(target, "met", f"{found:,}")
    return Check(target, "missed", f"{found:,}", f"{wanted - found:,} too few")


def _groups(wanted: Groups, evidence: Evidence) -> Iterator[Check]:
    by = " and ".join(wanted.by)
    where = _where(wanted.at_score, wanted.at_fpir)
    threshold = _threshold(evidence, wanted.at_score, wanted.at_fpir)
    if threshold is None:
        yield _no_threshold(f"Groups by {by} {where}", wanted.at_fpir)
        return
    study = next(
        (one for one in evidence.studies
         if one.columns == tuple(wanted.by) and one.threshold == threshold), None,
    )  # fmt: skip
    if study is None:
        yield Check(f"Groups by {by} {where}", "undecided", "the data has no such groups")
        return
    yield from (Check(f"Labels of {by}", "undecided", text.rstrip(".")) for text in study.problems)
    for name, limit in (("fpir", wanted.fpir_ratio_at_most), ("fnir", wanted.fnir_ratio_at_most)):
        if limit is not None:
            comparison = study.comparison(name)
            target = f"{name.upper()} by {by} {where}: highest at most {limit:g} times the lowest"
            yield ratio_at_most(target, comparison.max_min, limit)
            small = [row.tally for row in comparison.judgement.groups
                     if row.tally.people < wanted.people]  # fmt: skip
            for few in small:
                yield Check(
                    f"At least {wanted.people} people in each group by {by}", "undecided",
                    f"{few.name} has {few.people} for {name.upper()}",
                )  # fmt: skip
    for row in study.rows:
        label = " · ".join(row.group)
        if wanted.tpir_at_least is not None:
            target = f"TPIR of {label} {where} at least {wanted.tpir_at_least:.2%}"
            yield at_most(target, _complement(row.tpir), 1.0 - wanted.tpir_at_least,
                          complement=True)  # fmt: skip
        if wanted.fpir_at_most is not None:
            target = f"FPIR of {label} {where} at most {_percent(wanted.fpir_at_most)}"
            yield at_most(target, row.fpir, wanted.fpir_at_most)


def _latency(found: float | None, limit: float) -> Check:
    target = f"99 of 100 searches within {limit:g} ms"
    if found is None:
        return Check(target, "undecided", "the latency was not measured")
    if found > limit:
        return Check(target, "missed", f"{found:.0f} ms", f"by {found - limit:.0f} ms")
    return Check(target, "met", f"{found:.0f} ms")


def _threshold(evidence: Evidence, at_score: float | None, at_fpir: float | None) -> float | None:
    """The threshold that is meant; None where the data has none."""
    from fr_cli.evaluation.rates import threshold_at_fpir

    if at_score is not None:
        return evidence.cosine(at_score) if evidence.cosine else None
    assert at_fpir is not None
    nonmated = evidence.probes.nonmated_count
    return threshold_at_fpir(evidence.probes, at_fpir) if nonmated * at_fpir >= 1.0 else None


def _no_threshold(target: str, at_fpir: float | None) -> Check:
    if at_fpir is None:
        return Check(target, "undecided", "there is no calibration, so a score has no threshold")
    why = f"that FPIR shows with {1.0 / at_fpir:,.0f} non-mated probes or more"
    return Check(target, "undecided", why)


def among(rate: Rate, measured: int, limit: int) -> Rate:
    """An FPIR measured among some references, as it is among more: 1 − (1 − FPIR)^(more/some).

    Each reference is one more chance of a false candidate. For fewer it stays as measured.
    """
    from fr_cli.evaluation.intervals import Rate

    if rate.value is None or limit <= measured:
        return rate

    def more(share: float) -> float:
        return float(1.0 - (1.0 - share) ** (limit / measured))

    shares = more(rate.value), more(rate.low), more(rate.high)
    return Rate(*shares, rate.cases, rate.of, rate.interval)


def _complement(rate: Rate) -> Rate:
    from fr_cli.evaluation.intervals import Rate

    value = None if rate.value is None else 1.0 - rate.value
    cases = rate.of - rate.cases
    return Rate(value, 1.0 - rate.high, 1.0 - rate.low, cases, rate.of, rate.interval)


def _where(at_score: float | None, at_fpir: float | None) -> str:
    return f"at score {at_score:.2f}" if at_fpir is None else f"at FPIR {_percent(at_fpir)}"


def _words(rate: Rate, complement: bool) -> str:
    shown = _complement(rate) if complement else rate
    if shown.value is None:
        return "nothing to count"
    if not shown.cases:  # never a bare 0 % or 100 %
        return f"at most {_percent(shown.high)} (0 of {shown.of:,})"
    if shown.cases == shown.of:
        return f"at least {_percent(shown.low)} (all of {shown.of:,})"
    return f"{_percent(shown.value)} ({_percent(shown.low)} … {_percent(shown.high)})"


def _percent(share: float) -> str:
    """Two digits after the point, more for what is small: 0.017 %."""
    return f"{share:.2%}" if share >= 0.001 or share == 0.0 else f"{100 * share:.2g}%"
