"""Turns the moments of a film into pixels, and these into packed frames, on one process or several.

Frames are packed where they are drawn, so that only packed bytes travel; a worker draws the frame
before its first one too, which makes the result the same however the film is divided.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.settled import import_settled
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.shapes import DEFAULT_SHAPE, size_of

if TYPE_CHECKING:
    from review_embeddings.review.animation.drawing.frame import Frame

MIN_PARALLEL_FRAMES = 37
"""For fewer frames a second process is not worth its start."""

DPI = 100
"""Any would do: all lengths are shares of the figure."""


@dataclass(frozen=True)
class FrameStyle:
    """How the frames of a film style."""

    width: int
    """Width of a frame in pixels."""
    theme: str = "light"
    trails: tuple[int, ...] = ()
    """Indices of the images whose way is drawn."""
    groups: bool = False
    """Whether the images of groups that stand apart are ringed."""
    trust: bool = False
    """Whether the map says in its corner how far it can be trusted."""
    shape: str = DEFAULT_SHAPE
    """One of `SHAPES`."""
    title: str | None = None
    """The line above the map; None for what the run says of itself."""
    credit: bool = True
    """Whether a corner names this program."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return size_of(self.shape, self.width)

    def frame(self, figure: Any, data: FilmData) -> Frame:
        """A frame that draws in this style into a matplotlib figure."""
        from review_embeddings.review.animation.drawing.frame import Frame

        return Frame(
            figure,
            data,
            theme=self.theme,
            trails=self.trails,
            groups=self.groups,
            trust=self.trust,
            title=self._title(data),
            credit=self.credit,
        )

    def closing(self, figure: Any, data: FilmData) -> None:
        """Draw the images before and after into a matplotlib figure."""
        from review_embeddings.review.animation.drawing.closing import draw_closing

        draw_closing(figure, data, theme=self.theme, title=self._title(data), credit=self.credit)

    def _title(self, data: FilmData) -> str:
        return data.title if self.title is None else self.title


class Packer(Protocol):
    """Makes what is written to the file of each frame's pixels."""

    chunk: int
    """Frames a worker draws at a time, and keeps in memory."""
    delta: bool
    """Whether a frame is packed as the difference to the one before."""

    def pack(
        self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, *, is_new: bool
    ) -> bytes:
        """One frame, both of shape (height, width, 4), RGBA; ``before`` is the frame before it,
        None for the first. ``is_new`` says whether more than the points changed."""
        ...


class Canvas:
    """Draws moments of a film on Agg, redrawing only what differs from one to the next."""

    def __init__(self, data: FilmData, style: FrameStyle) -> None:
        self._style = style
        figure, canvas = _figure(style)
        with quiet_fonts():
            self.frame = style.frame(figure, data)
            for artist in (*self.frame.changing, *self.frame.moving):
                artist.set_animated(True)
            canvas.draw()
        self._canvas = canvas
        self._empty = self._canvas.copy_from_bbox(figure.bbox)
        self._page: Any = None
        self._checkpoint: int | None = None

    def draw(self, moment: Moment) -> NDArray[np.uint8]:
        """Pixels of a moment, shape (height, width, 4), RGBA, opaque; overwritten by the next
        call."""
        return self._closing() if moment.closing else self._draw(moment)

    def _closing(self) -> NDArray[np.uint8]:
        figure, canvas = _figure(self._style)
        with quiet_fonts():
            self._style.closing(figure, self.frame.data)
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())

    def _draw(self, moment: Moment) -> NDArray[np.uint8]:
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


def _figure(style: FrameStyle) -> tuple[Any, Any]:
    """A figure of the size of a frame, and its canvas."""
    import_settled("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = style.size
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    canvas: Any = FigureCanvasAgg(figure)
    assert canvas.get_width_height() == size, (canvas.get_width_height(), size)
    return figure, canvas


@contextmanager
def quiet_fonts() -> Iterator[None]:
    """Class names may have letters that no font here has; matplotlib draws a box for each and need
    not say so each time."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


def packed_frames(
    data: FilmData, style: FrameStyle, moments: Sequence[Moment], packer: Packer, *, processes: int
) -> Iterator[bytes]:
    """Every moment packed, in order. Few frames are in memory at a time, however long the film
    is."""
    processes = min(processes, 4 * processes_here(), -(-len(moments) // packer.chunk))
    if processes <= 1 or len(moments) < MIN_PARALLEL_FRAMES:
        yield from _pack(Canvas(data, style), moments, 0, len(moments), packer)
        return
    task = pickle.dumps((data, style, list(moments), packer), protocol=pickle.HIGHEST_PROTOCOL)
    workers = [_Worker(task, number, processes, packer.chunk) for number in range(processes)]
    try:
        for number, start in enumerate(range(0, len(moments), packer.chunk)):
            for _ in range(start, min(start + packer.chunk, len(moments))):
                yield workers[number % processes].next_frame()
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that draws every so many chunks of a film.

    It is told what to draw through a pipe and ends when the pipe does, however this process may
    end. No library's pool is used because theirs can outlive a killed parent, or import the
    caller's script again.
    """

    def __init__(self, task: bytes, number: int, workers: int, chunk: int) -> None:
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import work; work({number}, {workers})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._frames: queue.Queue[bytes | None] = queue.Queue(maxsize=chunk)
        self._thread = threading.Thread(target=self._talk, args=(task,), daemon=True)
        self._thread.start()

    def _talk(self, task: bytes) -> None:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(
            OSError, ValueError
        ):  # the process has ended; `next_frame` says so
            process.stdin.write(len(task).to_bytes(8, "little") + task)
            process.stdin.flush()
            while len(size := process.stdout.read(8)) == 8:
                self._frames.put(process.stdout.read(int.from_bytes(size, "little")))
        self._frames.put(None)

    def next_frame(self) -> bytes:
        """The next packed frame. Raises RuntimeError where the process has ended before it."""
        packed = self._frames.get()
        if packed is None:
            raise RuntimeError(f"a process that draws has ended (exit code {self._process.wait()})")
        return packed

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        while self._thread.is_alive():  # it may wait for room in the queue
            with contextlib.suppress(queue.Empty):
                self._frames.get(timeout=0.05)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def work(number: int, workers: int) -> None:
    """What a worker does: read what to draw, draw its chunks and write them, each frame with its
    length before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # nothing that is printed may come between frames
    length = int.from_bytes(source.read(8), "little")
    task = source.read(length)
    if not task or len(task) < length:
        return  # who asked has ended meanwhile
    data, style, moments, packer = pickle.loads(task)
    threading.Thread(target=_end_with, args=(source.fileno(),), daemon=True).start()
    canvas = Canvas(data, style)
    starts = range(0, len(moments), packer.chunk)
    for start in starts[number::workers]:
        for packed in _pack(
            canvas, moments, start, min(start + packer.chunk, len(moments)), packer
        ):
            sink.write(len(packed).to_bytes(8, "little") + packed)
            sink.flush()


def _end_with(pipe: int) -> None:
    """End this process when nobody holds the other end of a pipe any more.

    It is read by its number: whoever waits in a buffered read holds a lock that the interpreter
    needs to end, and aborts without.
    """
    os.read(pipe, 1)
    os._exit(0)


def processes_here() -> int:
    """Cores that this process may use."""
    return system.cores()


def _pack(
    canvas: Canvas, moments: Sequence[Moment], start: int, stop: int, packer: Packer
) -> Iterator[bytes]:
    before = canvas.draw(moments[start - 1]).copy() if start and packer.delta else None
    for index in range(start, stop):
        pixels = canvas.draw(moments[index])
        is_new = not index or not moments[index].moves_on(moments[index - 1])
        yield packer.pack(pixels, before, is_new=is_new)
        if not packer.delta:
            continue
        if before is None:
            before = np.empty_like(pixels)
        np.copyto(before, pixels)
