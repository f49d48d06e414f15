"""Makes the film of a run: what people call, from Python and from the command line."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import storage_errors, whole_file
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.run.temporary import remove_leftovers
from review_embeddings.review.animation import encode
from review_embeddings.review.animation.colors import THEMES
from review_embeddings.review.animation.plan import PACES, Moment, plan
from review_embeddings.review.animation.render import Canvas, Look, packed_frames, processes_here
from review_embeddings.review.animation.story import Story, read_story
from review_embeddings.review.exchange.targets import check_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    from review_embeddings.review.animation.drawing import Frame

SIZES = (480, 2160)
"""Smallest and largest width of a frame in pixels."""

MOST = 12
"""Longest leaderboard."""

FRAMES = 150
"""Where nothing is said, there are as many frames between checkpoints as make about this many in
all."""

SAMPLES = 10
"""Frames from which the palette is chosen."""


@dataclass(frozen=True)
class Options:
    """How a film is made."""

    size: int = 800
    """Width of a frame in pixels; the height is four fifths of it."""
    fps: float = 15
    """Frames a second."""
    tween: int | None = None
    """Frames between two checkpoints; None for as many as make about `FRAMES` in all, at most
    11."""
    pace: str = "equal"
    """One of `PACES`."""
    hold: float = 2
    """Seconds that the last frame is held."""
    theme: str = "light"
    """One of `THEMES`."""
    top: int = 8
    """Images in the leaderboard."""
    trails: int = 0
    """The way of so many images that move furthest is drawn."""
    trail: tuple[int, ...] = ()
    """And that of these, by image_id."""
    trust: bool = False
    """The map says in its corner how far it can be trusted."""
    max_mb: float | None = None
    """Largest size of the file in millions of bytes; size, colours and frame rate are lowered until
    it fits."""

    def check(self) -> None:
        """Raise SettingsError for the first that is out of range."""
        for name, value, low, high in (
            ("--size", self.size, *SIZES),
            ("--fps", self.fps, 1, 50),
            ("--tween", self.tween or 0, 0, 100),
            ("--hold", self.hold, 0, 60),
            ("--top", self.top, 0, MOST),
            ("--trails", self.trails, 0, 200),
        ):
            if not low <= value <= high:
                raise SettingsError(f"{name} {value:g} is out of range. Use {low} to {high}.")
        for name, word, words in (
            ("--time", self.pace, PACES),
            ("--theme", self.theme, tuple(THEMES)),
        ):
            if word not in words:
                raise SettingsError(f"{name} {word} is not known. Use {' or '.join(words)}.")
        if self.max_mb is not None and not self.max_mb > 0:
            raise SettingsError(f"--max-mb {self.max_mb:g} is out of range. Use more than 0.")


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


def animate(
    run: RunFolder | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    checkpoints: Sequence[str | int] | str | int = (),
    keep_frames: bool = False,
    processes: int | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> Film:
    """Make the film of a run's fine-tuning from its table, its log and its images.

    ``out`` ends in .gif, .mp4, .webp or .png (animated) and is ``exports/animation.gif`` in the run
    where nothing is said; ``checkpoints`` are steps, first, last or ranges such as "0-400", all
    where nothing is said; ``options`` are the fields of `Options`. With ``keep_frames`` the frame
    of each checkpoint is written as a PNG into its folder too. ``processes`` draw at the same time,
    one for each core where nothing is said; the file is the same however many. Raises ReviewError.
    """
    run, chosen = _run_folder(run), Options(**options)
    chosen.check()
    path = Path(out) if out is not None else run.exports / "animation.gif"
    check_target(run, path)
    if _ending(path, encode.ENDINGS) in {".mp4", ".webp"}:
        encode.ffmpeg()
    wanted = [checkpoints] if isinstance(checkpoints, (str, int)) else checkpoints
    story = read_story(run, [str(name) for name in wanted], top=chosen.top)
    if len(story.steps) < 2:
        raise SettingsError(
            f"There is one checkpoint only ({story.steps[0]}), which makes no film. "
            f"A still of it: review-embeddings animate --run {run} --frame {story.steps[0]}"
        )
    look = _look(story, chosen)
    film = make_film(story, path, chosen, processes=processes, progress=progress)
    if not keep_frames:
        return film
    return replace(film, kept=tuple(_keep_frames(run, story, look, progress)))


def draw_still(
    run: RunFolder | str | os.PathLike[str],
    checkpoint: str | int = "last",
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Film:
    """Write the frame of one checkpoint as a PNG; where nothing is said, into the run's exports.
    Raises ReviewError."""
    run, chosen = _run_folder(run), Options(**options)
    chosen.check()
    (story, place) = _at(run, checkpoint, chosen)
    path = Path(out) if out is not None else run.exports / f"frame-{story.steps[place]:06d}.png"
    _ending(path, (".png",))
    check_target(run, path)
    look = _look(story, chosen)
    _write_png(path, Canvas(story, look), place)
    return Film(path, 1, 0.0, look.size, path.stat().st_size)


def draw_frame(
    figure: Figure | SubFigure,
    run: RunFolder | str | os.PathLike[str],
    checkpoint: str | int = "last",
    **options: Any,
) -> Frame:
    """Draw the frame of one checkpoint into a matplotlib figure of your own; 10 x 8 inches, or that
    shape, suit it best.

    The frame's artists can be changed afterwards: ``frame.map``, ``frame.points``, ``frame.rings``,
    ``frame.curves``, ``frame.title``. Raises ReviewError.
    """
    from review_embeddings.review.animation.drawing import Frame
    from review_embeddings.review.animation.render import quiet_fonts

    chosen = Options(**options)
    chosen.check()
    story, place = _at(_run_folder(run), checkpoint, chosen)
    with quiet_fonts():
        frame = Frame(
            figure,
            story,
            theme=chosen.theme,
            trails=_look(story, chosen).trails,
            trust=chosen.trust,
        )
        frame.show(Moment(place))
    return frame


def _at(run: RunFolder, checkpoint: str | int, options: Options) -> tuple[Story, int]:
    """The whole story of a run and the place of one checkpoint in it."""
    from review_embeddings.pipeline.models.checkpoints import select

    story = read_story(run, top=options.top)
    steps = select(story.steps, [str(checkpoint)])
    if len(steps) > 1:
        raise SettingsError(f"--frame {checkpoint} names {len(steps)} checkpoints. Name one.")
    return story, story.steps.index(steps[0])


def _run_folder(run: RunFolder | str | os.PathLike[str]) -> RunFolder:
    return run if isinstance(run, RunFolder) else run_at(run)


def _ending(path: Path, endings: Sequence[str]) -> str:
    ending = path.suffix.lower()
    if ending not in endings:
        raise SettingsError(
            f"--out {path.name}: {ending or 'no ending'} is not known. Use one of "
            f"{', '.join(endings)}."
        )
    return ending


def _look(story: Story, options: Options) -> Look:
    places = {int(image): place for place, image in enumerate(story.ids)}
    unknown = next((image for image in options.trail if image not in places), None)
    if unknown is not None:
        raise SettingsError(
            f"--trail {unknown}: there is no such image. Use the image_id of one in the table."
        )
    wanted = [places[image] for image in options.trail] + story.furthest(options.trails)
    return Look(options.size, options.theme, tuple(dict.fromkeys(wanted)), options.trust)


# -- under a size


@dataclass(frozen=True)
class _Grade:
    """One step down in quality."""

    share: float = 1.0
    """Of the wanted width."""
    colors: int = 255
    thinned: int = 1
    """Every so many frames between checkpoints is drawn; the film stays as long."""
    crf: int = 18
    quality: int = 85

    @property
    def weight(self) -> float:
        """About how large a film is, 1 for the best."""
        smoother = (
            (np.log2(self.colors + 1) / 8) ** 0.7
            * 2.0 ** ((18 - self.crf) / 6)
            * (self.quality / 85) ** 0.6
        )
        return float(self.share**1.8 * smoother / self.thinned**0.8)


def _grades(ending: str) -> list[_Grade]:
    """From the best down; first what is seen least is lowered."""
    sizes = [(1.0, 1), (0.85, 1), (0.85, 2), (0.7, 2), (0.6, 3), (0.5, 4), (0.4, 6), (0.4, 12)]
    if ending == ".png":
        return [_Grade(share, thinned=thinned) for share, thinned in sizes]
    if ending == ".gif":
        levels = [
            (255, 0),
            (128, 0),
            (128, 1),
            (128, 2),
            (128, 3),
            (64, 3),
            (64, 4),
            (64, 5),
            (32, 5),
            (32, 6),
            (16, 7),
        ]
        return [_Grade(sizes[place][0], colors, sizes[place][1]) for colors, place in levels]
    fine = [
        (18, 85, 0),
        (21, 75, 0),
        (24, 60, 0),
        (27, 45, 0),
        (27, 40, 1),
        (27, 40, 2),
        (29, 35, 3),
        (29, 30, 4),
        (32, 25, 5),
        (34, 15, 6),
        (36, 10, 7),
    ]
    return [
        _Grade(sizes[place][0], 255, sizes[place][1], crf, quality) for crf, quality, place in fine
    ]


class _TooLargeError(Exception):
    """The film will not stay under its size."""

    def __init__(self, size: float) -> None:
        """``size``: how large it is or would be about, in bytes."""
        self.size = size


def make_film(
    story: Story,
    path: Path,
    options: Options,
    *,
    processes: int | None = None,
    progress: Progress = SILENT,
) -> Film:
    """Make the film of a story, lowered as far as its largest size asks for; `animate` reads and
    checks before it."""
    ending, processes = path.suffix.lower(), processes or processes_here()
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent)
    limit = math.inf if options.max_mb is None else options.max_mb * 1e6
    hopeless = math.inf
    for grade in (grades := _grades(ending)):
        if grade.weight > hopeless and grade is not grades[-1]:
            continue
        lowered = replace(options, size=max(SIZES[0], round(options.size * grade.share)))
        try:
            film = _make(story, path, ending, lowered, grade, limit, processes, progress)
        except _TooLargeError as error:
            hopeless = (
                grade.weight * 1.4 * limit / error.size
            )  # what would be half as large again as it may is not tried
            continue
        if grade == _Grade():
            return film
        said = [f"{film.size[0]} x {film.size[1]} pixels"]
        said += {
            ".gif": [f"{grade.colors} colours"],
            ".mp4": [f"CRF {grade.crf}"],
            ".webp": [f"quality {grade.quality}"],
        }.get(ending, [])
        said += [f"1 in {grade.thinned} frames between checkpoints"] if grade.thinned > 1 else []
        return replace(film, lowered=", ".join(said))
    smaller = "" if ending == ".mp4" else ", or .mp4, which is the smallest kind"
    raise SettingsError(
        f"The film does not fit in --max-mb {options.max_mb:g}. Use a higher one, fewer "
        f"checkpoints (--checkpoint){smaller}."
    )


def _make(
    story: Story,
    path: Path,
    ending: str,
    options: Options,
    grade: _Grade,
    limit: float,
    processes: int,
    progress: Progress,
) -> Film:
    """Draw and write the film once. Raises _TooLargeError as soon as it is plain that it will not
    stay under ``limit`` bytes."""
    look = _look(story, options)
    tween = options.tween
    if tween is None:
        tween = min(11, max(0, round(FRAMES / (len(story.steps) - 1)) - 1))
    frames_each = max(1, (tween + 1) // grade.thinned)
    fps = options.fps * frames_each / (tween + 1)  # as long as before
    moments = plan(
        story.steps, tween=frames_each - 1, pace=options.pace, fps=fps, hold=options.hold
    )
    packer = _packer(story, look, moments, ending, grade)
    drawn = packed_frames(story, look, moments, packer, processes=processes)
    ticks = [moment.ticks for moment in moments]
    with (
        progress.stage(f"Drawing {path.name}", total=len(moments), unit="frames") as advance,
        whole_file(path) as temporary,
    ):
        frames = _counted(
            drawn, advance, limit if ending in {".gif", ".png"} else math.inf, len(moments)
        )
        try:
            if ending == ".gif":
                assert isinstance(packer, encode.GifPacker)
                with temporary.open("wb") as file:
                    encode.write_gif(
                        file,
                        look.size,
                        packer.palette,
                        ((data, n / fps) for data, n in zip(frames, ticks, strict=True)),
                    )
            elif ending == ".png":
                with temporary.open("wb") as file:
                    encode.write_png(
                        file,
                        look.size,
                        len(moments),
                        ((data, n / fps) for data, n in zip(frames, ticks, strict=True)),
                    )
            else:
                quality = grade.crf if ending == ".mp4" else grade.quality
                encode.write_with_ffmpeg(
                    temporary, ending, look.size, fps, quality, zip(frames, ticks, strict=True)
                )
        finally:
            drawn.close()  # type: ignore[attr-defined]
        size = temporary.stat().st_size
        if size > limit:
            raise _TooLargeError(size)
    return Film(path, len(moments), sum(ticks) / fps, look.size, size)


def _counted(
    frames: Iterable[bytes], advance: Callable[[int], None], limit: float, total: int
) -> Iterator[bytes]:
    """Tells of each frame, and gives up when the file outgrows its size."""
    written = 0
    for number, packed in enumerate(frames, start=1):
        written += len(packed)
        if written > limit or (
            number >= max(20, total // 4) and written * total > 1.25 * limit * number
        ):
            raise _TooLargeError(written * total / number)
        yield packed
        advance(1)


def _packer(story: Story, look: Look, moments: Sequence[Moment], ending: str, grade: _Grade) -> Any:
    if ending == ".png":
        return encode.PngPacker()
    if ending != ".gif":
        return encode.RawPacker()
    canvas = Canvas(story, look)
    samples = (canvas.draw(moment) for moment in encode.sample(moments, SAMPLES))
    return encode.GifPacker(encode.make_palette(samples, grade.colors))


# -- single frames


def _keep_frames(run: RunFolder, story: Story, look: Look, progress: Progress) -> Iterator[Path]:
    """The frame of every checkpoint as a PNG, in the checkpoint's folder, or in the exports where
    it has none."""
    canvas = Canvas(story, look)
    with progress.stage("Keeping frames", total=len(story.steps), unit="frames") as advance:
        for place, step in enumerate(story.steps):
            folder = run.checkpoint(step)
            path = (
                folder / "frame.png"
                if folder.is_dir()
                else run.exports / "frames" / f"frame-{step:06d}.png"
            )
            _write_png(path, canvas, place)
            advance(1)
            yield path


def _write_png(path: Path, canvas: Canvas, place: int) -> None:
    pixels = canvas.draw(Moment(place))
    packed = encode.PngPacker().pack(pixels, None)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        encode.write_png(
            file, (pixels.shape[1], pixels.shape[0]), 1, itertools.repeat((packed, 0.0), 1)
        )
