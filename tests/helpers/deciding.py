"""A page in a real browser on which images are decided about: opens it, and reads what it shows."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import BrowserContext, Page

PANEL = "[data-test-tag=review-panel]"
STATUS = "[data-test-tag=review-status]"
POSITION = f"{PANEL} [data-test-tag=review-position]"

ALL_IMAGES = "page-filtered"
"""Key of the list of all images, while no filter is set."""


def ready(page: Page) -> Page:
    """Once the images and what was decided about them are there."""
    page.wait_for_function("globalThis.spotlight && spotlight.useDataset.getState().length > 0")
    page.wait_for_selector(f"{PANEL} button[aria-keyshortcuts=k]:enabled")
    return page


def opened(context: BrowserContext, address: str) -> Page:
    """A new tab with the page."""
    page = context.new_page()
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(address)
    open_list(ready(page), ALL_IMAGES)
    return page


def open_list(page: Page, key: str) -> None:
    """Choose a list in the menu of the card."""
    page.locator(PANEL).get_by_label("List", exact=True).select_option(key)


def at(page: Page, position: str) -> None:
    """Wait until the card says that this is where one is in the list."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent === text",
        arg=[POSITION, position],
    )


def state(page: Page, expression: str) -> Any:
    """Something of Spotlight's store, which is called ``s``."""
    return page.evaluate(
        f"() => {{ const s = spotlight.useDataset.getState(); return {expression}; }}"
    )


def select(page: Page, rows: list[int]) -> None:
    """Select rows, as a click does."""
    state(page, f"s.selectRows({json.dumps(rows)})")


def decide(page: Page, rows: list[int], key: str, *, is_asked: bool = False) -> None:
    """Select rows, mark them all if they are several, and press a key; with ``is_asked``, say that
    it is meant, as for a duplicate that is no copy."""
    select(page, [])
    select(page, rows)
    if len(rows) > 1:
        open_list(page, ALL_IMAGES)  # an undo opens the list in which it was decided
        page.locator(PANEL).get_by_role("button", name=f"Selection ({len(rows)})").click()
        menu = page.locator(f"{PANEL} details.review-more")
        menu.evaluate("(menu) => { menu.open = true; }")  # it may be open from before
        page.get_by_role("button", name=f"Mark all {len(rows)} images").click()
    page.keyboard.press(key)
    if is_asked:
        page.locator("dialog.review-question .review-main").click()
    if len(rows) > MANY:
        page.get_by_role("button", name=f": {len(rows)} images").click()
    if len(rows) > 1:
        open_list(page, ALL_IMAGES)


def decided(page: Page) -> dict[int, str]:
    """Row and decision of every image that has one, from the table's columns."""
    names = state(page, "s.columnsByKey.decision.type.invertedCategories")
    codes = state(page, "Array.from(s.columnData.decision)")
    found = {row: names[str(code)] for row, code in enumerate(codes)}
    return {row: name for row, name in found.items() if name != "undecided"}


def said(page: Page, text: str) -> None:
    """Wait until the panel says this."""
    page.wait_for_function(
        "([panel, text]) => document.querySelector(panel)?.textContent.includes(text)",
        arg=[PANEL, text],
    )


def unsaid(page: Page, text: str) -> None:
    """Wait until the panel does not say this any more."""
    page.wait_for_function(
        "([panel, text]) => !document.querySelector(panel)?.textContent.includes(text)",
        arg=[PANEL, text],
    )


MANY = 20
"""More images than these are asked about before they are decided at once."""

KEPT = (
    "Object.keys(localStorage).filter((key) => key.startsWith('review-embeddings-outbox:')).length"
)


def kept(page: Page) -> int:
    """How many messages the browser keeps because they are not saved yet."""
    return int(page.evaluate(KEPT))


def all_saved(page: Page) -> None:
    """Wait until the browser keeps none."""
    page.wait_for_function(f"{KEPT} === 0")
