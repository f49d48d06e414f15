"""``share --gallery``: which images runs have in common, that row and map belong together in every
run, and what cannot stand side by side."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from samples import CLASSES, picture, save_checkpoint
from sharing import blob_in, opened

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.share.gallery import LISTED, make_gallery
from review_embeddings.review.share.options import ShareSettings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CommandLine = Callable[..., tuple[int, str, str]]

TYPES = {"u8": "<u1", "u16": "<u2", "u32": "<u4"}


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Of another seed, with 8 images of each class of `image_folder` in the opposite order, and one
    more."""
    folder = tmp_path_factory.mktemp("other")
    for label, name in enumerate(CLASSES):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            file = folder / "pictures" / name / f"{50 - number}.png"
            picture(label, seed=100 * label + number).save(file)
    picture(0, seed=7_777).save(folder / "pictures" / CLASSES[0] / "99.png")
    for step in (5, 40):
        save_checkpoint(folder / "run" / f"checkpoint-{step}", seed=1000 + step, step=step)
    run = RunFolder(folder / "run")
    build(run, Request(dataset={"source": str(folder / "pictures"), "split": "train"}))
    return run


def array(head: dict[str, Any], content: bytes, name: str) -> NDArray[np.float64]:
    """The numbers of an array of a blob."""
    spec = head["arrays"][name]
    codes = np.frombuffer(
        content, TYPES[spec["type"]], int(np.prod(spec["shape"])), spec["at"]
    ).reshape(spec["shape"])
    low, high = spec.get("low", 0), spec.get("high")
    if high is None:
        return codes.astype(float)
    return np.asarray(low + codes / np.iinfo(codes.dtype).max * (high - low))


def test_each_run_has_the_same_images_and_their_maps_are_those_of_its_table(
    built_run: Path, other_run: RunFolder
) -> None:
    first = RunFolder(built_run)
    page = make_gallery([first, other_run], ShareSettings())
    assert (page.images, page.total) == (24, 24)
    blobs = [opened(text) for text in blob_in(page.text).split()]
    hashes, points = [], []
    for run, (head, content) in zip((first, other_run), blobs, strict=True):
        rows = array(head, content, "common").astype(int)
        ids = array(head, content, "ids").astype(int)[rows]
        step = head["steps"][-1]
        frame = table.read(run, checkpoints=[step]).set_index("image_id").loc[ids]
        hashes.append(frame["image_hash"].tolist())
        xy = [array(head, content, axis)[-1][rows] for axis in ("x", "y")]
        points.append((np.stack(xy, axis=1), frame[["x", "y"]].to_numpy(dtype=float)))
        assert head["session"]["extent"] == blobs[0][0]["session"]["extent"]
        lists = head["session"]["lists"]
        assert {one["key"] for one in lists} <= set(LISTED) and "worst" in lists[0]["key"]
        assert set(lists[0]["rows"]) <= set(rows.tolist()), "rows of the run, of common images"
        assert not any(head["reasons"]), "nothing leaves that is not listed"
    assert hashes[0] == hashes[1] and len(set(hashes[0])) == 24
    np.testing.assert_allclose(*points[0], atol=1e-3)  # the first run's map is as in its table
    ours, stored = (one - one.mean(axis=0) for one in points[1])
    singular = np.linalg.svd(ours.T @ stored, compute_uv=False).sum()
    likeness = singular / np.linalg.norm(ours) / np.linalg.norm(stored)
    assert likeness == pytest.approx(1, abs=1e-6)  # only turned, scaled and shifted
    np.testing.assert_allclose(points[1][0].mean(axis=0), points[0][0].mean(axis=0), atol=1e-3)
    assert [head["pictures"] is None for head, _ in blobs] == [False, True]
    assert blobs[0][0]["disparity"] == 0 < blobs[1][0]["disparity"] <= 1


def test_fewer_images_are_a_sample_of_the_common_ones_and_the_page_says_so(
    built_run: Path, other_run: RunFolder
) -> None:
    runs = [RunFolder(built_run), other_run]
    page = make_gallery(runs, ShareSettings(images=9, pictures=False))
    assert (page.images, page.total, page.side) == (9, 24, None)
    again = make_gallery(runs, ShareSettings(images=9, pictures=False))
    assert page.text == again.text
    assert not any("thumbnails" in line for line in page.holds)
    whole = make_gallery(runs, ShareSettings(pictures=False))
    assert whole.images == 24 and whole.left_out == []
    tight = ShareSettings(max_mb=(whole.bytes - 1500) / 1e6, pictures=False)
    smaller = make_gallery(runs, tight)
    assert smaller.images < 24 and smaller.bytes <= tight.max_mb * 1e6
    assert smaller.left_out[0].endswith("of 24 common images: a seeded sample")
    with pytest.raises(SettingsError, match="Name more MB"):
        make_gallery(runs, ShareSettings(max_mb=0.01))


def test_what_cannot_stand_side_by_side_is_said(
    review_embeddings: CommandLine, built_run: Path, other_run: RunFolder, tmp_path: Path
) -> None:
    run = RunFolder(built_run)
    with pytest.raises(SettingsError, match="twice"):
        make_gallery([run, run], ShareSettings())
    with pytest.raises(SettingsError, match="2 to 4 runs"):
        make_gallery([run] * 5, ShareSettings())
    with pytest.raises(SettingsError, match="holds nothing of these"):
        make_gallery([run, other_run], ShareSettings(private=("files",)))
    copy = Path(shutil.copytree(other_run.path, tmp_path / "copy"))
    out, readme = tmp_path / "page.html", tmp_path / "README.md"
    arguments = ("share", "--run", built_run, "--gallery", copy, "--out", out)
    code, printed, _ = review_embeddings(*arguments, "--readme", readme)
    assert code == 0 and "24 images" in printed and out.is_file()
    text = readme.read_text(encoding="utf-8")
    assert "24 images through 2 trainings" in text and "to look at first" not in text


@pytest.mark.browser
def test_the_page_links_its_maps_and_needs_no_network(
    browser: Browser, built_run: Path, other_run: RunFolder, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    make_gallery([RunFolder(built_run), other_run], ShareSettings(title="Two <seeds>")).write(file)
    with browser.new_context(
        viewport={"width": 1366, "height": 900}, reduced_motion="reduce", offline=True
    ) as context:
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(file.as_uri())
        slider = page.locator("[data-test-tag=gallery-slider] input")
        page.get_by_text("100 % of each training").wait_for()  # nothing is to move by itself
        heads = page.locator(".runs-head b")
        heads.get_by_text("step 100").wait_for()
        heads.get_by_text("step 40").wait_for()
        slider.fill("1")
        heads.get_by_text("step 10", exact=True).wait_for()
        heads.get_by_text("step 5", exact=True).wait_for()
        assert page.locator("h1").inner_text() == "Two <seeds>"
        menu = page.get_by_label("List of images")
        shown = page.locator("[data-test-tag=gallery-list]")
        shown.get_by_text("that the runs take for different classes at the end").wait_for()
        menu.select_option(value="1 worst")
        shown.get_by_text("which all runs have: ").wait_for()
        assert shown.locator(".runs-tiles button").count() > 0
        menu.select_option(value="")
        tiles = page.locator(".runs-tiles button")
        if tiles.count():
            tiles.first.click()
            image = page.locator("[data-test-tag=gallery-image]")
            image.wait_for()
            assert image.locator("tbody tr").count() == 2
            page.wait_for_function(
                "document.querySelector('[data-test-tag=gallery-image] img').naturalWidth > 0"
            )
            page.keyboard.press("Escape")
        assert faults == []
