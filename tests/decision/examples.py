"""A small calibration that is MADE UP, shaped like the one measured for SFace on LFW.

Nobody's photographs stand behind these numbers: never ship them, never quote them.
"""

from __future__ import annotations

import random

from fr_cli.decision.calibration import Calibration, Data, Tail

#: Score 0.60 of this curve lies at cosine 0.5710….
FINGERPRINT = "0" * 64
TAIL = Tail(u=0.42, p_u=1e-4, xi=-0.1, beta=0.026)


def draws(tail: Tail = TAIL, number: int = 200, seed: int = 7) -> tuple[Tail, ...]:
    """Tails scattered about this one as a bootstrap over some thousands of subjects would."""
    rng = random.Random(seed)
    drawn = []
    for _ in range(number):
        level, shape, scale = (rng.gauss(0.0, 1.0) for _ in range(3))
        drawn.append(
            Tail(
                u=tail.u,
                p_u=tail.p_u * (1.0 + 0.05 * level),
                xi=tail.xi + 0.02 * shape,
                # A larger shape goes with a smaller scale, as in every Pareto fit.
                beta=tail.beta * (1.0 - 0.02 * shape + 0.01 * scale),
            )
        )
    return tuple(drawn)


def made_up_calibration(fingerprint: str = FINGERPRINT) -> Calibration:
    """A valid calibration for any test that needs one."""
    return Calibration(
        fingerprint=fingerprint,
        model="made-up",
        fusion="best",
        data=Data(
            name="made up, no photographs",
            sha256="0" * 64,
            subjects=5_700,
            images=13_200,
            comparisons=87_000_000,
        ),
        table=(
            (-0.20, 0.995),
            (-0.10, 0.93),
            (0.00, 0.60),
            (0.10, 0.22),
            (0.20, 0.045),
            (0.30, 0.005),
            (0.36, 1e-3),
        ),
        tail=TAIL,
        draws=draws(),
        smallest_fmr=3.5e-8,
        largest_impostor=0.59,
        made="2026-11-23",
        note="Made up for tests.",
    )
