"""A second look in a real Spotlight in a real browser: nothing of the other's decision before one
has decided, both after it, and a difference in the list of disputes."""

from __future__ import annotations

import pytest
from deciding import PANEL, all_saved, at, open_list, ready, said, state, unsaid
from playwright.sync_api import Browser
from serving import serving

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages

pytestmark = pytest.mark.browser

HIDDEN = "decided by another, shown once you have decided"


def test_the_other_decision_is_shown_once_one_has_decided(browser: Browser, run: RunFolder) -> None:
    images = read_images(run)
    assert images is not None
    reviewed = ReviewedImages.of(images)
    with writing(run, print) as log:
        log.append(reviewed.decide([3, 8], "remove", reviewer="zoe", note="torn corner"))
    options = ("--first", "--last", "--run", run.path, "--no-browser")
    with serving(*options, "--second-look", "--reviewer", "bob") as started:
        page = browser.new_context().new_page()
        page.goto(started.address)
        ready(page)
        at(page, "1 of 2")  # all images of the page
        said(page, HIDDEN)
        assert state(page, "Array.from(s.columnData.image_id)") == [3, 8]
        assert state(page, "new Set(s.columnData.decision).size") == 1
        whole = page.content()
        assert "zoe" not in whole and "torn" not in whole
        page.keyboard.press("k")
        at(page, "2 of 2")
        said(page, HIDDEN)
        page.keyboard.press("r")
        all_saved(page)
        said(page, "✓ remove by zoe, bob")
        page.keyboard.press("ArrowLeft")
        said(page, "disputed: zoe: remove · bob: keep")
        unsaid(page, HIDDEN)
        open_list(page, "disputed")
        at(page, "1 of 1")
        said(page, "0 of 1 resolved")
        page.keyboard.press("r")
        said(page, "1 of 1 resolved")
        page.locator(f"{PANEL} details.review-more").evaluate("(menu) => { menu.open = true; }")
        page.get_by_role("button", name="Agreement of the reviewers …").click()
        row = page.locator(".review-agreement tr", has_text="all images")
        assert row.inner_text().split() == ["all", "images", "bob,", "zoe", "2", "1", "–"]
        page.context.close()
