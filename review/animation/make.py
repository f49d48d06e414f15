"""Makes the file of a film from what it shows, under a largest size where one is asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import storage_errors, whole_file
from review_embeddings.pipeline.run.inside import make_folder
from review_embeddings.review.animation.encode import formats, gif, png, video
from review_embeddings.review.animation.encode.changes import whole_pixels
from review_embeddings.review.animation.encode.palette import make_palette
from review_embeddings.review.animation.filmdata import FilmData
from review_embeddings.review.animation.options import MAX_TRAILS, MIN_SIZE, FilmOptions
from review_embeddings.review.animation.plan import Moment, closing_moment, largest, plan
from review_embeddings.review.animation.quality import QualityLevel, quality_levels
from review_embeddings.review.animation.render import (
    Canvas,
    FrameStyle,
    Packer,
    packed_frames,
    processes_here,
)

PALETTE_FRAMES = 8
"""Frames from which the palette of moving points is chosen."""

MIN_FRAMES_TO_JUDGE = 20
"""Frames after which, or after a quarter of them, it is judged whether the film will be too
large."""

CERTAINLY_TOO_LARGE = 1.25
"""A film is given up when it would be so many times as large as it may be, judged by its frames so
far."""

WORTH_TRYING = 1.4
"""A quality is tried where the film would be up to so many times as large as it may be, judged by
`QualityLevel.weight`."""


@dataclass(frozen=True)
class Film:
    """What was made."""

    path: Path
    frames: int
    seconds: float
    """How long it plays."""
    size: tuple[int, int]
    """Width and height in pixels."""
    bytes: int
    lowered: str = ""
    """What was lowered to stay under the wanted size."""
    kept: tuple[Path, ...] = ()
    """The PNG of each checkpoint's frame, where they were wanted."""
    remarks: tuple[str, ...] = ()
    """What is otherwise than was asked for, a line each."""


class _TooLargeError(Exception):
    """The film will not stay under its size."""

    def __init__(self, size: float) -> None:
        """``size``: how large it is or would be about, in bytes."""
        self.size = size


def frame_style(data: FilmData, options: FilmOptions) -> FrameStyle:
    """How the frames look. Raises SettingsError for a trail of an image that is not there, and for
    groups that were not computed."""
    ids = set(data.ids.tolist())
    unknown = next((image for image in options.trail if image not in ids), None)
    if unknown is not None:
        raise SettingsError(
            f"--trail {unknown}: there is no such image. Use the image_id of one in the table."
        )
    if options.groups and data.groups is None:
        raise SettingsError(f"--groups: this run has no groups yet. Run: {build_command(data.run)}")
    return FrameStyle(
        options.size,
        options.theme,
        _trails_asked(data, options)[:MAX_TRAILS],
        options.groups,
        options.trust,
        options.shape,
        options.title,
        options.credit,
    )


def _trails_asked(data: FilmData, options: FilmOptions) -> tuple[int, ...]:
    """Indices of all images whose way was asked for: those named, then those that move furthest."""
    index_of = {image: index for index, image in enumerate(data.ids.tolist())}
    named = [index_of[image] for image in options.trail]
    return tuple(dict.fromkeys([*named, *data.furthest(options.trails)]))


def remarks(data: FilmData, options: FilmOptions) -> tuple[str, ...]:
    """As `Film.remarks`."""
    found, asked = [], len(_trails_asked(data, options))
    if asked > MAX_TRAILS:
        found.append(f"Drew {MAX_TRAILS} of {asked} trails: more cannot be told apart.")
    return (
        *found,
        *_without_font([*data.classes, *data.predicted_classes, options.title or data.title]),
    )


def _without_font(texts: Sequence[str]) -> Iterator[str]:
    """Which letters of some texts no font here has, in one line."""
    from review_embeddings.review.animation.drawing.fonts import missing_letters

    if letters := missing_letters(texts):
        some = ", ".join(f"{one} (U+{ord(one[0]):04X})" for one in letters[:3])
        more = f" and {len(letters) - 3:,} more" if len(letters) > 3 else ""
        yield f"No font here has {some}{more}: boxes stand for them. A Noto font has most letters."


def make_film(
    data: FilmData,
    path: Path,
    options: FilmOptions,
    *,
    processes: int | None = None,
    progress: Progress = SILENT,
) -> Film:
    """Make a film, lowered as far as its largest size asks for; `film.animate` reads and checks
    before it."""
    with storage_errors(path):
        make_folder(path.parent)
    limit = math.inf if options.max_mb is None else options.max_mb * 1e6
    hopeless = math.inf
    levels = quality_levels(path.suffix.lower())
    for level in levels:
        if level.weight > hopeless and level is not levels[-1]:
            continue
        job = _Job(data, path, options, level, limit)
        try:
            film = job.run(processes or processes_here(), progress)
            return replace(film, remarks=remarks(data, options))
        except _TooLargeError as error:
            hopeless = level.weight * WORTH_TRYING * limit / error.size
    smaller = "" if path.suffix.lower() == ".mp4" else ", or .mp4, which is the smallest kind"
    raise SettingsError(
        f"The film does not fit in --max-mb {options.max_mb:g}. Use a higher one, fewer "
        f"checkpoints (--checkpoint){smaller}."
    )


@dataclass(frozen=True)
class _Job:
    """A film at one quality, of at most ``limit`` bytes."""

    data: FilmData
    path: Path
    options: FilmOptions
    level: QualityLevel
    limit: float

    @property
    def ending(self) -> str:
        return self.path.suffix.lower()

    @property
    def style(self) -> FrameStyle:
        size = max(MIN_SIZE, round(self.options.size * self.level.width_share))
        return frame_style(self.data, replace(self.options, size=size))

    def moments(self) -> tuple[list[Moment], float]:
        """The moments of the film and its frames a second: fewer frames take as long."""
        options = self.options
        ticks = options.frames_between(len(self.data.steps)) + 1
        drawn = max(1, ticks // self.level.thinned)
        fps = options.fps * drawn / ticks
        moments = plan(
            self.data.steps,
            tween=drawn - 1,
            pace=options.pace,
            fps=fps,
            hold=options.hold,
            lingering=largest(self.data.disparities, options.linger),
        )
        if options.closing and self.data.pairs:
            moments.append(closing_moment(moments[-1].checkpoint, fps))
        return moments, fps

    def run(self, processes: int, progress: Progress) -> Film:
        """Draw and write the film. Raises _TooLargeError as soon as it is plain that it will not
        stay under the limit."""
        style, (moments, fps) = self.style, self.moments()
        packer = self._packer(style, moments)
        drawn = packed_frames(self.data, style, moments, packer, processes=processes)
        total, ticks = len(moments), [moment.ticks for moment in moments]
        with (
            progress.stage(f"Drawing {self.path.name}", total=total, unit="frames") as advance,
            whole_file(self.path) as temporary,
        ):
            try:
                frames = _counted(drawn, advance, self._limit_while_drawing, total)
                self._write(
                    temporary, style.size, packer, zip(frames, ticks, strict=True), fps, total
                )
            finally:
                drawn.close()  # type: ignore[attr-defined]
            size = temporary.stat().st_size
            if size > self.limit:
                raise _TooLargeError(size)
        lowered = self.level.description(self.ending, style.size)
        return Film(self.path, total, sum(ticks) / fps, style.size, size, lowered)

    @property
    def _limit_while_drawing(self) -> float:
        """What FFmpeg makes of raw frames is known at the end only."""
        return math.inf if self.ending in formats.BY_FFMPEG else self.limit

    def _packer(self, style: FrameStyle, moments: Sequence[Moment]) -> Packer:
        if self.ending == ".png":
            return png.PngPacker()
        if self.ending in formats.BY_FFMPEG:
            return video.RawPacker()
        pixels = np.concatenate(list(_moving(Canvas(self.data, style), moments)))
        return gif.GifPacker(make_palette(pixels, self.level.colors), self.level.colors)

    def _write(
        self,
        path: Path,
        size: tuple[int, int],
        packer: Any,
        frames: Iterable[tuple[bytes, int]],
        fps: float,
        total: int,
    ) -> None:
        if self.ending in formats.BY_FFMPEG:
            quality = self.level.crf if self.ending == ".mp4" else self.level.quality
            video.write_video(path, self.ending, size, fps, quality, frames)
            return
        timed = ((packed, ticks / fps) for packed, ticks in frames)
        with path.open("wb") as file:
            if self.ending == ".gif":
                gif.write_gif(file, size, packer.palette, timed)
            else:
                png.write_png(file, size, total, timed)


def _counted(
    frames: Iterable[bytes], advance: Callable[[int], None], limit: float, total: int
) -> Iterator[bytes]:
    """Advance with each frame, and give up when the file outgrows its limit."""
    written, enough = 0, max(MIN_FRAMES_TO_JUDGE, total // 4)
    for number, packed in enumerate(frames, start=1):
        written += len(packed)
        will_outgrow = written * total > CERTAINLY_TOO_LARGE * limit * number
        if written > limit or (number >= enough and will_outgrow):
            raise _TooLargeError(written * total / number)
        yield packed
        advance(1)


def _moving(canvas: Canvas, moments: Sequence[Moment]) -> Iterator[NDArray[np.uint32]]:
    """The pixels that change where only points move, in some moments evenly spread; all pixels of
    the first moment where they never do."""
    last, found = len(moments) - 1, 0
    for index in np.unique(np.linspace(0, last, PALETTE_FRAMES).round().astype(int)).tolist():
        some = moments[max(0, index - 1) : index + 2]
        for before, moment in itertools.pairwise(some):
            if moment.moves_on(before):
                pixels = whole_pixels(canvas.draw(before)).copy()
                after = whole_pixels(canvas.draw(moment))
                yield after[after != pixels]
                found += 1
                break
    if not found:
        yield whole_pixels(canvas.draw(moments[0])).ravel()
