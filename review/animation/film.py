"""Makes the film of a run: what people call, from Python and from the command line."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.table import consistently
from review_embeddings.review.animation.encode import formats, png, video
from review_embeddings.review.animation.filmdata import FilmData, read_film_data
from review_embeddings.review.animation.make import Film, frame_style, make_film, remarks
from review_embeddings.review.animation.options import FilmOptions
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.render import Canvas, FrameStyle
from review_embeddings.review.exchange.targets import check_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    from review_embeddings.review.animation.drawing.frame import Frame


FRAME = "frame.png"
"""A kept frame in the folder of its checkpoint."""

__all__ = ["Film", "animate", "draw_frame", "draw_still"]


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
    by default; ``checkpoints`` are steps, first, last or ranges such as "0-400", all by default;
    ``options`` are the fields of `FilmOptions`. With ``keep_frames`` the frame of each checkpoint
    is written as a PNG into its folder too. ``processes`` draw at the same time, one for each core
    by default; the file is the same however many. Raises ReviewError.
    """
    run, chosen = _run_folder(run), _checked(options)
    path = Path(out) if out is not None else run.exports / "animation.gif"
    check_target(run, path)
    ending = _ending(path, formats.ENDINGS)
    if ending in formats.BY_FFMPEG:
        video.check_encoder(ending)
    wanted = [checkpoints] if isinstance(checkpoints, (str, int)) else checkpoints
    data = consistently(run, lambda: _read(run, chosen, [str(name) for name in wanted]))
    if len(data.steps) < 2:
        raise SettingsError(
            f"There is one checkpoint only ({data.steps[0]}), which makes no film. "
            f"A still of it: {command_line('animate', '--run', run, '--frame', data.steps[0])}"
        )
    style = frame_style(data, chosen)
    film = make_film(data, path, chosen, processes=processes, progress=progress)
    if not keep_frames:
        return film
    return replace(film, kept=tuple(_keep_frames(run, data, style, progress)))


def draw_still(
    run: RunFolder | str | os.PathLike[str],
    checkpoint: str | int = "last",
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Film:
    """Write the frame of one checkpoint as a PNG, by default into the run's exports. Raises
    ReviewError."""
    run, chosen = _run_folder(run), _checked(options)
    data, index = _data_at(run, checkpoint, chosen)
    path = Path(out) if out is not None else run.exports / f"frame-{data.steps[index]:06d}.png"
    _ending(path, (".png",))
    check_target(run, path)
    style = frame_style(data, chosen)
    with whole_file(path) as temporary:
        temporary.write_bytes(_png(Canvas(data, style), index))
    size = path.stat().st_size
    return Film(path, 1, 0.0, style.size, size, remarks=remarks(data, chosen))


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
    from review_embeddings.review.animation.render import quiet_fonts

    chosen = _checked(options)
    data, index = _data_at(_run_folder(run), checkpoint, chosen)
    style = frame_style(data, chosen)
    with quiet_fonts():
        frame = style.frame(figure, data)
        frame.show(Moment(index))
    return frame


def _read(run: RunFolder, options: FilmOptions, checkpoints: Sequence[str] = ()) -> FilmData:
    return read_film_data(run, checkpoints, top=options.top, align=options.align)


def _checked(options: dict[str, Any]) -> FilmOptions:
    chosen = FilmOptions(**options)
    chosen.check()
    return chosen


def _data_at(run: RunFolder, checkpoint: str | int, options: FilmOptions) -> tuple[FilmData, int]:
    """What a film of the whole run shows, and the index of one checkpoint in it."""
    from review_embeddings.pipeline.models.checkpoints import select

    data = consistently(run, lambda: _read(run, options))
    steps = select(data.steps, [str(checkpoint)], best=data.best)
    if len(steps) > 1:
        raise SettingsError(f"--frame {checkpoint} names {len(steps)} checkpoints. Name one.")
    return data, data.steps.index(steps[0])


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


def _keep_frames(
    run: RunFolder, data: FilmData, style: FrameStyle, progress: Progress
) -> Iterator[Path]:
    """The frame of every checkpoint as a PNG, in the checkpoint's folder, or in the exports where
    it has none, or holds a picture of that name which is somebody else's."""
    canvas = Canvas(data, style)
    with progress.stage("Keeping frames", total=len(data.steps), unit="frames") as advance:
        for index, step in enumerate(data.steps):
            picture, folder, name = _png(canvas, index), run.checkpoint(step), FRAME
            if not folder.is_dir() or not png.may_replace(folder / name, picture):
                folder, name = run.exports / "frames", f"frame-{step:06d}.png"
            path = folder / name
            with whole_file(path) as temporary:
                temporary.write_bytes(picture)
            advance(1)
            yield path


def _png(canvas: Canvas, checkpoint: int) -> bytes:
    """The frame of a checkpoint as a PNG file."""
    pixels = canvas.draw(Moment(checkpoint))
    size = (pixels.shape[1], pixels.shape[0])
    packed, file = png.PngPacker().pack(pixels, None, is_new=True), io.BytesIO()
    png.write_png(file, size, 1, itertools.repeat((packed, 0.0), 1))
    return file.getvalue()
