"""Two runs beside each other in a real Spotlight in a real browser: whose each map is, what both
predict of an image, and the class view of both and of their difference."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from deciding import PANEL, all_saved, decided, open_list, ready
from playwright.sync_api import Browser, Locator, Page, expect
from samples import save_checkpoint
from serving import serving

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.comparison.pairedruns import PairedRuns, pair_runs
from review_embeddings.review.decisions.log import read_history

pytestmark = pytest.mark.browser

CLASSES = "[data-test-tag=review-classes]"


@pytest.fixture
def paired(run: RunFolder, image_folder: Path, tmp_path: Path) -> PairedRuns:
    images = Path(shutil.copytree(image_folder, tmp_path / "images"))
    (images / "blue/00.png").unlink()
    other = RunFolder(tmp_path / "other-seed")
    save_checkpoint(other.path / "checkpoint-40", seed=4, step=40)
    build(other, Request(dataset={"source": str(images), "split": "train"}))
    return pair_runs([run, other])


def test_two_runs_beside_each_other(browser: Browser, paired: PairedRuns) -> None:
    first, other = paired.runs
    arguments = ("--first", "--last", "--run", first.run.path, "--with", other.run.path)
    with serving(*arguments, "--no-browser", "--reviewer", "ada") as started:
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        page.goto(started.address)
        ready(page)
        _check_maps(page)
        _check_card(page)
        _check_classes(page, paired)
        page.get_by_text("Review", exact=True).click()
        page.keyboard.press("u")
        all_saved(page)
        assert len(decided(page)) == 1
    assert len(read_history(first.run, print).current()) == 1
    assert not other.run.decisions.exists()


def _check_maps(page: Page) -> None:
    """Each says whose it is; that of the other run how it fits."""
    maps = [page.locator(f"[data-test-tag=map-{index}]") for index in range(4)]
    for shown in maps[:3]:
        expect(shown).to_contain_text(re.compile("^A run"))
    expect(maps[3]).to_contain_text(re.compile("^B other-seed"))
    expect(maps[3]).to_contain_text("Last · step 40")
    note = maps[3].locator("[data-test-tag=map-note]")
    expect(note).to_contain_text(re.compile(r"disparity 0\.\d\d.*CKA.*neighbours shared"))
    expect(note).to_be_in_viewport()


def _check_card(page: Page) -> None:
    """The image that both have, with what both predict and the neighbours of both."""
    open_list(page, "disagree")
    card = page.locator(PANEL)
    own = card.get_by_role("region", name=re.compile(r"^A run · step 100"))
    theirs = card.get_by_role("region", name=re.compile(r"^B other-seed · step 40"))
    for shown in (own, theirs):
        expect(shown).to_be_visible()
        expect(shown.locator("img").first).to_be_visible()
    signs = {text[0] for text in (_prediction(own), _prediction(theirs))}
    assert signs <= {"✓", "✗"}
    assert _prediction(own)[2:].split(":")[0] != _prediction(theirs)[2:].split(":")[0]


def _prediction(end: Locator) -> str:
    return end.locator("[title^=Predicted]").inner_text()


def _check_classes(page: Page, paired: PairedRuns) -> None:
    """Counts of both, and of their difference, are those of the tables."""
    page.get_by_text("Classes", exact=True).click()
    view = page.locator(CLASSES)
    right = paired.predictions == paired.labels[0]
    menu = view.get_by_label("Run of the class view")
    menu.select_option("1")  # the other run
    expect(view).to_contain_text(f"{round(100 * right[1].mean())} % of the 35 reviewed images")
    menu.select_option("2")  # against the page's own
    difference = 100 * (right[1].mean() - right[0].mean())
    expect(view).to_contain_text(f"accuracy {difference:+.1f} points")
    view.get_by_role("tab", name="By class").click()
    only_first = int(np.sum(right[0] & ~right[1]))
    rows = view.locator("tbody tr")
    expect(rows).to_have_count(3)
    counts = [int(rows.nth(at).locator("button").nth(0).inner_text()) for at in range(3)]
    assert sum(counts) == only_first
    button = rows.locator("button:enabled").first
    count = button.inner_text()
    button.click()
    position = page.locator(f"{PANEL} [data-test-tag=review-position]")
    expect(position).to_have_text(f"1 of {count}")
