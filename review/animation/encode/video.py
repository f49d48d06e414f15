"""Writes MP4 and WebP by the libraries of FFmpeg, which PyAV brings; they take raw frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import ReviewError, StorageError
from review_embeddings.pipeline.machine import named_path, refusal_in, sentence_about

CODECS = {".mp4": "libx264", ".webp": "libwebp_anim"}
"""What FFmpeg calls the encoders, by the ending of a film."""

SCALED = {".mp4": "out_color_matrix=bt709:out_range=tv:flags=bicubic", ".webp": ""}
"""How RGB becomes the colours of the file."""

PIXELS = {".mp4": "yuv420p", ".webp": "bgra"}
"""What the encoders are given; every player knows it."""

BT709 = 1
"""The number of these primaries, of their transfer and of their matrix in H.264."""

LIMITED = 1
"""The number of the range 16 to 235, which players take where none is named."""

MAX_DENOMINATOR = 1_001_000
"""Of frames a second, as FFmpeg reads them."""


class RawPacker:
    """Leaves the pixels as they are."""

    chunk = 3
    delta = False

    def pack(
        self, pixels: NDArray[np.uint8], before: NDArray[np.uint8] | None, *, is_new: bool
    ) -> bytes:
        """RGB of one frame."""
        return np.ascontiguousarray(pixels[..., :3]).tobytes()


THREADS = "1"
"""Of the encoder of H.264: with several, a busy machine gives other bytes now and then. Drawing
takes the other cores meanwhile."""

INSTRUCTIONS = "asm=avx2"
"""What the encoder of H.264 takes of a processor that has AVX-512: by that its look ahead reads
memory that nothing was written to, and the same frames give other bytes now and then."""


def check_encoder(ending: str) -> None:
    """Raise ReviewError where the installed PyAV is missing or cannot write films of this
    ending."""
    try:
        import av
    except ImportError as error:
        raise ReviewError(
            f"PyAV, which writes MP4 and WebP, cannot be imported ({error}). Run: pip install av, "
            f"or write a .gif."
        ) from error
    if CODECS[ending] not in av.codecs_available:
        raise ReviewError(
            f"This build of PyAV ({av.__version__}) has no encoder {CODECS[ending]}, which writes "
            f"{ending}. Install the wheel of the package index (pip install --force-reinstall "
            f"--only-binary av av), or write a .gif."
        )


def write_video(
    path: Path,
    ending: str,
    size: tuple[int, int],
    fps: float,
    quality: int,
    frames: Iterable[tuple[bytes, int]],
) -> None:
    """Write raw RGB frames, each repeated so many times, as MP4 (H.264, ``quality`` is the CRF) or
    WebP (0 to 100, higher is better).

    Raises ReviewError where there is no encoder or it fails.
    """
    check_encoder(ending)
    import av

    options = {"movflags": "+faststart"} if ending == ".mp4" else {"loop": "0"}
    rate = Fraction(fps).limit_denominator(MAX_DENOMINATOR)
    with (
        _errors_of(path),
        av.open(f"file:{path}", "w", format=ending[1:], options=options) as container,
    ):
        stream = _stream_in(container, ending, size, rate, quality)
        for number, frame in enumerate(_converted(frames, ending, size, 1 / rate)):
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _stream_in(
    container: Any, ending: str, size: tuple[int, int], rate: Fraction, quality: int
) -> Any:
    """The encoder of a file."""
    stream = container.add_stream(CODECS[ending], rate=rate)
    stream.width, stream.height = size
    stream.pix_fmt = PIXELS[ending]
    stream.thread_type = "FRAME"  # slices make a file larger
    stream.options = _options(ending, quality)
    _name_colours(stream, ending)
    return stream


def _options(ending: str, quality: int) -> dict[str, str]:
    if ending == ".mp4":
        parameters = {"x264-params": INSTRUCTIONS} if _has_avx512() else {}
        return {"crf": str(quality), "threads": THREADS, **parameters}
    return {"quality": str(quality), "compression_level": "3"}


def _has_avx512() -> bool:
    """Whether this processor has the instructions that the encoder would take, as NumPy found."""
    config: Any = np.show_config(mode="dicts")
    found = config.get("SIMD Extensions", {}).get("found", [])
    return any(name == "X86_V4" or name.startswith("AVX512") for name in found)


def _name_colours(stream: Any, ending: str) -> None:
    """What players take anyway."""
    if ending != ".mp4":
        return
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED


def _converted(
    frames: Iterable[tuple[bytes, int]], ending: str, size: tuple[int, int], tick: Fraction
) -> Iterator[Any]:
    """A frame of FFmpeg for each tick, in the colours of the file."""
    import av

    width, height = size
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=tick)
    scale = graph.add("scale", SCALED[ending])
    pixels = graph.add("format", PIXELS[ending])
    sink = graph.add("buffersink")
    graph.link_nodes(source, scale, pixels, sink).configure()
    for packed, ticks in frames:
        array = np.frombuffer(packed, dtype=np.uint8).reshape(height, width, 3)
        source.push(av.VideoFrame.from_ndarray(array, format="rgb24"))
        frame = sink.pull()
        for _ in range(ticks):
            yield frame


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """What FFmpeg reports as what a person can do about it."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        refusal = refusal_in(error)
        if refusal is not None:
            raise StorageError(sentence_about(refusal, named_path(str(path)))) from error
        raise ReviewError(
            f"PyAV could not write {path.suffix} ({error}). Use another ending."
        ) from error
