"""A review in one piece: what is in it, and that the page's modules read it as a review."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nodetests import run_node_tests
from PIL import Image
from sharing import blob_of, opened

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.frontend import CONSTANTS_MODULE, constants_module
from review_embeddings.review.share.arrays import ArrayPack


@pytest.mark.parametrize("positions", [None, np.array([2, 5, 6, 11, 30])])
def test_the_modules_of_the_page_read_it_as_a_review(
    built_run: Path, tmp_path: Path, positions: Any
) -> None:
    (tmp_path / "blob.txt").write_text(blob_of(built_run, tmp_path, positions=positions))
    constants = tmp_path / CONSTANTS_MODULE
    constants.write_text(constants_module(), encoding="utf-8")
    done = run_node_tests(constants, "realblob.js", REVIEW_BLOB=tmp_path / "blob.txt")
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_pictures_are_those_of_the_run_in_sheets(built_run: Path, tmp_path: Path) -> None:
    head, content = opened(blob_of(built_run, tmp_path))
    ((start, length),) = head["pictures"]["parts"]
    sheet = np.asarray(Image.open(io.BytesIO(content[start : start + length])), dtype=float)
    assert sheet.shape == (2 * 8, 32 * 8, 3), "36 squares, 32 a row"
    images = read_images(RunFolder(built_run))
    assert images is not None
    for row, data in enumerate(images.read_bytes()):
        own = Image.open(io.BytesIO(data)).convert("RGB")
        own.thumbnail((8, 8))
        left, top = 8 * (row % 32), 8 * (row // 32)
        shown = sheet[top : top + 8, left : left + 8]
        assert abs(shown.mean((0, 1)) - np.asarray(own, dtype=float).mean((0, 1))).max() < 20
    assert opened(blob_of(built_run, tmp_path, side=None))[0]["pictures"] is None


def test_it_holds_nothing_that_is_private_and_is_the_same_each_time(
    built_run: Path, tmp_path: Path
) -> None:
    text = blob_of(built_run, tmp_path)
    assert text == blob_of(built_run, tmp_path)
    head, content = opened(text)
    images = read_images(RunFolder(built_run))
    assert images is not None
    written = json.dumps(head).encode() + content
    for private in (*images.hashes, str(built_run), "nothing that leaves", "Exif"):
        assert private.encode() not in written
        assert not private.isalnum() or len(private) < 64 or bytes.fromhex(private) not in written


def test_numbers_come_back_within_half_a_step() -> None:
    pack = ArrayPack()
    pack.add_range("range", np.array([[-2.0, 1.0], [0.5, 4.0]]))
    pack.add_shares("shares", np.array([0.0, 0.5, 1.0, np.nan]))
    pack.add_whole("whole", np.array([0, 255]))
    pack.add_whole("more", np.array([0, 256]))
    pack.add_whole("signed", np.array([-1, 7]))
    pack.add_halves("halves", np.array([1.0, -2.0, 3.4e-9, 1e30]))
    specs, content = pack.specs, pack.content
    codes = {
        name: np.frombuffer(content[spec["at"] :], kind, int(np.prod(spec["shape"])))
        for (name, spec), kind in zip(
            specs.items(), ("<u2", "u1", "u1", "<u2", "<i2", "<u2"), strict=True
        )
    }
    assert codes["range"].tolist() == [0, 32768, 27306, 65535]
    assert (specs["range"]["low"], specs["range"]["high"]) == (-2.0, 4.0)
    assert codes["shares"].tolist() == [0, 127, 254, 255] and specs["shares"]["hasNone"]
    assert codes["signed"].tolist() == [-1, 7]
    assert [specs[name]["type"] for name in ("whole", "more", "signed")] == ["u8", "u16", "i16"]
    back = (codes["halves"].astype("<u4") << 16).view("<f4")
    np.testing.assert_allclose(back, [1.0, -2.0, 3.4e-9, 1e30], rtol=2**-8)
    assert all(spec["at"] % 4 == 0 for spec in specs.values())
