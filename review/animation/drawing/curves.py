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

from review_embeddings.review.animation.drawing.page import FramePage
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment


class CurvePanel:
    """The curves up to a checkpoint with their newest values above them, and a line at the step of
    the moment."""

    def __init__(self, page: FramePage, data: FilmData) -> None:
        self._page, self._data = page, data
        self._ends = (data.steps[0], data.steps[-1])
        self.axes = self._axes()
        theme, scale = page.theme, page.scale
        (self.loss,) = self.axes.plot([], [], color=theme.loss, linewidth=1.8 * scale)
        (self.now,) = self.axes.plot([], [], color=theme.muted, linewidth=1.0 * scale)
        loss = _within(data.loss, self._ends)
        if len(loss):
            self._scale_loss(loss[:, 1])
        has_accuracy = len(_within(data.accuracy, self._ends)) > 0
        self.accuracy = self._accuracy_line() if has_accuracy else None
        """None where no accuracy was logged."""
        self._with_loss = len(loss) > 0
        above = page.layout.curves.top + (0.13 if page.layout.compact else 0.19)
        self.loss_value = page.text(self._left, above, page.layout.text.small, color=theme.loss)
        style: dict[str, Any] = {"color": theme.accuracy, "horizontalalignment": "right"}
        if has_accuracy:
            page.text(self._right, above, page.layout.text.small, **style).set_text("accuracy")

    @property
    def _left(self) -> float:
        return min(self._page.layout.curves.left, self._page.layout.cards.left)

    @property
    def _right(self) -> float:
        return self._page.layout.right

    def _axes(self) -> Axes:
        page, (first, last) = self._page, self._ends
        axes = page.axes(page.layout.curves)
        axes.set(xlim=(first, max(last, first + 1)), ylim=(0, 1), yticks=[])
        for side in ("top", "left", "right"):
            axes.spines[side].set_visible(False)
        page.style_ticks(axes)
        if page.layout.compact:
            axes.set_xticks([])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
        return axes

    def _scale_loss(self, losses: NDArray[np.float64]) -> None:
        """One wild value shall not flatten the curve."""
        largest = float(losses.max())
        usual = 1.5 * float(np.quantile(losses, 0.98))
        self.axes.set_ylim(0, 1.08 * (usual if largest > 4 * usual > 0 else largest) or 1)
        if not self._page.layout.compact:
            self.axes.yaxis.set_major_locator(MaxNLocator(nbins=2, min_n_ticks=2))

    def _accuracy_line(self) -> Line2D:
        color, scale = self._page.theme.accuracy, self._page.scale
        twin = self.axes.twinx()
        ticks = [] if self._page.layout.compact else [0, 1]
        twin.set(ylim=(0, 1.08), yticks=ticks, xlim=self.axes.get_xlim())
        self._page.style_ticks(twin)
        for spine in twin.spines.values():
            spine.set_visible(False)
        marker: dict[str, Any] = {"marker": "o", "markersize": 3.2 * scale}
        (line,) = twin.plot([], [], color=color, linewidth=1.4 * scale, **marker)
        return line

    @property
    def changing(self) -> list[Artist]:
        """What differs between checkpoints, in drawing order."""
        lines = [self.loss] if self.accuracy is None else [self.loss, self.accuracy]
        return [*lines, self.loss_value]

    def show(self, checkpoint: int) -> None:
        """The curves up to a checkpoint."""
        so_far = (self._data.steps[0], self._data.steps[checkpoint])
        loss = _within(self._data.loss, so_far)
        self.loss.set_data(*loss.T)
        newest = f"training loss {loss[-1, 1]:.3g}" if len(loss) else "training loss"
        self.loss_value.set_text(newest if self._with_loss else "no loss was logged")
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
