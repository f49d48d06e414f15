"""``share``: what leaves a run with a page and what never does, that the page stands alone, and how
it gets small enough."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from samples import CLASSES, picture
from sharing import blob_in, opened, standing, unpacked

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.share import make
from review_embeddings.review.share.content import read_content
from review_embeddings.review.share.fit import PageForm, forms, images_within
from review_embeddings.review.share.make import SharedPage, make_page
from review_embeddings.review.share.options import ShareSettings
from review_embeddings.review.share.page import shared_page
from review_embeddings.review.share.pictures import PictureSizes
from review_embeddings.review.share.readme import readme_text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CommandLine = Callable[..., tuple[int, str, str]]

NOTE, REVIEWER, SECRET = "seen at the harbour", "grace.h", "IMG_secret_{:02d}.jpg"

CAMERA = "Camera of somebody"


def read(page: SharedPage) -> tuple[dict[str, Any], bytes]:
    """What its blob holds: JSON, and arrays and pictures."""
    return opened(blob_in(page.text))


def whole_content(page: SharedPage) -> bytes:
    """All that stands in a file, unpacked."""
    head, content = read(page)
    return unquote(page.text).encode() + json.dumps(head, ensure_ascii=False).encode() + content


@pytest.fixture(scope="module")
def private_run(trainer_output: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Of photographs with names and EXIF, of which one was decided about."""
    folder = tmp_path_factory.mktemp("harbour")
    for number in range(18):
        path = folder / "photos" / CLASSES[number % 3] / SECRET.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = picture(number % 3, seed=number, size=64)
        exif = Image.Exif()
        exif[0x0110] = CAMERA
        shot.save(path, exif=exif, comment=b"taken at home")
    run = RunFolder(Path(shutil.copytree(trainer_output, folder / "run")))
    build(run, Request(dataset={"source": str(folder / "photos"), "split": "train"}))
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        decided = ReviewedImages.of(images).decide([4], "remove", reviewer=REVIEWER, note=NOTE)
        writer.append(decided)
    return run


def secrets_of(run: RunFolder) -> dict[str, list[str]]:
    """By the name that lets them leave; nothing lets the last ones."""
    images = read_images(run)
    assert images is not None
    return {
        "files": [SECRET.format(number) for number in range(18)],
        "hashes": images.hashes,
        "decisions": ["remove"],
        "reviewers": [REVIEWER],
        "notes": [NOTE],
        "": [str(run.path.parent), CAMERA, "taken at home", "Exif", "JFIF", "decisions.jsonl"],
    }


def leaving(page: SharedPage, secrets: list[str]) -> list[str]:
    content = whole_content(page)
    return [
        secret
        for secret in secrets
        if secret.encode() in content
        or (re.fullmatch(r"[0-9a-f]{64}", secret) and bytes.fromhex(secret) in content)
    ]


def test_no_name_hash_note_reviewer_path_or_exif_leaves_a_run(private_run: RunFolder) -> None:
    page = make_page(private_run, ShareSettings())
    reasons = json.dumps(read(page)[0]["reasons"])
    for name, secrets in secrets_of(private_run).items():
        if name == "decisions":
            assert "decision" not in reasons
        else:
            assert leaving(page, secrets) == [], name
    assert page.holds[-1] == "no file names, hashes of the images, decisions, reviewers, notes"


@pytest.mark.parametrize("name", ["files", "hashes", "decisions", "reviewers", "notes"])
def test_what_is_named_leaves_and_nothing_else(private_run: RunFolder, name: str) -> None:
    page = make_page(private_run, ShareSettings(private=(name,)))
    for other, secrets in secrets_of(private_run).items():
        if other == name:
            assert leaving(page, secrets) == secrets
        elif other != "decisions":
            assert leaving(page, secrets) == [], other
    assert any(line.startswith("what --with names: ") for line in page.holds)


def test_a_page_without_pictures_has_no_pixel_of_them(private_run: RunFolder) -> None:
    page = make_page(private_run, ShareSettings(pictures=False))
    head, content = read(page)
    assert head["pictures"] is None and "picture_sizes" not in head["arrays"]
    assert b"WEBP" not in content
    assert not re.search(r"data:image/\w+;base64,[A-Za-z0-9+/]{20}", unquote(page.text))
    assert page.holds[-1].startswith("no pictures, file names")


def test_the_same_run_gives_the_same_bytes(private_run: RunFolder, tmp_path: Path) -> None:
    pages = [make_page(private_run, ShareSettings()) for _ in range(2)]
    assert pages[0] == pages[1]
    for number, page in enumerate(pages):
        page.write(tmp_path / f"{number}.html")
    assert (tmp_path / "0.html").read_bytes() == (tmp_path / "1.html").read_bytes()
    assert (tmp_path / "0.html").stat().st_size == pages[0].bytes


def test_it_holds_the_lists_the_curves_and_the_checkpoints(private_run: RunFolder) -> None:
    head, _ = read(make_page(private_run, ShareSettings(title="Harbours")))
    assert head["session"]["title"] == "Harbours"
    assert {"worst", "labels", "first", "new"} & {one["key"] for one in head["session"]["lists"]}
    assert head["steps"] == [10, 20, 100] == [one["step"] for one in head["session"]["checkpoints"]]
    assert set(head["training"]) == {"loss", "evalLoss", "accuracy"}
    assert head["leftOut"] == [] and head["holds"][0] == "title: Harbours"


def test_thumbnails_are_as_large_as_there_is_room(private_run: RunFolder) -> None:
    page = make_page(private_run, ShareSettings())
    head, content = read(page)
    assert page.side == head["pictures"]["side"] == 48
    ((start, length),) = head["pictures"]["parts"]
    with Image.open(io.BytesIO(content[start : start + length])) as sheet:
        assert sheet.size == (18 * 48, 48) and sheet.format == "WEBP" and not sheet.getexif()


# -- how small it gets


def test_what_goes_first_are_neighbours_then_pixels() -> None:
    sizes = PictureSizes([48, 40, 24], [900.0, 700.0, 300.0])
    assert [*forms(sizes, several=True)] == [
        PageForm(True, 48, 900.0, 48),
        PageForm(False, 48, 900.0, 48),
        PageForm(False, 40, 700.0, 48),
        PageForm(False, 24, 300.0, 48),
    ]
    assert [one.all_nearest for one in forms(sizes, several=False)] == [True, True, True]
    assert [*forms(None, several=False)] == [PageForm(True, None)]


@given(
    st.integers(1, 10**6), st.floats(1, 1e9), st.floats(0, 1e9), st.floats(1, 1e9, exclude_min=True)
)
def test_so_many_images_fit_by_what_one_takes(
    images: int, each: float, fixed: float, most: float
) -> None:
    count = images_within(images, fixed + images * each, fixed, most)
    assert count >= 0 and (count == 0 or fixed + count * each <= most)


def test_a_page_that_is_too_large_keeps_the_images_of_the_lists(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 36 images: the page alone takes all but a little of what it may."""
    whole = make_page(run, ShareSettings())
    fixed = len(shared_page("", []).encode())
    listed = {row for one in read(whole)[0]["session"]["lists"] for row in one["rows"]}
    monkeypatch.setattr(make, "ROOM", 1.0)
    page = make_page(run, ShareSettings(max_mb=(fixed + 0.9 * (whole.bytes - fixed)) / 1e6))
    assert page.bytes <= fixed + 0.9 * (whole.bytes - fixed)
    assert page.left_out[0].startswith("the nearest images at the checkpoints between")
    head, _ = read(page)
    assert head["nearest"] == [0, 2]
    assert (head["arrays"]["x"]["type"], head["arrays"]["x"]["shape"]) == ("u16", [3, page.images])
    assert len(listed) <= page.images <= 36
    with pytest.raises(SettingsError, match=r"images of the lists alone the page takes 0\.\d MB"):
        make_page(run, ShareSettings(max_mb=0.01))


def test_a_sample_has_all_images_of_the_lists(run: RunFolder) -> None:
    whole = read(make_page(run, ShareSettings()))[0]["session"]["lists"]
    page = make_page(run, ShareSettings(images=1))
    some = read(page)[0]["session"]["lists"]
    assert [len(one["rows"]) for one in some] == [len(one["rows"]) for one in whole]
    assert page.images == len({row for one in whole for row in one["rows"]})
    assert page.total == 36 and page.left_out == []
    assert "images" in page.holds[1] and page.holds[1].startswith(f"{page.images} of 36 images")


# -- runs of all kinds


def test_runs_without_labels_or_with_one_checkpoint(run: RunFolder) -> None:
    for step in (10, 20):
        shutil.rmtree(run.path / f"checkpoint-{step}")
        for file in run.path.glob(f"*/{step:06d}.*"):
            file.unlink()
    shutil.rmtree(run.path / "table")
    build(run, Request(dataset={"label_column": "none"}))
    page = make_page(run, ShareSettings())
    head, _ = read(page)
    assert page.steps == [100] == head["steps"] and head["classes"] == []
    assert "at checkpoint 100" in page.holds[1] and "label" not in page.holds[1]


def test_images_that_are_gone_are_gray_and_counted(
    trainer_output: Path, image_folder: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    data = Path(shutil.copytree(image_folder, tmp_path / "data"))
    run = Path(shutil.copytree(trainer_output, tmp_path / "run"))
    build(RunFolder(run), Request(dataset={"source": str(data), "in_place": True}))
    (data / CLASSES[0] / "03.png").unlink()
    out = tmp_path / "page.html"
    code, _, errors = review_embeddings("share", "--run", run, "--out", out)
    assert code == 0 and "1 image cannot be read any more" in errors
    head, content = opened(blob_in(out.read_text()))
    ((start, length),) = head["pictures"]["parts"]
    with Image.open(io.BytesIO(content[start : start + length])) as sheet:
        square = np.asarray(sheet.crop((3 * 16, 0, 4 * 16, 16)), float)
    assert abs(square - 0x88).max() < 40 and square[4:12, 4:12].std() < 8


HOSTILE = "</script><script>alert(1)</script><!-- \u2028 {x}"


def test_a_title_is_text_wherever_it_stands(run: RunFolder, tmp_path: Path) -> None:
    page = make_page(run, ShareSettings(title=HOSTILE))
    assert page.text.count("<script") == 4 == page.text.count("</script>")
    assert "alert(1)</script>" not in page.text
    page.write_readme(tmp_path / "README.md", tmp_path / "a b(1).html")
    text = (tmp_path / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["app_file"] == "a b(1).html"
    assert yaml.safe_load(front)["sdk"] == "static"
    assert "<script" not in body.replace("\\<", "")
    assert "](a%20b%281%29.html)" in body


def test_the_text_beside_the_page_says_what_it_shows() -> None:
    text = readme_text("Pets", "page.html", 1200, [0, 400], ["title: Pets", "1,200 thumbnails"])
    assert "\n# Pets\n" in text and "1,200 images" in text
    assert "2 checkpoints, step 0 to 400" in text and "- 1,200 thumbnails\n" in text


def test_its_policy_lets_in_only_what_stands_in_it() -> None:
    text = shared_page("a", [])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(one.split(" ", 1) for one in policy.replace("&#x27;", "'").split("; "))
    assert rules["default-src"] == "'none'" and "connect-src" not in rules
    inline = re.findall(r'<script type="module" async>(.*?)</script>', text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for rule, sources in (("script-src", inline), ("style-src", styles)):
        assert set(rules[rule].split()) == set(map(digest, sources))


def test_what_is_seen_first_stands_before_the_script_and_all_else_behind_it(
    run: RunFolder,
) -> None:
    page = make_page(run, ShareSettings())
    places = [page.text.index(f'id="{name}"') for name in ("first", "rest", "pictures")]
    assert places[0] < page.text.index('<script type="module"') < places[1] < places[2]
    head, content = unpacked(standing(page.text, "first"))
    whole, numbers = read(page)
    differing = {name for name in whole if name not in head or head[name] != whole[name]}
    assert differing == {"arrays", "reasons", "pictures"}  # here their parts count from elsewhere
    assert set(head["arrays"]) == {"x", "y", "labels"}
    size = 2 * page.images
    begins = head["arrays"]["y"]["rows"]
    assert list(begins) == ["0", "2"]  # the ends of three checkpoints
    for index, begin in begins.items():
        own = whole["arrays"]["y"]["at"] + int(index) * size
        assert content[begin : begin + size] == numbers[own : own + size] != bytes(size)


def digest(source: str) -> str:
    import hashlib

    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


@pytest.mark.browser
def test_it_opens_from_a_file_and_in_a_sandboxed_frame_and_asks_nobody(
    browser: Browser, private_run: RunFolder, tmp_path: Path
) -> None:
    page = make_page(private_run, ShareSettings(title=HOSTILE))
    page.write(tmp_path / "page.html")
    frame = '<iframe sandbox="allow-scripts" src="page.html" width="900" height="700"></iframe>'
    (tmp_path / "frame.html").write_text(frame)
    for name in ("page.html", "frame.html"):
        tab = browser.new_page()
        shown, problems = opened_in(tab, tmp_path / name)
        assert "18" in shown
        assert problems == []
        tab.close()


def opened_in(tab: Page, file: Path) -> tuple[str, list[str]]:
    """What a page shows, or the one in a frame of it; what it complained of and asked for."""
    problems: list[str] = []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: problems.append(request.url))
    tab.goto(file.as_uri())
    frame = tab.frames[-1]
    frame.locator("#root .opening").wait_for(state="detached")
    own = (file.parent.as_uri(), "data:", "blob:")
    return frame.locator("#root").inner_text(), [one for one in problems if not one.startswith(own)]


def test_a_run_that_is_built_meanwhile_is_read_again(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def reading(*arguments: Any) -> Any:
        if not reads:
            os.utime(run.table_manifest)
        reads.append(0)
        return read_content(*arguments)

    monkeypatch.setattr(make, "read_content", reading)
    assert make_page(run, ShareSettings(pictures=False)).images == 36
    assert len(reads) == 2


# -- the command


def test_what_leaves_is_listed_before_it_is_written(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    out, readme = tmp_path / "page.html", tmp_path / "README.md"
    command = ("share", "--run", run.path, "--out", out)
    code, output, errors = review_embeddings(*command, "--readme", readme)
    assert code == 0 and "The page holds:\n  title: " in errors
    assert output == (
        f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB, 36 images)\nWrote {readme}\n"
    )
    assert review_embeddings(*command, "--readme", readme)[0] == 0, "it replaces its own"
    readme.write_text("# My project\n")
    code, _, errors = review_embeddings(*command, "--readme", readme)
    assert code == 2 and "no file that this command writes" in errors
    assert readme.read_text() == "# My project\n"
    code, _, errors = review_embeddings(*command, "--with", "note")
    assert code == 2 and "--with note: there is no such thing" in errors
    assert "Did you mean notes?" in errors


def test_programs_get_it_as_json(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    out = tmp_path / "page.html"
    code, output, _ = review_embeddings("share", "--run", run.path, "--out", out, "--json")
    *_, result = map(json.loads, output.splitlines())
    assert code == 0 and result["event"] == "result" and result["command"] == "share"
    assert result["bytes"] == out.stat().st_size and result["images"] == result["of"] == 36
    assert result["steps"] == [10, 20, 100] and result["thumbnails"] == 16
    assert opened(blob_in(out.read_text()))[0]["images"] == 36
