"""Every kind of image file becomes RGB the way people see it."""

import io

import numpy as np
import pytest
from PIL import Image

from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb


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
