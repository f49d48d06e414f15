"""The panel of the training loss and the accuracy over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from review_embeddings.review.animation.drawing.page import CURVES, FramePage
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment


class CurvePanel:
    """The curves up to a checkpoint, and a line at the step of the moment."""

    def __init__(self, page: FramePage, data: FilmData) -> None:
        self._page, self._data = page, data
        self._ends = (data.steps[0], data.steps[-1])
        self._label: dict[str, Any] = {"fontsize": 10 * page.scale, "labelpad": 3 * page.scale}
        self.axes = self._axes()
        theme, scale = page.theme, page.scale
        (self.loss,) = self.axes.plot([], [], color=theme.loss, linewidth=1.8 * scale)
        (self.now,) = self.axes.plot([], [], color=theme.muted, linewidth=1.0 * scale)
        loss = _within(data.loss, self._ends)
        if len(loss):
            self._scale_loss(loss[:, 1])
        else:
            self._say_no_loss()
        has_accuracy = len(_within(data.accuracy, self._ends)) > 0
        self.accuracy = self._accuracy_line() if has_accuracy else None
        """None where no accuracy was logged."""

    def _axes(self) -> Axes:
        axes, (first, last) = self._page.axes(CURVES), self._ends
        axes.set(xlim=(first, max(last, first + 1)), ylim=(0, 1), yticks=[])
        axes.set_xlabel("step", color=self._page.theme.muted, **self._label)
        self._page.style_ticks(axes)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
        return axes

    def _scale_loss(self, losses: NDArray[np.float64]) -> None:
        """One wild value shall not flatten the curve."""
        largest = float(losses.max())
        usual = 1.5 * float(np.quantile(losses, 0.98))
        self.axes.set_ylim(0, 1.08 * (usual if largest > 4 * usual > 0 else largest) or 1)
        self.axes.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
        self.axes.set_ylabel("training loss", color=self._page.theme.loss, **self._label)

    def _say_no_loss(self) -> None:
        style: dict[str, Any] = {
            "transform": self.axes.transAxes,
            "horizontalalignment": "center",
            "color": self._page.theme.muted,
        }
        self._page.text_in(self.axes, 0.5, 0.5, 10, **style).set_text("no loss was logged")

    def _accuracy_line(self) -> Line2D:
        color, scale = self._page.theme.accuracy, self._page.scale
        twin = self.axes.twinx()
        twin.set(ylim=(0, 1.08), yticks=[0, 0.5, 1], xlim=self.axes.get_xlim())
        twin.set_ylabel("accuracy", color=color, **self._label)
        self._page.style_ticks(twin)
        for spine in twin.spines.values():
            spine.set_visible(False)
        marker: dict[str, Any] = {"marker": "o", "markersize": 3.2 * scale}
        (line,) = twin.plot([], [], color=color, linewidth=1.4 * scale, **marker)
        return line

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        return [self.loss] if self.accuracy is None else [self.loss, self.accuracy]

    def show(self, checkpoint: int) -> None:
        """The curves up to a checkpoint."""
        so_far = (self._data.steps[0], self._data.steps[checkpoint])
        self.loss.set_data(*_within(self._data.loss, so_far).T)
        if self.accuracy is not None:
            self.accuracy.set_data(*_within(self._data.accuracy, so_far).T)

    def move(self, moment: Moment) -> None:
        """Bring the line to the step of a moment."""
        steps = self._data.steps[moment.checkpoint : moment.checkpoint + 2]
        step = steps[0] + moment.fraction * (steps[-1] - steps[0])
        self.now.set_data([step, step], self.axes.get_ylim())


def _within(curve: NDArray[np.float64], ends: Sequence[int]) -> NDArray[np.float64]:
    """The part of a curve, shape (n, 2), between two steps, these among it."""
    return curve[(curve[:, 0] >= ends[0]) & (curve[:, 0] <= ends[1])]
