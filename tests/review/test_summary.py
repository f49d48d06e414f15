"""The page about a run: what it says, in a terminal and in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.training import log as trainlog
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.report.summary import as_html, as_text, summarize

CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    folder = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    log = trainlog.TrainingLog(folder.log)
    log.begin(0)
    log.add(10, {"loss": 2.5})
    log.add(100, {"loss": 0.25, "eval_accuracy": 0.75})
    return folder


def test_the_lists_are_those_of_the_table(run: RunFolder, review_embeddings: CommandLine) -> None:
    made, images = summarize(run, note=print)
    last = table.read(run, checkpoints=[100])
    with writing(run, print) as writer:
        writer.append(ReviewedImages.of(images).decide([3, 4, 5], "remove", reviewer="ada"))
    code, text, errors = review_embeddings("summary", "--run", run.path)
    assert code == 0, errors
    assert "36 in 3 classes" in text and "3, step 10 to 100" in text and "3 remove" in text
    assert "2.500 at step 10, 0.250 at step 100" in text and "0.750 at step 100 (training's" in text
    worst = last.sort_values("ood_rank")["image_id"].head(8).tolist()
    assert made.lists["worst"].heading == "Worst 8 of last (step 100)"
    assert [image.image_id for image in made.lists["worst"].images] == worst
    suspects = last[last["trajectory_label_score"] < 0.5].sort_values("trajectory_label_rank")
    listed = made.lists["labels"].images if "labels" in made.lists else []
    assert [image.image_id for image in listed] == suspects["image_id"].head(8).tolist()
    assert (
        "judged by head and leave-one-out together at all checkpoints, for the images were trained "
        "on; each checkpoint alone by its head"
    ) in " ".join(text.split())
    assert [int(word) for word in re.findall(r"^ +(\d+)  (?:red|green|blue)", text, re.MULTILINE)][
        :8
    ] == worst
    became = last[last["outlier_life"] == "emergent"].sort_values("ood_rank")
    new = made.lists["new"]
    assert new.size == len(became) > 0
    assert [(image.image_id, image.note) for image in new.images] == [
        (int(image_id), f"new among the outliers since step {since}")
        for image_id, since in zip(became["image_id"], became["outlier_since"], strict=True)
    ][:8]


@pytest.mark.browser
def test_the_page_stands_alone_and_shows_its_pictures(
    chromium: str, run: RunFolder, review_embeddings: CommandLine
) -> None:
    code, output, errors = review_embeddings("summary", "--html", "--run", run.path)
    path = run.exports / "summary.html"
    assert code == 0 and str(path) in output, errors
    assert not re.search(r'(src|href)="(?!data:|#)', path.read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on(
            "request",
            lambda request: (
                problems.append(request.url)
                if not request.url.startswith(("file:", "data:"))
                else None
            ),
        )
        page.goto(path.as_uri())
        assert page.locator("h1").inner_text() == "run"
        assert "over all checkpoints" in page.locator("body").inner_text()
        assert page.locator("figure").count() >= 24
        assert page.evaluate(
            "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        )
        assert problems == []
        browser.close()


def test_names_of_the_data_set_are_no_html(run: RunFolder) -> None:
    made, images = summarize(run, note=print)
    for listed in made.lists.values():
        listed.images[:] = [
            replace(one, label="<script>alert(1)</script>", note='"><img src=x>')
            for one in listed.images
        ]
    page = as_html(made, images)
    assert "<script" not in page and "<img src=x" not in page and "&lt;script&gt;" in page


def test_without_labels_log_and_other_checkpoints(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(trainer_output, tmp_path / "run")))
    build(
        run,
        Request(
            dataset={"source": str(image_folder), "split": "train", "label_column": "none"},
            wanted=["last"],
        ),
    )
    made, images = summarize(run, note=print)
    assert not {"labels", "new", "resolved", "persistent", "consensus"} & set(made.lists)
    assert "no label" in as_html(made, images)


def test_what_cannot_be_summarized(
    run: RunFolder, trainer_output: Path, review_embeddings: CommandLine
) -> None:
    code, _, errors = review_embeddings("summary", "--run", trainer_output)
    assert code == 2 and "has no table yet" in errors
    code, _, errors = review_embeddings("summary", "--run", run.path, "--out", "x.html")
    assert code == 2 and "Add --html" in errors


def test_of_one_checkpoint_nothing_is_said_of_several(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(trainer_output / "checkpoint-10", tmp_path / "run" / "checkpoint-10")
    run = RunFolder(tmp_path / "run")
    build(run, Request(dataset={"source": str(image_folder), "split": "train"}))
    made, images = summarize(run, note=print)
    text, html = as_text(made), as_html(made, images)
    assert "1, step 10\n" in text and "step 10 to 10" not in text
    for page in (text, html):
        assert not re.search("over the run|best checkpoints|each checkpoint|all checkpoints", page)
    assert "Rank correlation" not in html
