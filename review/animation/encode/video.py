"""Writes MP4 and WebP by ffmpeg, which takes raw frames."""

from __future__ import annotations

import contextlib
import errno
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import ReviewError, StorageError
from review_embeddings.pipeline.machine import Refusal, named_path, refusal_in, sentence_about


class RawPacker:
    """Leaves the pixels as they are."""

    chunk = 3
    delta = False

    def pack(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> bytes:
        """RGB of one frame."""
        return np.ascontiguousarray(pixels[..., :3]).tobytes()


def write_with_ffmpeg(
    path: Path,
    ending: str,
    size: tuple[int, int],
    fps: float,
    quality: int,
    frames: Iterable[tuple[bytes, int]],
) -> None:
    """Write raw RGB frames, each repeated so many times, as MP4 (H.264, ``quality`` is the CRF) or
    WebP (0 to 100, higher is better).

    Raises ReviewError where there is no ffmpeg or it fails.
    """
    command = [ffmpeg(), *_input(size, fps), *_output(ending, quality), str(path)]
    with tempfile.TemporaryFile() as messages:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=messages
        ) as process:
            try:
                _feed(process, frames)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise _error_of(messages, path, process.returncode)


def _input(size: tuple[int, int], fps: float) -> list[str]:
    """Options for raw frames on the standard input."""
    options = ["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    return [*options, "-s", f"{size[0]}x{size[1]}", "-r", f"{fps:g}", "-i", "-", "-an"]


def _output(ending: str, quality: int) -> list[str]:
    """Options for the file; the colour space is named, and is what players take anyway."""
    if ending == ".mp4":
        return (
            "-vf scale=out_color_matrix=bt709:out_range=tv"
            " -colorspace bt709 -color_primaries bt709 -color_trc bt709 -pix_fmt yuv420p"
            f" -c:v libx264 -crf {quality} -movflags +faststart -f mp4"
        ).split()
    return (f"-c:v libwebp_anim -quality {quality} -compression_level 3 -loop 0 -f webp").split()


def _feed(process: subprocess.Popen[bytes], frames: Iterable[tuple[bytes, int]]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # its messages say why
        for pixels, ticks in frames:
            for _ in range(ticks):
                process.stdin.write(pixels)


def _error_of(messages: IO[bytes], path: Path, code: int) -> ReviewError:
    messages.seek(0)
    lines = messages.read().decode(errors="replace").strip().splitlines()
    too_large = code == -getattr(signal, "SIGXFSZ", 0)
    refusal = Refusal(errno.EFBIG) if too_large else refusal_in(Exception("\n".join(lines)))
    if refusal is not None:
        return StorageError(sentence_about(refusal, named_path(str(path))))
    return ReviewError(
        f"ffmpeg could not write {path.suffix} "
        f"({lines[-1] if lines else code}). Use another ending."
    )


def ffmpeg() -> str:
    """The ffmpeg program that comes with imageio-ffmpeg. Raises ReviewError where there is none."""
    try:
        import imageio_ffmpeg

        program: Any = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ReviewError(
            "There is no ffmpeg, which writes MP4 and WebP. Run: pip install imageio-ffmpeg, or "
            "write a .gif."
        ) from error
    return str(program)
