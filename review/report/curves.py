"""Draws the curves of an image over all checkpoints as SVG, on the scale and in the look of the
page's card (core/curves.js, views/chart.js): probabilities, and how atypical it is. Without
scripts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from review_embeddings.pipeline.text import html_text
from review_embeddings.review.page.card import ImageCard

WIDTH, HEIGHT, PAD = 200, 46, 4
"""Of a drawing, before it is made as wide as there is room."""

Point = tuple[int, float, float]
"""Number of the checkpoint, and where it stands."""


@dataclass(frozen=True)
class CardCurve:
    """One curve: a number a checkpoint, None where it is not known."""

    name: str
    """Of the class; empty for what is no probability of one."""
    values: Sequence[float | None]
    bottom: float
    """The value at the bottom of the drawing."""
    top: float
    css: str
    """Class of the style sheet; dashed curves have one of their own."""


def probability(share: float) -> str:
    """A probability in [0, 1]; one that is not quite 0 or 1 does not look like it."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{_round(100 * share)} %"


def percentile(value: float) -> str:
    """A percentile in [0, 100]: one decimal for the most atypical tenth, where ranks differ by
    less than one."""
    if value < 0.05:
        return "<0.1"
    return f"{_round(10 * value) / 10:.1f}" if value < 9.95 else str(_round(value))


def _round(value: float) -> int:
    """Halves go up, as in JavaScript."""
    return math.floor(value + 0.5)


def stretches(curve: CardCurve) -> list[list[Point]]:
    """The known values of a curve as points, those beside each other together. Checkpoints stand
    at equal distances; a single one stands in the middle."""
    found: list[list[Point]] = []
    is_open = False
    for index, value in enumerate(curve.values):
        known = value is not None and math.isfinite(value)
        if known and not is_open:
            found.append([])
        if value is not None and known:
            found[-1].append((index, _x(index, len(curve.values)), _y(value, curve)))
        is_open = known
    return found


def _x(index: int, count: int) -> float:
    share = index / (count - 1) if count > 1 else 0.5
    return round(PAD + share * (WIDTH - 2 * PAD), 1)


def _y(value: float, curve: CardCurve) -> float:
    share = min(1.0, max(0.0, (value - curve.bottom) / (curve.top - curve.bottom)))
    return round(HEIGHT - PAD - share * (HEIGHT - 2 * PAD), 1)


def curves_as_html(card: ImageCard) -> Iterator[str]:
    """The drawings of a card, read off at the last checkpoint; nothing for a single one."""
    if len(card.steps) < 2:
        return
    yield '<div class="curves">'
    likely = list(_probabilities(card))
    if likely:
        yield from _chart("Probability", "", ("100 %", "0 %"), likely, card.steps, probability)
    outlier = CardCurve("", card.percentile_curve, 100, 0, "outlier")
    yield from _chart(
        "Outlier percentile",
        " <b>up = more unusual</b>",
        ("0", "100"),
        [outlier],
        card.steps,
        percentile,
    )
    first, last = card.steps[0], card.steps[-1]
    yield (f'<div class="axis"><span>step {first}</span><b>step {last}</b></div></div>')


def _probabilities(card: ImageCard) -> Iterator[CardCurve]:
    if card.label is not None and card.label_curve is not None:
        yield CardCurve(card.label, card.label_curve, 0, 1, "given")
    if card.suggested is not None and card.suggested_curve is not None:
        yield CardCurve(card.suggested, card.suggested_curve, 0, 1, "suggested")


def _chart(
    title: str,
    hint: str,
    ends: tuple[str, str],
    curves: Sequence[CardCurve],
    steps: Sequence[int],
    write: Callable[[float], str],
) -> Iterator[str]:
    """``ends`` are the values at the top and at the bottom of the axis."""
    legend = "".join(_legend(curve, write) for curve in curves)
    words = ". ".join(_in_words(curve.name or title, steps, curve, write) for curve in curves)
    yield f'<div class="legend">{title}{legend}{hint}</div>'
    yield (
        f'<div class="drawn"><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{html_text(words)}">'
    )
    yield from (_drawn(curve) for curve in curves)
    yield "</svg>"
    yield from (f'<span aria-hidden="true">{end}</span>' for end in ends)
    yield "</div>"


def _legend(curve: CardCurve, write: Callable[[float], str]) -> str:
    sign = {"given": "─ ", "suggested": "┄ "}.get(curve.css, "")
    last = curve.values[-1]
    value = "not known" if last is None else write(last)
    name = f"{sign}{curve.name}: " if curve.name else ""
    return f' <span class="{curve.css}">{html_text(name + value)}</span>'


def _in_words(
    name: str, steps: Sequence[int], curve: CardCurve, write: Callable[[float], str]
) -> str:
    known = [
        f"{write(value)} at step {step}"
        for step, value in zip(steps, curve.values, strict=True)
        if value is not None
    ]
    return f"{name}: {', '.join(known) or 'not known'}"


def _drawn(curve: CardCurve) -> str:
    parts = stretches(curve)
    lines = "".join("M" + "L".join(f"{x:g} {y:g}" for _, x, y in points) for points in parts)
    dots = "".join(f"M{x:g} {y:g}h0" for points in parts for _, x, y in points)
    last = "".join(
        f'<path class="last" d="M{x:g} {y:g}h0"/>'
        for points in parts
        for index, x, y in points
        if index == len(curve.values) - 1
    )
    return f'<g class="{curve.css}"><path d="{lines}"/><path class="dots" d="{dots}"/>{last}</g>'
