"""Every kind of image file becomes RGB the way people see it."""

import io
import struct
import subprocess
from typing import Any

import hypothesis
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from samples import picture

from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.reading import ImageRecord, SkippedImage, read_image


def through_file(image: Image.Image, kind: str, **options: object) -> np.ndarray:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    rgb = to_rgb(decode(buffer.getvalue()))
    assert rgb.mode == "RGB"
    return np.asarray(rgb)


def test_grey_becomes_equal_channels() -> None:
    assert through_file(Image.new("L", (2, 2), 77), "PNG").tolist() == [[[77, 77, 77]] * 2] * 2


def test_transparent_pixels_are_seen_over_white() -> None:
    image = Image.new("RGBA", (2, 1))
    image.putpixel((0, 0), (10, 20, 30, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    assert through_file(image, "PNG").tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.putpixel((1, 0), 1)
    assert through_file(image, "PNG", transparency=0).tolist() == [[[255, 255, 255], [0, 200, 0]]]
    assert through_file(image, "PNG").tolist() == [[[200, 0, 0], [0, 200, 0]]]


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16))
    assert through_file(image, "PNG")[..., 0].tolist() == [[0, 100, 255]]


def test_float_grey_counts_as_zero_to_one() -> None:
    image = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert through_file(image, "TIFF")[..., 0].tolist() == [[0, 128, 255]]


def test_wider_values_are_stretched() -> None:
    image = Image.fromarray(np.array([[-1000, 0, 1000]], dtype=np.int32))
    assert through_file(image, "TIFF")[..., 0].tolist() == [[0, 128, 255]]


def test_cmyk_jpeg_keeps_its_colour() -> None:
    red = through_file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)[4, 4]
    assert red[0] > 240 and red[1] < 15 and red[2] < 15


def test_exif_orientation_turns_the_picture() -> None:
    image = Image.new("RGB", (4, 2), (0, 0, 0))
    image.putpixel((0, 0), (255, 255, 255))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: show the picture turned by 90 degrees clockwise
    turned = through_file(image, "PNG", exif=exif)
    assert turned.shape == (4, 2, 3)
    assert turned[0, 1].tolist() == [255, 255, 255] and turned.sum() == 3 * 255


def test_one_bit_and_grey_with_alpha() -> None:
    assert through_file(Image.new("1", (1, 1), 1), "PNG").tolist() == [[[255, 255, 255]]]
    assert through_file(Image.new("LA", (1, 1), (100, 255)), "PNG").tolist() == [[[100, 100, 100]]]


@pytest.mark.parametrize("broken", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_raises_a_tolerated_error(broken: bytes) -> None:
    with pytest.raises(UNREADABLE):
        decode(broken)


def test_a_truncated_file_is_not_shown_half() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
    with pytest.raises(UNREADABLE):
        decode(buffer.getvalue()[:-600])


def exif_with(*entries: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block of tags, each with its type, count and value, as cameras and editors write."""
    body, data, start = struct.pack("<H", len(entries)), b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        inline = value.ljust(4, b"\0")
        if len(value) > 4:
            inline, data = struct.pack("<I", start + len(data)), data + value
        body += struct.pack("<HHI", tag, kind, count) + inline
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + data


ORIENTED = (0x0112, 3, 1, struct.pack("<H", 6))


@pytest.mark.parametrize(
    "odd",
    [
        (0x011A, 2, 3, b"72\0"),  # a resolution that is a text
        (0x010E, 5, 1, struct.pack("<II", 3, 2)),  # a description that is a fraction
        (0x0131, 11, 1, struct.pack("<f", 1.5)),
        (0x011A, 7, 4, b"\0\0\0H"),
        (0x02BC, 2, 5, b"abcd\0"),
        (0x8769, 4, 1, b"\xff\xff\xff\xff"),  # a directory behind the end
    ],
)
def test_an_odd_tag_does_not_keep_an_image_from_being_turned(
    odd: tuple[int, int, int, bytes],
) -> None:
    exif = exif_with(ORIENTED, odd)
    assert through_file(Image.new("RGB", (40, 24)), "JPEG", exif=exif).shape == (40, 24, 3)


@given(st.binary(max_size=80))
@hypothesis.settings(max_examples=40, deadline=None)
def test_exif_of_any_shape_leaves_the_image(junk: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG", exif=b"Exif\0\0II*\0" + junk)
    record = read_image(0, 0, {"bytes": buffer.getvalue(), "path": None})
    assert isinstance(record, ImageRecord)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "AVIF", "DDS"])
@given(st.data())
@hypothesis.settings(max_examples=12, deadline=None)
def test_a_damaged_file_is_an_image_or_a_reason(kind: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    picture(0, 1).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    record = read_image(0, 0, {"bytes": bytes(content), "path": None})
    assert isinstance(record, ImageRecord) or record.reason


@pytest.mark.parametrize(
    "raised",
    [RuntimeError("x"), NotImplementedError(), KeyError(3), RecursionError(), MemoryError()],
)
def test_whatever_a_decoder_raises_is_a_reason(
    raised: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(PIL.Image, "open", fail)
    record = read_image(0, 0, {"bytes": b"\x89PNG", "path": None})
    assert isinstance(record, SkippedImage) and record.reason


def test_postscript_is_never_handed_to_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "EPS")
    for data in (buffer.getvalue(), b"\0" * 3 + buffer.getvalue()):
        record = read_image(0, 0, {"bytes": data, "path": None})
        assert isinstance(record, SkippedImage)


def grey(values: list[Any], kind: type[np.generic], file: str = "TIFF") -> list[int]:
    levels: list[int] = through_file(Image.fromarray(np.array([values], dtype=kind)), file)[
        0, :, 0
    ].tolist()
    return levels


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("file", ["PNG", "TIFF"])
def test_the_brightest_value_of_any_depth_is_white(bits: int, file: str) -> None:
    most = 2**bits - 1
    assert grey([0, most / 5 * 2, most], np.uint16, file) == [0, 102, 255]


@pytest.mark.parametrize("gap", [-9999.0, float("inf"), float("-inf"), float("nan"), -3.4e38])
def test_gaps_in_measurements_are_black_and_change_nothing_else(gap: float) -> None:
    assert grey([gap, 0.0, 0.5, 1.0], np.float32) == [0, 0, 128, 255]
    assert grey([gap, 100.0, 150.0, 200.0], np.float32) == [0, 0, 128, 255]
    assert grey([gap, gap], np.float32) == [0, 0]


def test_the_first_rule_of_deep_grey_is_kept_for_older_runs() -> None:
    image = Image.fromarray(np.array([[0, 4095]], dtype=np.uint16))
    assert np.asarray(to_rgb(image, 1))[0, :, 0].tolist() == [0, 16]
    assert np.asarray(to_rgb(image))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page"),
        (b"no image", "not an image of a known format"),
    ],
)
def test_what_has_only_the_name_of_an_image_is_said(data: bytes, reason: str) -> None:
    record = read_image(0, 0, {"bytes": data, "path": "1.jpg"})
    assert isinstance(record, SkippedImage) and reason in record.reason
