"""Going through a list in a real Spotlight with the keyboard alone: the order, what is on disk,
undo, a reload in the middle, and how many keys it takes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deciding import (
    ALL_IMAGES,
    PANEL,
    POSITION,
    all_saved,
    at,
    decided,
    open_list,
    ready,
    said,
    select,
    state,
)
from playwright.sync_api import Browser, Page, expect
from samples import write_splits
from serving import serving

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import read_history

pytestmark = pytest.mark.browser

IMAGES = 102
MAX_PRESSES = 130

DECIDED_BY = {"k": "keep", "r": "remove", "u": "unsure"}


INSIDE = """(card) => {
    const outer = card.getBoundingClientRect();
    const shown = card.querySelectorAll(
        "select, .review-picture, .review-label, .review-decide button, summary");
    return [...shown].map((one) => {
        const box = one.getBoundingClientRect();
        return box.width > 0 && box.left >= outer.left && box.right <= outer.right + 1 &&
            box.top >= outer.top && box.bottom <= outer.bottom + 1;
    });
}"""
"""Whether each of these lies inside the card."""


CUT = """(outer) => {
    const { innerWidth, innerHeight } = window;
    const seen = [...outer.querySelectorAll("button, input, img, .review-title > *, h3, h4")];
    return seen.filter((one) => {
        const { left, top, right, bottom } = one.getBoundingClientRect();
        const lies = left >= -1 && top >= -1
            && right <= innerWidth + 1 && bottom <= innerHeight + 1;
        const wraps = one.matches("button") && one.clientHeight > 40 && !one.querySelector("img");
        return !one.closest(".review-stage") && (!lies || wraps);
    }).map((one) => one.outerHTML.slice(0, 120));
}"""
"""What of the full window lies outside of the window, or needs two lines."""

SIZES = ((1280, 720), (1366, 768), (1600, 900), (1920, 1080))


class Keyboard:
    """Presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.count += 1


@pytest.fixture(scope="module")
def run(trainer_output: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("crowd")
    pictures = write_splits(folder / "pictures", train=IMAGES // 3)
    found = RunFolder(Path(shutil.copytree(trainer_output, folder / "run")))
    build(found, Request(dataset={"source": str(pictures), "split": "train"}))
    return found


@pytest.fixture(scope="module")
def address(run: RunFolder) -> Iterator[Any]:
    """Lets a browser in, once each."""
    options = ("--first", "--last", "--no-browser", "--run", run.path)
    with serving(*options) as started:
        yield lambda: started.address


@pytest.fixture
def page(browser: Browser, address: Any) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1366, "height": 768}) as context:
        page = context.new_page()
        page.goto(address())
        yield ready(page)


def focused(page: Page) -> str:
    """The name of the element that has the focus."""
    return str(
        page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
    )


def test_the_full_window_has_all_of_it_at_every_size(page: Page) -> None:
    window = page.locator("dialog.review-full")
    page.keyboard.press("f")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"innerWidth === {width}")
        expect(window.locator(".review-beside img")).to_have_count(12)
        assert window.evaluate(CUT) == [], (width, height)
        page.keyboard.press("l")
        field = window.get_by_label("New label")
        expect(field).to_be_focused()
        assert window.evaluate(CUT) == [], (width, height)
        field.press("Escape")
        page.keyboard.press("m")
        expect(window.get_by_label("Note", exact=True)).to_be_focused()
        page.keyboard.type("1:1 +")
        assert window.evaluate(CUT) == [], (width, height)
        page.keyboard.press("Escape")
        expect(window).to_be_focused()
        page.keyboard.press("?")
        expect(page.locator("dialog.review-keys")).to_be_focused()
        page.keyboard.press("Escape")
        expect(window).to_be_focused()
    stage = window.locator(".review-stage img")
    expect(stage).to_have_css("image-rendering", "auto")
    page.keyboard.press("+")
    expect(stage).to_have_css("image-rendering", "pixelated")
    window.get_by_text("1:1", exact=True).click()
    expect(window.locator(".review-scale")).to_have_text("100 %")
    page.keyboard.press("Escape")
    expect(window).to_have_count(0)


def test_a_hundred_images_with_keys_only(page: Page, run: RunFolder) -> None:
    scores = state(page, "Array.from(s.columnData.ood_last)")
    rows = sorted(range(IMAGES), key=lambda row: scores[row])
    keyboard = Keyboard(page)
    while focused(page) != "List":
        keyboard.press("Tab")
        assert keyboard.count < 200, "the menu of lists cannot be reached"
    menu = page.locator(PANEL).get_by_label("List", exact=True)
    keys = menu.evaluate("(one) => [...one.options].map(({ value }) => value)")
    steps = keys.index(ALL_IMAGES) - keys.index(menu.input_value())
    keyboard.press(*["ArrowDown" if steps > 0 else "ArrowUp"] * abs(steps), "Enter")
    at(page, f"1 of {IMAGES}")

    keyboard.count = 0
    expected: dict[int, str] = {}
    for place, row in enumerate(rows, start=1):
        key = "kru"[place % 3]
        keyboard.press(key)
        expected[row] = DECIDED_BY[key]
        at(page, f"{min(place + 1, IMAGES)} of {IMAGES}")
        if place == 30:
            keyboard.press("z")
            at(page, f"30 of {IMAGES}")
            keyboard.press("k")
            expected[row] = "keep"
            at(page, f"31 of {IMAGES}")
        if place == 50:
            page.reload()
            ready(page)
            at(page, f"51 of {IMAGES}")
    said(page, f"{IMAGES} of {IMAGES} decided")
    all_saved(page)
    assert keyboard.count == IMAGES + 2 <= MAX_PRESSES
    assert decided(page) == expected
    keyboard.press("z", "z")
    at(page, f"{IMAGES - 1} of {IMAGES}")
    all_saved(page)
    for row in rows[-2:]:
        del expected[row]

    images = read_images(run)
    assert images is not None
    history = read_history(run, print)
    held = {line.image_id: str(line.decision) for line in history.current().values()}
    assert held == {int(images.ids[row]): decision for row, decision in expected.items()}
    order = [
        line.image_id for line in history.lines if line.request and line.decision != "undecided"
    ]
    assert list(dict.fromkeys(order)) == [int(images.ids[row]) for row in rows]


def test_keys_are_never_swallowed(page: Page) -> None:
    open_list(page, ALL_IMAGES)
    page.keyboard.press("Home")
    at(page, f"1 of {IMAGES}")
    page.locator("[data-test-tag=checkpoint-slider] input").focus()
    page.keyboard.press("ArrowRight")  # the slider's
    at(page, f"1 of {IMAGES}")
    page.keyboard.press("n")
    page.keyboard.press("l")
    page.keyboard.type("re")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    at(page, f"1 of {IMAGES}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("r")  # nothing is decided behind it
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    expect(page.get_by_role("dialog", name="Full window")).to_be_visible()
    page.keyboard.press("End")
    at(page, f"{IMAGES} of {IMAGES}")
    page.keyboard.press("+")
    assert page.locator(".review-stage.review-zoomed").count() == 1
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Home")
    at(page, f"1 of {IMAGES}")


def test_keys_are_the_cards_after_a_list_a_menu_or_the_full_window(page: Page) -> None:
    card = page.locator(PANEL)
    menu = card.get_by_label("List", exact=True)
    menu.focus()
    menu.select_option(ALL_IMAGES)
    expect(card).to_be_focused()
    page.keyboard.press("Home")
    menu.focus()
    page.keyboard.press("ArrowRight")
    at(page, f"2 of {IMAGES}")
    page.keyboard.press("Escape")
    expect(card).to_be_focused()
    card.get_by_label("More", exact=True).click()
    page.keyboard.press("Escape")
    expect(card).to_be_focused()
    page.get_by_text("Lists", exact=True).first.click()
    page.locator(".rl-open").first.click()
    expect(card).to_be_focused()
    card.locator(".review-picture").focus()
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(card).to_be_focused()
    page.keyboard.press("Space")
    expect(card.locator(".review-mark")).to_be_visible()
    page.keyboard.press("Space")


def test_what_is_selected_can_be_gone_through(page: Page) -> None:
    open_list(page, "consensus")
    page.keyboard.press("Home")
    before = page.locator(f"{PANEL} .review-picture img").get_attribute("alt")
    select(page, [5, 6, 7])
    page.get_by_role("button", name="Selection (3)").click()
    at(page, "1 of 3")
    select(page, [50])
    at(page, "not in this list")
    page.keyboard.press("ArrowRight")
    at(page, "1 of 3")
    open_list(page, "consensus")
    expect(page.locator(POSITION)).to_have_text(re.compile("1 of"))
    assert page.locator(f"{PANEL} .review-picture img").get_attribute("alt") == before
    assert state(page, "Array.from(s.selectedIndices)") == [50], "which is no selection"


def test_nothing_that_is_needed_is_cut(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"innerWidth === {width}")
        page.wait_for_function(  # a card of another layout is drawn anew
            f"""() => {{
                const card = document.querySelector("{PANEL}");
                const inside = card ? ({INSIDE})(card) : [];
                return inside.length === 11 && inside.every(Boolean);
            }}"""
        )
