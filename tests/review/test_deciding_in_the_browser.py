"""Deciding in a real Spotlight in a real browser: what the page shows, decisions.jsonl and the
exported list say the same."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deciding import (
    PANEL,
    all_saved,
    at,
    decide,
    decided,
    opened,
    ready,
    said,
    select,
    state,
)
from playwright.sync_api import Browser, Page
from samples import CLASSES
from serving import serving

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import read_history

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def no_window_stays(browser: Browser) -> Iterator[None]:
    """It would go on asking a review that has ended."""
    yield
    for context in browser.contexts:
        context.close()


def in_window(browser: Browser, address: str) -> Page:
    """The page in a window of its own, at the list of all images."""
    return opened(browser.new_context(), address)


def test_mark_it_and_get_it_out(
    browser: Browser, run: RunFolder, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--first", "--last", "--run", run.path, "--no-browser", "--reviewer", "ada")
    with serving(*options) as started:
        page = in_window(browser, started.address)
        assert page.url == started.url, "nothing secret stays in the address bar"
        worst = sorted(range(36), key=lambda row: state(page, f"s.columnData.rank_last[{row}]"))
        at(page, "1 of 36")

        page.keyboard.press("l")  # relabel: search, Enter takes the first
        page.get_by_label("New label").fill("GRE" if label_of(page) != "green" else "RED")
        relabelled = page.locator(".review-class > :first-child").first.inner_text()
        page.get_by_label("New label").press("Enter")
        at(page, "2 of 36")
        for place in (2, 3):
            page.keyboard.press("r")
            at(page, f"{place + 1} of 36")
        page.keyboard.press("m")
        page.get_by_label("Note", exact=True).fill("<script>alert(1)</script> too dark")
        page.get_by_label("Note", exact=True).press("Enter")
        page.keyboard.press("u")
        at(page, "5 of 36")
        for _ in range(2):
            page.keyboard.press("ArrowLeft")
        at(page, "3 of 36")
        page.keyboard.press("k")
        page.keyboard.press("z")  # takes the keep back: removed again, and shown again
        at(page, "3 of 36")
        expected = {worst[0]: "relabel", worst[1]: "remove", worst[2]: "remove", worst[3]: "unsure"}
        said(page, "4 of 36 decided")
        said(page, "Taken back")
        assert decided(page) == expected
        page.keyboard.press("n")
        at(page, "5 of 36")  # the next one that nobody has decided about

        page.evaluate("""() => { const s = spotlight.useDataset.getState();
            const column = s.columnsByKey.decision;
            s.addFilter(new spotlight.PredicateFilter(column, { shortName: "==", compare: (value,
                reference) => value === reference },
                column.type.categories.remove)); }""")
        assert sorted(state(page, "Array.from(s.filteredIndices)")) == sorted(worst[1:3])

        page.reload()
        ready(page)
        at(page, "5 of 36")
        said(page, "4 of 36 decided")
        assert decided(page) == expected

        other = in_window(browser, started.address)  # a second window: sees it, and is seen
        said(other, "4 of 36 decided")
        assert decided(other) == expected
        decide(other, worst[5:6], "d", is_asked=True)
        said(page, "5 of 36 decided")
        assert decided(page) == expected | {worst[5]: "duplicate"}

        select(page, [worst[7], worst[6]])
        page.get_by_role("button", name="Selection (2)").click()
        page.get_by_label("More", exact=True).click()
        page.get_by_label("Name of the list").fill("for Ada & <b>Bob</b>")
        page.get_by_label("Name of the list").press("Enter")
        all_saved(page)
        said(page, "Saved")

    history = read_history(run, print)
    current = {line.image_id: line for line in history.current().values()}
    ids = state_ids(run)
    assert {ids.index(image): str(line.decision) for image, line in current.items()} == expected | {
        worst[5]: "duplicate"
    }
    first = current[ids[worst[0]]]
    assert (first.new_label, first.reviewer, first.checkpoints) == (relabelled, "ada", (10, 100))
    assert current[ids[worst[3]]].note == "<script>alert(1)</script> too dark"
    assert list(history.saved_lists()) == ["for Ada & <b>Bob</b>"]
    code, _, errors = review_embeddings("export", "--run", run.path, "--top", "2")
    assert code == 0, errors
    with (run.exports / "outliers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["image_id"]): row["decision"] for row in rows if row["decision"]} == {
        i: line.decision for i, line in current.items()
    }
    assert len(rows) == 5 + 2

    code, _, errors = review_embeddings(
        "apply", "--run", run.path, "--out", run.path.parent / "cleaned"
    )
    assert code == 0, errors
    import datasets

    cleaned = datasets.load_from_disk(str(run.path.parent / "cleaned"))["train"]
    gone = [ids[worst[1]], ids[worst[2]]]  # the duplicate has no second copy: it stays
    assert len(cleaned) == 36 - 2
    before = [
        CLASSES[place // 12] for place in range(36)
    ]  # an image folder: 12 of each class, in order
    before[ids[worst[0]]] = relabelled
    expected_labels = [label for place, label in enumerate(before) if place not in gone]
    assert [
        cleaned.features["label"].int2str(label) for label in cleaned["label"]
    ] == expected_labels


def label_of(page: Page) -> str:
    """The label that the card shows."""
    return page.locator(f"{PANEL} .review-label").inner_text()


def state_ids(run: RunFolder) -> list[int]:
    from review_embeddings.pipeline.images.runimages import read_images

    images = read_images(run)
    assert images is not None
    return list(images.ids.tolist())


def test_without_the_token_nothing_is_told_and_a_second_review_follows_the_first(
    browser: Browser, run: RunFolder
) -> None:
    options = ("--first", "--last", "--run", run.path, "--no-browser")
    with serving(*options) as started:
        page = browser.new_page()
        page.goto(started.url)
        page.wait_for_selector("text=pen the address that the terminal printed")
        assert not read_history(run, print).lines
        page = in_window(browser, started.address)
        with serving(*options) as another:
            second = in_window(browser, another.address)
            decide(page, [4], "k")
            said(second, "1 of 36 decided")
            decide(second, [5], "r")
            said(page, "2 of 36 decided")
            assert decided(page) == decided(second) == {4: "keep", 5: "remove"}
        said(second, "the server does not answer")


def test_a_run_in_a_store_is_reviewed_there(browser: Browser, bucket: Any, built_run: Path) -> None:
    store, name = bucket
    for folder in [
        built_run,
        *(
            path
            for path in built_run.iterdir()
            if path.is_dir() and path.name not in {"cache", "checkpoint-10"}
        ),
    ]:
        within = folder.relative_to(built_run).as_posix().strip(".")
        for file in (
            path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
        ):
            store.put_file(str(file), f"{name}/runs/new/{within}/{file.name}".replace("//", "/"))
    address = f"s3://{name}/runs/new"
    with serving("--first", "--last", "--run", address, "--no-browser") as started:
        page = in_window(browser, started.address)
        decide(page, [3, 5], "r")
        all_saved(page)
        assert decided(page) == {3: "remove", 5: "remove"}
        store.invalidate_cache()
        assert store.cat_file(f"{name}/runs/new/decisions.jsonl").count(b"\n") == 2
