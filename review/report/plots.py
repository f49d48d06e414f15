"""Plots of a run for its page: how the training went, how far the maps can be trusted, how stable
the outliers are. Each is drawn for a light and for a dark page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.settled import import_settled
from review_embeddings.pipeline.table import Manifest
from review_embeddings.pipeline.text import html_text
from review_embeddings.pipeline.training.curves import TrainingCurves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (4.6, 3.3)
"""Of a plot, in inches: it is read on a phone, too."""

DOTS = 130
"""Pixels an inch."""

MARKED = {"marker": "o", "markersize": 3}

THEMES = {
    "light": {
        "ink": "#1f2937",
        "ground": "#ffffff",
        "loss": "#b3261e",
        "accuracy": "#1a5fd0",
        "muted": "#c3ccd5",
        "warn": "#b7700b",
    },
    "dark": {
        "ink": "#e6eaf0",
        "ground": "#14181f",
        "loss": "#ff9a91",
        "accuracy": "#7db0ff",
        "muted": "#3a4452",
        "warn": "#f2bd5c",
    },
}

Draw = Callable[[Any, dict[str, str]], None]
"""Draws on the axes of a figure in the colours of a theme."""


def plots_as_html(manifest: Manifest, curves: TrainingCurves) -> Iterator[str]:
    """The plots of a run."""
    yield '<div class="plots">'
    yield plot(
        "Loss and accuracy over the training",
        lambda axes, theme: _draw_training(axes, curves, theme),
    )
    yield plot(
        f"How far the map{' of each checkpoint' * (len(manifest.steps) > 1)} can be trusted",
        lambda axes, theme: _draw_trust(axes, manifest),
    )
    if len(manifest.steps) > 1:
        yield plot(
            "Rank correlation of the outlier scores of each pair of checkpoints",
            lambda axes, theme: _draw_agreement(axes, manifest),
        )
    yield "</div>"


def plot(alt: str, draw: Draw) -> str:
    """The plot for both themes; the page takes the one that its reader prefers."""
    light, dark = (_drawn(draw, theme) for theme in THEMES.values())
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{html_text(alt)}" src="{light}"></picture>'
    )


def _drawn(draw: Draw, theme: dict[str, str]) -> str:
    matplotlib = import_settled("matplotlib")
    ink = theme["ink"]
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    with matplotlib.rc_context(dict.fromkeys(names, ink)):
        figure = import_settled("matplotlib.figure").Figure(
            figsize=SIZE, dpi=DOTS, layout="constrained", facecolor=theme["ground"]
        )
        axes = figure.subplots()
        axes.set_facecolor(theme["ground"])
        draw(axes, theme)
        return _as_png(figure)


def _draw_training(axes: Any, curves: TrainingCurves, theme: dict[str, str]) -> None:
    axes.set(title="Training", xlabel="step")
    axes.locator_params(axis="x", integer=True)
    for curve, line in ((curves.loss, "-"), (curves.eval_loss, ":")):
        if curve:
            axes.plot(*zip(*curve, strict=True), color=theme["loss"], linestyle=line)
    if curves.loss or curves.eval_loss:
        names = "loss" if not curves.eval_loss else "loss (dotted: evaluation)"
        axes.set_ylabel(names, color=theme["loss"])
        axes.set_ylim(bottom=0)
    else:
        axes.text(0.5, 0.5, "no loss was logged", ha="center", transform=axes.transAxes)
    if curves.accuracy:
        twin = axes.twinx()
        twin.plot(*zip(*curves.accuracy, strict=True), color=theme["accuracy"], **MARKED)
        twin.set_ylabel("accuracy", color=theme["accuracy"])
        twin.set_ylim(0, 1.02)


def _draw_trust(axes: Any, manifest: Manifest) -> None:
    steps, checkpoints = manifest.steps, manifest.checkpoints
    shown = {
        "trustworthiness": [one.trustworthiness for one in checkpoints],
        "continuity": [one.continuity for one in checkpoints],
        "neighbours kept": [one.map_kept for one in checkpoints],
    }
    if all(one.explained_variance is not None for one in checkpoints):
        shown["variance in 2-D"] = [sum(one.explained_variance or []) for one in checkpoints]
    for name, values in shown.items():
        axes.plot(steps, values, label=name, **MARKED)
    axes.set(title="How far the maps can be trusted", xlabel="step", ylim=(0, 1.02))
    axes.locator_params(axis="x", integer=True)
    axes.legend(fontsize=8, frameon=False, ncols=2)


def _draw_agreement(axes: Any, manifest: Manifest) -> None:
    steps = manifest.steps
    shown = axes.imshow(manifest.rank_correlation, vmin=0, vmax=1, cmap="viridis")
    ticks = list(range(0, len(steps), max(1, len(steps) // 8)))
    axes.set(title="Rank correlation of outliers", xlabel="step", ylabel="step")
    axes.set_xticks(ticks, [str(steps[tick]) for tick in ticks], rotation=45, fontsize=8)
    axes.set_yticks(ticks, [str(steps[tick]) for tick in ticks], fontsize=8)
    axes.figure.colorbar(shown, ax=axes, shrink=0.85)


def _as_png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
