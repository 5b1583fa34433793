"""Small line charts as SVG inside a page: no library, no script, no style but classes.

Colours are the page's, so that a chart follows light, dark and paper. Every chart has a text for
those who do not see it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from fr_cli.records import harmless

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 26, 14, 46
_KEY = 18  # the height of a line of the legend, which stands above the chart

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis: its name, its ends, and whether it is logarithmic."""

    name: str
    low: float
    high: float
    log: bool = False
    percent: bool = True

    def at(self, value: float) -> float:
        """Where a value lies, 0 … 1; beyond the ends at an end."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values within the ends."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.log10(self.high)
            return [10.0**k for k in range(first, math.floor(last + 1e-9) + 1)]
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def label(self, value: float) -> str:
        """A tick in words."""
        if not self.percent:
            return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"
        if 0.0 < value < 1e-5:
            return "10" + f"{round(math.log10(value))}".translate(_RAISED)
        return f"{100 * value:.6f}".rstrip("0").rstrip(".") + " %"


@dataclass
class Chart:
    """A chart that is drawn part by part; `text` is what it shows, for who cannot see it."""

    x: Axis
    y: Axis
    text: str
    parts: list[str] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)

    def line(
        self, points: Sequence[Point], colour: str, name: str = "", *, steps: bool = False
    ) -> None:
        """A line through points; in steps where it is a count that holds until the next."""
        path: list[Point] = []
        for x, y in points:
            if steps and path:
                path.append((x, path[-1][1]))
            path.append((x, y))
        self.parts.append(f'<polyline class="line {colour}" points="{self._points(path)}"/>')
        self._key(colour, name)

    def band(
        self, low: Sequence[Point], high: Sequence[Point], colour: str, name: str = ""
    ) -> None:
        """The area between two lines."""
        around = self._points([*low, *reversed(high)])
        self.parts.append(f'<polygon class="band {colour}" points="{around}"/>')
        self._key(f"{colour} area", name)

    def bars(
        self, edges: Sequence[float], heights: Sequence[float], colour: str, name: str = ""
    ) -> None:
        """A histogram; one edge more than heights."""
        path = [(edges[0], self.y.low)]
        for place, height in enumerate(heights):
            path += [(edges[place], height), (edges[place + 1], height)]
        path.append((edges[-1], self.y.low))
        self.parts.append(f'<polygon class="band {colour}" points="{self._points(path)}"/>')
        self._key(f"{colour} area", name)

    def dot(
        self,
        x: float,
        y: float,
        colour: str,
        spread: tuple[float, float] | None = None,
        *,
        hollow: bool = False,
    ) -> None:
        """A point, with its interval upwards and downwards."""
        across, down = self._place(x, y)
        if spread:
            top, bottom = (self._place(x, end)[1] for end in (spread[1], spread[0]))
            self.parts.append(
                f'<path class="line {colour}" d="M{across} {top}V{bottom}'
                f'M{across - 4:.1f} {top}h8M{across - 4:.1f} {bottom}h8"/>'
            )
        kind = "hollow" if hollow else "dot"
        self.parts.append(f'<circle class="{kind} {colour}" cx="{across}" cy="{down}" r="4"/>')

    def mark(self, x: float, name: str) -> None:
        """A vertical line with its name."""
        across, _ = self._place(x, self.y.low)
        self.parts.append(
            f'<path class="mark" d="M{across} {_TOP}V{HEIGHT - _BOTTOM}"/>'
            f'<text x="{across + 4}" y="{_TOP + 12}">{_text(name)}</text>'
        )

    def __html__(self) -> str:
        """The chart as an element of a page, by the name under which templates look for it."""
        above = _KEY * len(self.keys)
        return (
            f'<svg class="chart" viewBox="0 {-above} {WIDTH} {HEIGHT + above}" role="img" '
            f'aria-label="{_text(self.text)}">{self._frame()}{"".join(self.parts)}{self._legend()}'
            "</svg>"
        )

    def _frame(self) -> str:
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        drawn = []
        for tick in self.x.ticks():
            across, _ = self._place(tick, self.y.low)
            drawn.append(
                f'<path class="grid" d="M{across} {_TOP}V{bottom}"/><text class="tick" '
                f'x="{across}" y="{bottom + 16}" text-anchor="middle">{self.x.label(tick)}</text>'
            )
        for tick in self.y.ticks():
            _, down = self._place(self.x.low, tick)
            drawn.append(
                f'<path class="grid" d="M{_LEFT} {down}H{right}"/><text class="tick" '
                f'x="{_LEFT - 6}" y="{down + 4}" text-anchor="end">{self.y.label(tick)}</text>'
            )
        middle = (_LEFT + right) / 2
        return (
            "".join(drawn) + f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{_text(self.x.name)}</text>"
            + f'<text transform="translate(14 {(_TOP + bottom) / 2}) rotate(-90)" '
            f'text-anchor="middle">{_text(self.y.name)}</text>'
        )

    def _legend(self) -> str:
        drawn = []
        for row, (colour, name) in enumerate(self.keys):
            down, left = 4 - _KEY * (len(self.keys) - row - 1), _LEFT
            shape = (
                f'<rect class="band {colour}" x="{left}" y="{down - 9}" width="16" height="10"/>'
                if colour.endswith("area")
                else f'<path class="line {colour}" d="M{left} {down - 4}h16"/>'
            )
            drawn.append(f'{shape}<text x="{left + 22}" y="{down}">{_text(name)}</text>')
        return "".join(drawn)

    def _key(self, colour: str, name: str) -> None:
        if name:
            self.keys.append((colour, name))

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = _LEFT + self.x.at(x) * (WIDTH - _LEFT - _RIGHT)
        down = HEIGHT - _BOTTOM - self.y.at(y) * (HEIGHT - _TOP - _BOTTOM)
        return round(across, 1), round(down, 1)

    def _points(self, points: Sequence[Point]) -> str:
        return " ".join("{},{}".format(*self._place(*point)) for point in points)


@dataclass(frozen=True)
class Row:
    """One line of a forest plot: a rate with its interval; None where nothing was counted."""

    name: str
    value: float | None
    low: float
    high: float
    note: str = ""
    heavy: bool = False


@dataclass(frozen=True)
class Forest:
    """Rates of groups below each other, each with its interval."""

    rows: Sequence[Row]
    axis: Axis
    text: str

    def __html__(self) -> str:
        """The plot as an element of a page."""
        return _forest(self.rows, self.axis, self.text)


def _forest(rows: Sequence[Row], axis: Axis, text: str) -> str:
    left, right, step = 200, 130, 26
    height = 30 + step * len(rows)

    def place(value: float) -> float:
        return round(left + axis.at(value) * (WIDTH - left - right), 1)

    drawn = [
        f'<path class="grid" d="M{place(tick)} 6V{height - 24}"/><text class="tick" '
        f'x="{place(tick)}" y="{height - 8}" text-anchor="middle">{axis.label(tick)}</text>'
        for tick in axis.ticks()
    ]
    for number, row in enumerate(rows):
        down = 20 + step * number
        weight = ' class="heavy"' if row.heavy else ""
        drawn.append(
            f'<text{weight} x="{left - 8}" y="{down + 4}" text-anchor="end">'
            f"{_text(row.name)}</text>"
            f'<text class="tick" x="{WIDTH - right + 8}" y="{down + 4}">{_text(row.note)}</text>'
        )
        if row.value is not None:
            drawn.append(
                f'<path class="line blue" d="M{place(row.low)} {down}H{place(row.high)}"/>'
                f'<circle class="dot blue" cx="{place(row.value)}" cy="{down}" r="4.5"/>'
            )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{_text(text)}">{"".join(drawn)}</svg>'
    )


def _step(span: float) -> float:
    """A round step that gives five to ten ticks."""
    rough = span / 7.0
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(k * power for k in (1.0, 2.0, 5.0, 10.0) if k * power >= rough)


def _text(text: str) -> str:
    return html.escape(harmless(text), quote=True)
