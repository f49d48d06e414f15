"""Pictures in the sizes that the page asks for, as the model saw them: the pixels by hand, the
types, and what cannot be shown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pageroutes import page_routes
from PIL import Image
from samples import encoded
from starlette.testclient import TestClient

from review_embeddings.pipeline.images.decode import UnreadableError, decode, to_rgb
from review_embeddings.pipeline.images.preview import (
    SIDES,
    picture_of,
    side_for,
    type_of,
    whole_picture,
)
from review_embeddings.pipeline.images.runimages import OpenedImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.page import pictures
from review_embeddings.review.page.pictures import Pictures

RED, BLUE = (200, 0, 0), (0, 0, 200)


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def pixels_of(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def turned(image: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif, quality=95)


def frames(kind: str) -> bytes:
    """An animation that begins red and becomes blue."""
    first, second = (Image.new("RGB", (40, 40), color) for color in (RED, BLUE))
    return encoded(first, kind, save_all=True, append_images=[second], lossless=True)


def sixteen_bit() -> bytes:
    """Grey from black to white over 40 columns."""
    values = np.linspace(0, 65535, 40).astype(np.uint16)
    return encoded(Image.fromarray(np.tile(values, (40, 1))), "PNG")


def see_through() -> bytes:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 20, 40))
    return encoded(image)


def palette() -> bytes:
    return encoded(halves(40, 40).quantize(4), "GIF")


ODD = {
    "turned": turned(halves(600, 300), 6),
    "CMYK": encoded(halves(600, 300).convert("CMYK"), "JPEG", quality=95),
    "16 bits": sixteen_bit(),
    "transparent": see_through(),
    "palette": palette(),
    "animated GIF": frames("GIF"),
    "animated WebP": frames("WEBP"),
    "animated PNG": frames("PNG"),
    "grey": encoded(halves(40, 40).convert("L")),
    "TIFF": encoded(halves(600, 300), "TIFF"),
    "BMP": encoded(halves(40, 30), "BMP"),
}
"""Files of one picture each, of which browsers show many in another way than the model saw them."""


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("side", [64, 512, None])
def test_a_picture_is_what_the_model_saw(kind: str, side: int | None) -> None:
    data = ODD[kind]
    seen = to_rgb(decode(data))
    made = whole_picture(data) if side is None else picture_of(data, side)
    if side is not None:
        seen.thumbnail((side, side))
    shown: Image.Image = Image.open(io.BytesIO(made))
    if type_of(made) == "image/jpeg":
        shown = to_rgb(shown)  # a browser turns it
    assert shown.size == seen.size and getattr(shown, "n_frames", 1) == 1
    assert type_of(made) in {"image/jpeg", "image/png", "image/gif", "image/webp"}
    far = np.abs(np.asarray(shown.convert("RGB")).astype(int) - np.asarray(seen).astype(int))
    assert np.median(far) <= 3 and far.mean() < 4


def test_by_hand() -> None:
    upright = pixels_of(picture_of(ODD["turned"], 64))  # 6: turned to the right by a quarter
    assert upright.shape == (64, 32, 3)
    assert np.abs(upright[5, 16] - RED).max() < 20 and np.abs(upright[-5, 16] - BLUE).max() < 20
    clear = pixels_of(picture_of(ODD["transparent"], 64))
    assert clear[20, 5].tolist() == [*RED] and clear[20, 35].tolist() == [255, 255, 255]
    grey = pixels_of(picture_of(ODD["16 bits"], 64))
    assert grey[0, :, 0].tolist() == np.rint(np.linspace(0, 255, 40)).astype(int).tolist()
    for kind in ("animated GIF", "animated WebP", "animated PNG"):
        assert np.abs(pixels_of(picture_of(ODD[kind], 64))[20, 20] - RED).max() < 3, kind


def test_small_files_stay_as_they_are_and_nothing_is_enlarged() -> None:
    small = encoded(halves(32, 16))
    assert picture_of(small, 64) is small and whole_picture(small) is small
    photograph = encoded(halves(800, 600), "JPEG")
    assert whole_picture(photograph) is photograph
    assert whole_picture(ODD["turned"]) is ODD["turned"], "a browser turns it itself"
    assert Image.open(io.BytesIO(picture_of(ODD["16 bits"], 1024))).size == (40, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_picture_is_at_most_as_large_as_was_asked(kind: str) -> None:
    data = encoded(halves(1500, 1000), kind)
    for side in SIDES:
        made = Image.open(io.BytesIO(picture_of(data, side)))
        assert 0.75 * min(side, 1500) <= max(made.size) <= side
        assert made.width / made.height == pytest.approx(1.5, abs=0.05)


def test_sides_are_rounded_up() -> None:
    sides = [1, 64, 65, 512, 4096, 99999]
    assert [side_for(side) for side in sides] == [64, 64, 128, 512, 4096, 4096]


@pytest.mark.parametrize("data", [b"", b"no image", encoded(halves(64, 64), "JPEG")[:300]])
def test_what_is_no_image_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        picture_of(data, 32)
    with pytest.raises(UnreadableError):
        whole_picture(data)


# -- of a run


@pytest.fixture(scope="module", params=["copied", "in place"])
def photographs(
    request: pytest.FixtureRequest,
    trainer_output: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunFolder:
    """A run of photographs that are larger than a preview, read into it or where they lie."""
    import shutil

    folder = tmp_path_factory.mktemp("photographs")
    for number in range(12):
        place = folder / "images" / ("blue", "green", "red")[number % 3] / f"{number:02d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        image = halves(1600, 1200)
        image.putpixel((0, number), (255, 255, 255))
        image.save(place, quality=90 + number % 2)
    run = RunFolder(Path(shutil.copytree(trainer_output, folder / "run")))
    in_place = request.param == "in place"
    dataset = {"source": str(folder / "images"), "split": "train", "in_place": in_place}
    build(run, Request(dataset=dataset))
    return run


def test_single_images_are_those_of_the_run(photographs: RunFolder) -> None:
    images = read_images(photographs)
    assert images is not None
    whole, some = images.read_bytes(), images.take(np.array([3, 7, 11]))
    assert [OpenedImages(images).file(row) for row in (11, 0, 5)] == [
        whole[row] for row in (11, 0, 5)
    ]
    assert [OpenedImages(some).file(row) for row in (2, 0)] == [whole[11], whole[3]]


def test_a_route_answers_pictures_of_every_size(
    photographs: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = page_routes(photographs, tmp_path, monkeypatch)
    for asked, longest in ((64, 64), (100, 128), (512, 512), (99999, 1600)):
        answer = client.get(f"image/4?side={asked}")
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        size = Image.open(io.BytesIO(answer.content)).size
        assert 0.75 * longest <= size[0] <= longest
        assert size[0] / size[1] == pytest.approx(4 / 3, abs=0.05)
    images = read_images(photographs)
    assert images is not None
    assert client.get("image/4").content == images.read_bytes()[4], "the file itself"


def test_a_picture_is_decoded_once_and_as_many_are_kept_as_there_is_room_for(
    photographs: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(data: bytes, side: int, rules: int) -> bytes:
        made.append(side)
        return bytes(1000)

    monkeypatch.setattr(pictures, "picture_of", counted)
    monkeypatch.setattr(pictures, "type_of", lambda data: "image/jpeg")
    monkeypatch.setattr(pictures, "MAX_KEPT_BYTES", 2500)
    shown = Pictures(photographs, None)
    for row in (0, 0, 1, 0, 2, 0, 1):
        shown.picture(row, 1024)
    assert len(made) == 4, "0, 1 and 2, and 1 again, which was used longest ago"


def test_an_image_that_is_gone_or_changed_is_said_and_not_shown(
    photographs: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: TestClient = page_routes(photographs, tmp_path, monkeypatch)
    images = read_images(photographs)
    assert images is not None
    file = next(Path(photographs.path.parent, "images").rglob("04.jpg"))
    row = next(row for row, path in enumerate(images.paths) if str(path).endswith("04.jpg"))
    kept = file.read_bytes()
    try:
        for damage in (lambda: file.unlink(), lambda: file.write_bytes(b"another")):
            damage()
            answer = client.get(f"image/{row}?side=1024")
            if images.column is None:
                assert answer.status_code == 200, "the run has its own copy"
            else:
                assert answer.status_code == 422
                assert f"Image {images.ids[row]} of the run" in json.loads(answer.text)["error"]
    finally:
        file.write_bytes(kept)
