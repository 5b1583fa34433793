"""Are the sentence on groups and the gate right? Fair and unfair systems of a known truth, judged.

    python -m tests.benchmarks.fairness --systems 1000

Every system has 2 to 6 groups of 100 to 4,000 non-mated people each (sizes as unequal as that), an
FPIR of 0.3 to 5 %, and in every second system 1 to 4 photos a person that are alike. In an unfair
one a random group's rate is 1.5 to 140 times that of the others (evenly in the logarithm).

False alarm: "differs" said of a fair system. Miss: not "differs" of an unfair one; a *wrong
reassurance* is worse: "no difference larger than X would have been missed" said while the true
ratio is larger than X. The gate asks for max/min at most 3, by its upper limit: it is wrong when it
passes a system whose true ratio is larger, or calls a fair one missed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fr_cli.evaluation import equality, inequity
from fr_cli.evaluation.trials import Trials
from fr_cli.operations.gate import ratio_at_most

LIMIT = 3.0
BANDS = (1.5, 3.0, 10.0, 140.0)


@dataclass(frozen=True)
class Judged:
    """One system: the true ratio of its highest rate to its lowest, and what was said of it."""

    ratio: float
    verdict: str
    detectable: float | None
    gate: str

    @property
    def wrongly_reassured(self) -> bool:
        """Whether a difference was excluded that is there."""
        excluded = self.verdict == "no_larger_difference_missed"
        return excluded and self.detectable is not None and self.ratio > self.detectable


def system(rng: np.random.Generator, ratio: float) -> Judged:
    """Draw a system's evaluation, and judge it."""
    groups = int(rng.integers(2, 7))
    sizes = np.exp(rng.uniform(np.log(100), np.log(4000), groups)).astype(int)
    base = float(np.exp(rng.uniform(np.log(0.003), np.log(0.05))))
    rates = np.full(groups, min(base, 0.7 / ratio))
    rates[rng.integers(groups)] *= ratio
    case, whose, codes, several = [], [], [], bool(rng.integers(2))
    for code, (size, rate) in enumerate(zip(sizes, rates, strict=True)):
        photos = rng.integers(1, 5, size) if several else np.ones(size, int)
        # Photos of one person are alike: each person has a rate of their own, of this mean.
        own = rng.beta(3.0 * rate, 3.0 * (1.0 - rate), size) if several else np.full(size, rate)
        people = np.repeat(np.arange(size), photos)
        case.append(rng.random(people.size) < own[people])
        whose.append(people + 10_000 * code)
        codes.append(np.full(people.size, code))
    names = tuple("abcdef"[:groups])
    trials = Trials(np.concatenate(case), np.concatenate(whose), np.concatenate(codes), names)
    found = equality.judge(trials, "FPIR", seed=int(rng.integers(2**31)))
    limits = inequity.max_min([one.tally for one in found.groups])
    check = ratio_at_most("", limits, LIMIT)
    return Judged(ratio, found.verdict, found.detectable, check.verdict)


def share(cases: int, of: int) -> str:
    """A count as a share."""
    return f"{cases:5d} of {of:5d} ({cases / max(of, 1):6.1%})"


def report(title: str, judged: list[Judged]) -> None:
    """What was said of these systems."""
    said, gates = Counter(one.verdict for one in judged), Counter(one.gate for one in judged)
    print(f"{title}: {len(judged)} systems")
    for verdict in ("differs", "no_larger_difference_missed", "too_little_data"):
        print(f"   sentence  {verdict:28} {share(said[verdict], len(judged))}")
    wrong = sum(one.wrongly_reassured for one in judged)
    print(f"   of these wrongly reassured             {share(wrong, len(judged))}")
    for verdict in ("met", "missed", "undecided"):
        print(f"   gate      {verdict:28} {share(gates[verdict], len(judged))}")


def main() -> None:
    """Judge as many fair systems as unfair ones."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--systems", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    report("Fair", [system(rng, 1.0) for _ in range(chosen.systems)])
    unfair = [
        system(rng, float(np.exp(rng.uniform(np.log(BANDS[0]), np.log(BANDS[-1])))))
        for _ in range(chosen.systems)
    ]
    for low, high in pairwise(BANDS):
        part = [one for one in unfair if low <= one.ratio < high]
        report(f"Unfair, {low:g} to {high:g} times", part)
    report("Unfair, all", unfair)


if __name__ == "__main__":
    main()
