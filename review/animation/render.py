"""Turns the moments of a film into pixels, and these into packed frames, on one process or several.

Frames are packed where they are drawn, so that only packed bytes travel; a worker draws the frame before its first one too, which
makes the result the same however the film is divided.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from review.animation.plan import Moment
from review.animation.story import Story

if TYPE_CHECKING:
    from review.animation.drawing import Frame

CHUNK = 12
"""Frames a worker draws at a time."""

FEW = 36
"""Up to so many frames a second process is not worth its start."""


@dataclass(frozen=True)
class Look:
    """How a film looks."""

    width: int
    """Width of a frame in pixels."""
    theme: str = "light"
    trails: tuple[int, ...] = ()
    """Places of the images whose way is drawn."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; both even, as H.264 wants them."""
        return self.width // 2 * 2, round(self.width * 0.4) * 2


class Packer(Protocol):
    """Makes what is written to the file of each frame's pixels."""

    def pack(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> bytes:
        """One frame, both of shape (height, width, 4), RGBA; ``before`` is the frame before it, None for the first."""
        ...


class Canvas:
    """Draws moments of a story on Agg, redrawing only what differs from one to the next."""

    def __init__(self, story: Story, look: Look) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        from review.animation.drawing import HEIGHT, WIDTH, Frame

        width, height = look.size
        dpi = width / WIDTH
        with quiet_fonts():
            figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
            canvas: Any = FigureCanvasAgg(figure)
            self.frame: Frame = Frame(figure, story, theme=look.theme, trails=look.trails)
            for artist in (*self.frame.changing, *self.frame.moving):
                artist.set_animated(True)
            canvas.draw()
        self._canvas = canvas
        assert self._canvas.get_width_height() == (width, height), (width, height, HEIGHT)
        self._empty = self._canvas.copy_from_bbox(figure.bbox)
        self._page: Any = None
        self._checkpoint: int | None = None

    def draw(self, moment: Moment) -> NDArray[np.uint8]:
        """Pixels of a moment, shape (height, width, 4), RGBA, opaque; overwritten by the next call."""
        figure, renderer = self.frame.figure, self._canvas.get_renderer()
        with quiet_fonts():
            self.frame.show(moment)
            if moment.checkpoint != self._checkpoint:
                self._canvas.restore_region(self._empty)
                for artist in self.frame.changing:
                    artist.draw(renderer)
                self._page = self._canvas.copy_from_bbox(figure.bbox)
                self._checkpoint = moment.checkpoint
            else:
                self._canvas.restore_region(self._page)
            for artist in self.frame.moving:
                artist.draw(renderer)
        pixels: NDArray[np.uint8] = np.asarray(self._canvas.buffer_rgba())
        return pixels


@contextmanager
def quiet_fonts() -> Iterator[None]:
    """Class names may have letters that no font here has; matplotlib draws a box for each and need not say so each time."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


def packed_frames(story: Story, look: Look, moments: Sequence[Moment], packer: Packer, *, processes: int) -> Iterator[bytes]:
    """Every moment packed, in order. Few frames are in memory at a time, however long the film is."""
    if processes <= 1 or len(moments) <= FEW:
        yield from _pack(Canvas(story, look), moments, 0, len(moments), packer)
        return
    from loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(max_workers=processes, initializer=_begin, initargs=(story, look, moments, packer))
    waiting: deque[Any] = deque()
    starts = iter(range(0, len(moments), CHUNK))
    try:
        for start in starts:
            waiting.append(executor.submit(_work, start, min(start + CHUNK, len(moments))))
            if len(waiting) > 2 * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, kill_workers=True)


def processes_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pack(canvas: Canvas, moments: Sequence[Moment], start: int, stop: int, packer: Packer) -> Iterator[bytes]:
    before = canvas.draw(moments[start - 1]).copy() if start else None
    for moment in moments[start:stop]:
        pixels = canvas.draw(moment)
        yield packer.pack(pixels, before)
        if before is None:
            before = np.empty_like(pixels)
        np.copyto(before, pixels)


_here: dict[str, Any] = {}
"""What a worker keeps from one chunk to the next."""


def _begin(story: Story, look: Look, moments: Sequence[Moment], packer: Packer) -> None:
    _here.update(canvas=Canvas(story, look), moments=moments, packer=packer)


def _work(start: int, stop: int) -> list[bytes]:
    return list(_pack(_here["canvas"], _here["moments"], start, stop, _here["packer"]))
