"""Writes frames into one file: GIF and animated PNG here, MP4 and WebP by ffmpeg.

GIF, because its quality and size are what the film is judged by: one palette for all frames, chosen
from their own colours; of each frame only the rectangle that changed, what did not change in it
transparent. LZW and zlib are Pillow's and Python's.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import ReviewError, StorageError

ENDINGS = (".gif", ".mp4", ".webp", ".png")
"""Kinds of film: GIF, H.264 in MP4, WebP, animated PNG."""

BINS = 6
"""Bits of each channel by which a colour finds its place in the palette."""

EXACT = 32
"""The most frequent colours, which stand in the palette as they are: the page, the classes, the
text."""


# -- palettes


@dataclass(frozen=True)
class Palette:
    """Up to 255 colours for all frames of a film, and the nearest of them for every colour."""

    colors: NDArray[np.uint8]
    """Shape (n, 3), n <= 255."""
    nearest: NDArray[np.uint8]
    """Shape (2 ** (3 * BINS),): index of the colour nearest to each cell of the colour cube."""

    @property
    def transparent(self) -> int:
        """The index that means "as in the frame before"."""
        return len(self.colors)

    def indices(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The nearest colour of each pixel, RGBA of shape (height, width, 4) to (height, width)."""
        return self.nearest.take(_cells(pixels))


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Cell of the colour cube that each pixel of (height, width, 4) lies in."""
    whole = np.ascontiguousarray(pixels).view("<u4")[..., 0]
    mask, high = (1 << BINS) - 1, 8 - BINS
    cells: NDArray[Any] = (whole >> high) & mask
    cells |= (whole >> (8 + high - BINS)) & (mask << BINS)
    cells |= (whole >> (16 + high - 2 * BINS)) & (mask << 2 * BINS)
    return cells


def make_palette(samples: Iterable[NDArray[np.uint8]], count: int = 255) -> Palette:
    """The palette that changes the colours of sampled frames least: the most frequent as they are,
    k-means for the others.

    ``samples`` are RGBA frames; ``count`` at most 255. Source of the method: Lloyd 1982, by
    scikit-learn, over the cells of the colour cube weighted by how often they occur.
    """
    from scipy.spatial import cKDTree
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    size = 1 << 3 * BINS
    counts, sums, exact = np.zeros(size), np.zeros((size, 3)), dict[int, int]()
    for whole in samples:
        pixels = np.ascontiguousarray(whole[::2, ::2])  # enough to know what is frequent
        cells = _cells(pixels).ravel()
        counts += np.bincount(cells, minlength=size)
        for channel in range(3):
            sums[:, channel] += np.bincount(
                cells, weights=pixels[..., channel].ravel(), minlength=size
            )
        colors, often = np.unique(pixels.view("<u4"), return_counts=True)
        for place in np.argsort(-often, kind="stable")[: 2 * EXACT].tolist():
            exact[int(colors[place])] = exact.get(int(colors[place]), 0) + int(often[place])
    kept = sorted(exact, key=lambda color: (-exact[color], color))[: min(EXACT, count // 2)]
    fixed = np.array(
        [[color & 255, color >> 8 & 255, color >> 16 & 255] for color in kept], dtype=np.uint8
    )
    used = np.flatnonzero(counts)
    means = sums[used] / counts[used, None]
    colors = fixed
    if len(used) > count:
        distance, _ = cKDTree(fixed).query(means)
        others = distance > 1
        with threadpool_limits(1):  # the same sums, whatever the machine
            clusters = KMeans(count - len(fixed), n_init=1, max_iter=40, random_state=0)
            clusters.fit(means[others], sample_weight=counts[used][others])
        colors = np.vstack(
            [fixed, np.rint(clusters.cluster_centers_).clip(0, 255).astype(np.uint8)]
        )
    elif len(used):
        colors = np.unique(np.vstack([fixed, np.rint(means).astype(np.uint8)]), axis=0)[:count]
    nearest = _nearest(colors, used, means)
    corner = np.zeros((1, len(fixed), 4), dtype=np.uint8)
    corner[0, :, :3] = fixed
    places = {tuple(color): place for place, color in reversed(list(enumerate(colors.tolist())))}
    for cell, color in reversed(list(zip(_cells(corner)[0].tolist(), fixed.tolist(), strict=True))):
        nearest[cell] = places.get(tuple(color), nearest[cell])
    return Palette(colors, nearest)


def _nearest(
    colors: NDArray[np.uint8], used: NDArray[np.int64], means: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The nearest colour of every cell: of those that occur, by their mean; of the others, by the
    middle of eight of them."""
    from scipy.spatial import cKDTree

    tree = cKDTree(colors.astype(np.float64))
    axis = (np.arange(1 << BINS - 1) + 0.5) * (1 << 9 - BINS)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")[::-1], axis=-1)
    _, nearest = tree.query(cube)
    for direction in range(3):
        nearest = nearest.repeat(2, axis=direction)
    whole: NDArray[np.uint8] = nearest.ravel().astype(np.uint8)
    whole[used] = tree.query(means)[1]
    return whole


# -- GIF


@dataclass(frozen=True)
class GifPacker:
    """Makes each frame's place, size and LZW data."""

    palette: Palette
    chunk = 12
    delta = True

    def pack(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> bytes:
        """Image descriptor and data of one frame."""
        from PIL import Image

        top, bottom, left, right = _changed(pixels, before)
        indices = self.palette.indices(pixels[top:bottom, left:right])
        if before is not None:
            was = before[top:bottom, left:right]
            same = np.ascontiguousarray(pixels[top:bottom, left:right]).view(
                "<u4"
            ) == np.ascontiguousarray(was).view("<u4")
            indices[same[..., 0]] = self.palette.transparent
        data = Image.fromarray(indices, "L").tobytes("gif", "L", 8, 0)
        return (
            struct.pack("<BHHHHBB", 0x2C, left, top, right - left, bottom - top, 0, 8)
            + data
            + b"\0"
        )


def _changed(
    pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None
) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the rectangle in which two frames differ; one pixel where they
    do not."""
    height, width = pixels.shape[:2]
    if before is None:
        return 0, height, 0, width
    differ = pixels.view("<u4")[..., 0] != before.view("<u4")[..., 0]
    rows, columns = np.flatnonzero(differ.any(axis=1)), np.flatnonzero(differ.any(axis=0))
    if not len(rows):
        return 0, 1, 0, 1
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def write_gif(
    file: IO[bytes], size: tuple[int, int], palette: Palette, frames: Iterable[tuple[bytes, float]]
) -> None:
    """Write packed frames with their seconds; the film repeats for ever. Source: CompuServe 1990,
    GIF89a specification."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette.colors)] = palette.colors
    file.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + table.tobytes())
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    shown = told = 0.0
    for packed, seconds in frames:
        shown += seconds
        delay = min(
            max(round(100 * (shown - told)), 2), 65535
        )  # hundredths; what rounding takes, the next frame gets back
        told += delay / 100
        file.write(
            struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0x05, delay, palette.transparent, 0) + packed
        )
    file.write(b"\x3b")


# -- animated PNG


class PngPacker:
    """Makes each frame's place, size and compressed pixels."""

    chunk = 12
    delta = True

    def pack(self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None) -> bytes:
        """Sizes and zlib data of one frame."""
        top, bottom, left, right = _changed(pixels, before)
        return struct.pack("<4I", left, top, right - left, bottom - top) + _png_data(
            pixels[top:bottom, left:right]
        )


def _png_data(pixels: NDArray[np.uint8]) -> bytes:
    """RGB lines, each predicted from the one above it, compressed."""
    colors = pixels[..., :3]
    lines = np.empty((colors.shape[0], 1 + 3 * colors.shape[1]), dtype=np.uint8)
    lines[:, 0] = 2
    flat = np.ascontiguousarray(colors).reshape(colors.shape[0], -1)
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    return zlib.compress(lines.tobytes(), 6)


def write_png(
    file: IO[bytes], size: tuple[int, int], total: int, frames: Iterable[tuple[bytes, float]]
) -> None:
    """Write packed frames with their seconds as an animated PNG, or a still. Source: W3C 2025, PNG
    third edition."""
    file.write(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    )
    if total > 1:
        file.write(_chunk(b"acTL", struct.pack(">II", total, 0)))
    number = 0
    for index, (packed, seconds) in enumerate(frames):
        left, top, width, height = struct.unpack("<4I", packed[:16])
        if total > 1:
            milliseconds = min(round(1000 * seconds), 65535)
            file.write(
                _chunk(
                    b"fcTL",
                    struct.pack(
                        ">5I2H2B", number, width, height, left, top, milliseconds, 1000, 0, 0
                    ),
                )
            )
            number += 1
        if index == 0:
            file.write(_chunk(b"IDAT", packed[16:]))
        else:
            file.write(_chunk(b"fdAT", struct.pack(">I", number) + packed[16:]))
            number += 1
    file.write(_chunk(b"IEND", b""))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# -- MP4 and WebP


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
    command = [
        ffmpeg(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
    ]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", f"{fps:g}", "-i", "-", "-an"]
    if ending == ".mp4":
        colors = [
            "-colorspace",
            "bt709",
            "-color_primaries",
            "bt709",
            "-color_trc",
            "bt709",
        ]  # said, and what players take anyway
        command += [
            "-vf",
            "scale=out_color_matrix=bt709:out_range=tv",
            *colors,
            "-pix_fmt",
            "yuv420p",
        ]
        command += ["-c:v", "libx264", "-crf", str(quality), "-movflags", "+faststart", "-f", "mp4"]
    else:
        command += [
            "-c:v",
            "libwebp_anim",
            "-quality",
            str(quality),
            "-compression_level",
            "3",
            "-loop",
            "0",
            "-f",
            "webp",
        ]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            [*command, str(path)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        ) as process:
            try:
                _feed(process, frames)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said.seek(0)
            reason = said.read().decode(errors="replace").strip().splitlines()
            if any("No space left" in line for line in reason):
                raise StorageError(
                    f"The disk is full while writing {path.name}. Free some space and start the "
                    f"same command again."
                )
            raise ReviewError(
                f"ffmpeg could not write {path.suffix} "
                f"({reason[-1] if reason else process.returncode}). Use another ending."
            )


def _feed(process: subprocess.Popen[bytes], frames: Iterable[tuple[bytes, int]]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it says why
        for pixels, ticks in frames:
            for _ in range(ticks):
                process.stdin.write(pixels)


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


def sample(moments: Sequence[Any], count: int) -> list[Any]:
    """So many of the moments, evenly spread, the first and the last among them."""
    places = np.unique(np.linspace(0, len(moments) - 1, count).round().astype(int))
    return [moments[place] for place in places.tolist()]
