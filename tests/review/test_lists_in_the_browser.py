"""Saved lists, the class view and new classes in a real Spotlight in a real browser: what is done
there is on disk, and there again after a reload."""

from __future__ import annotations

import re

import pytest
from deciding import PANEL, all_saved, at, decided, opened, ready, said, state
from playwright.sync_api import Browser, Page, expect
from serving import serving

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import read_history

pytestmark = pytest.mark.browser

LISTS = "[data-test-tag=review-lists]"
CLASSES = "[data-test-tag=review-classes]"


def saved(run: RunFolder) -> dict[str, list[str]]:
    return read_history(run, print).saved_lists()


def type_name(page: Page, name: str) -> None:
    page.locator(f"{LISTS} .rl-form input").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator(f"{LISTS} .rl-open", has_text=name)).to_be_visible()
    all_saved(page)


def test_lists_and_classes(browser: Browser, run: RunFolder) -> None:
    images = read_images(run)
    assert images is not None
    options = ("--first", "--last", "--run", run.path, "--no-browser", "--reviewer", "ada")
    with serving(*options) as started:
        page = opened(browser.new_context(), started.address)
        at(page, "1 of 36")
        lists = page.locator(f"{LISTS} .rl-open")

        page.locator(f"{LISTS} .rl-save").click()
        type_name(page, "all & <b>")
        (name,) = saved(run)
        assert name == "all & <b>" and len(saved(run)[name]) == 36
        lists.filter(has_text=name).click()
        page.keyboard.press("End")
        lists.filter(has_text=name).press("F2")
        type_name(page, "everything")
        assert list(saved(run)) == ["everything"]

        page.reload()
        ready(page)
        expect(lists.filter(has_text="everything")).to_have_attribute("aria-current", "true")
        lists.filter(has_text="everything").press("Delete")
        page.get_by_role("button", name="Remove “everything”").click()
        expect(lists.filter(has_text="everything")).to_contain_text("Removed; here until")
        all_saved(page)
        assert saved(run) == {}
        page.locator("body").press("z")
        page.get_by_role("button", name="Undo for “everything”").click()
        said(page, "List “everything”: undone")
        expect(lists.filter(has_text="everything")).to_contain_text("Saved by ada")
        assert list(saved(run)) == ["everything"]

        # a cell of the class view is a list
        page.get_by_text("Classes", exact=True).click()
        cell = page.locator(f"{CLASSES} td.rc-cell:not(.rc-empty)").first
        count = cell.inner_text()
        cell.click()
        at(page, f"1 of {count}")
        title = cell.get_attribute("title")
        assert title is not None and title.endswith(f": {count}")

        expect(page.locator(PANEL)).to_be_visible()  # before the class view
        expect(page.locator(PANEL)).to_contain_text(re.compile("labelled .*, predicted .* at step"))

        # a new class, from the card to the table and the disk
        page.keyboard.press("l")
        page.get_by_label("New label").fill("pink")
        page.get_by_label("New label").press("Enter")
        page.get_by_role("button", name="Add").click()
        all_saved(page)
        (row,) = [row for row, kind in decided(page).items() if kind == "relabel"]
        code = state(page, f"s.columnData.new_label[{row}]")
        shown = state(page, f"s.columnsByKey.new_label.type.invertedCategories[{code}]")
    info = run.read_info()
    assert info is not None and info.added_classes == ["pink"] and shown == "pink"
    (line,) = read_history(run, print).current().values()
    assert (line.decision, line.new_label, line.image_hash) == (
        "relabel",
        "pink",
        images.hashes[row],
    )
