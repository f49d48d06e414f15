"""What goes wrong beside a page, in a real browser with a real Spotlight: the review is killed, its
folder is deleted, its run is built anew or moved away, answers fail or are a stranger's. It says so
and goes on, and nothing that was decided is lost."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deciding import PANEL, all_saved, decide, kept, opened, ready, said, state, unsaid
from nodetests import TESTS
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from restarting import Review, decisions_of
from sharing import blob_of
from tables import write_made_table

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder

pytestmark = pytest.mark.browser

ROUTES = "**/api/review/**"

DECISIONS = "**/api/review/decisions*"

STEP = "[data-test-tag=checkpoint-slider-step]"


@pytest.fixture(scope="module")
def run(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(Path(shutil.copytree(built_run, tmp_path_factory.mktemp("one") / "run")))


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as made:
        yield made


def failing(route: Route) -> None:
    """The server answers with a fault."""
    route.fulfill(status=500, body="Internal Server Error")


def log_in(route: Route) -> None:
    """A proxy answers in its place."""
    route.fulfill(status=200, content_type="text/html", body="<h1>Log in</h1>")


def not_saving(route: Route) -> None:
    """All is answered but what is to be saved."""
    failing(route) if route.request.method == "POST" else route.continue_()


def go(page: Page, row: int) -> None:
    """Make an image the current one, as a click on it in a map does."""
    state(page, "s.selectRows([])")
    state(page, f"s.selectRows([{row}])")


def card_of(page: Page) -> str:
    return page.locator("[data-test-tag=review-why]").inner_text()


def test_a_hundred_decisions_outlive_a_reload_and_a_restart(
    context: BrowserContext, run: RunFolder, review: Review
) -> None:
    context.route(DECISIONS, not_saving)
    page = opened(context, review.address(run))
    keys = ["kru"[number % 3] for number in range(100)]
    page.evaluate(
        """(keys) => keys.forEach((key, number) => {
            const s = spotlight.useDataset.getState();
            s.selectRows([]);
            s.selectRows([number % 36]);
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        })""",
        keys,
    )
    said(page, "Not saved, 100 decisions: the server answers 500.")
    page.reload()
    ready(page)
    said(page, "Not saved, 100 decisions")
    assert kept(page) == 100 and decisions_of(run) == []
    review.kill()
    context.unroute(DECISIONS, not_saving)
    page.goto(review.address(run))
    ready(page)
    all_saved(page)
    unsaid(page, "ot saved")
    lines = decisions_of(run)
    words = {"k": "keep", "r": "remove", "u": "unsure"}
    assert [line["decision"] for line in lines] == [words[key] for key in keys]
    assert set(Counter(line["request"] for line in lines).values()) == {1}


def test_a_session_goes_on_when_its_folder_is_gone(
    context: BrowserContext, run: RunFolder, review: Review
) -> None:
    """Cleaners delete what is some days old among temporary files."""
    page = opened(context, review.address(run))
    title, lists = state(page, "s.filename"), page.locator(f"{PANEL} option").count()
    shutil.rmtree(review.folder)
    page.reload()
    ready(page)
    page.wait_for_function(
        "(title) => spotlight.useDataset.getState().filename === title", arg=title
    )
    assert page.locator(f"{PANEL} option").count() == lists > 3
    step = page.locator(STEP).inner_text()
    page.locator("[data-test-tag=checkpoint-slider] input").fill("0")
    expect(page.locator(STEP)).to_have_text("step 10")
    assert step == "step 20" and "Outlier percentile" in card_of(page)
    before = len(decisions_of(run))
    decide(page, [3], "k")
    page.wait_for_function("(text) => document.body.textContent.includes(text)", arg="Saved")
    all_saved(page)
    assert len(decisions_of(run)) == before + 1
    opened(context, review.address(run))  # an address that is made now


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failing, "the server answers 500"),
        (log_in, "something else than the review answers here, such as a login page"),
    ],
)
def test_what_cannot_be_shown_is_said_and_comes_by_itself(
    answer: Any, reason: str, context: BrowserContext, run: RunFolder, review: Review
) -> None:
    """Nothing but decisions is answered; decisions are."""
    page = opened(context, review.address(run))
    before, shown = len(decisions_of(run)), page.locator(STEP).inner_text()

    def others(route: Route) -> None:
        route.continue_() if "/decisions" in route.request.url else answer(route)

    page.route(ROUTES, others)
    go(page, 30)
    said(page, "Not shown, ")
    said(page, f": {reason}.")
    page.locator("[data-test-tag=checkpoint-slider] input").fill("2")
    page.wait_for_function(
        "(reason) => document.querySelector('[data-test-tag=checkpoint-slider]')"
        ".textContent.includes(reason)",
        arg=reason,
    )
    assert page.locator(STEP).inner_text() == shown, "the step of the values that are shown"
    page.keyboard.press("u")
    all_saved(page)
    assert len(decisions_of(run)) == before + 1
    page.unroute(ROUTES, others)
    unsaid(page, "Not shown, ")


def test_a_laptop_that_was_offline_sends_what_it_kept(
    context: BrowserContext, run: RunFolder, review: Review
) -> None:
    page = opened(context, review.address(run))
    before = len(decisions_of(run))
    context.set_offline(True)
    for row, key in ((5, "k"), (6, "r")):
        decide(page, [row], key)
    said(page, "Not saved, 2 decisions: the server does not answer.")
    context.set_offline(False)
    all_saved(page)
    unsaid(page, "ot saved")
    assert len(decisions_of(run)) == before + 2


def test_every_promise_of_table_and_server_is_kept_in_spotlight_and_by_a_blob(
    context: BrowserContext, run: RunFolder, review: Review, tmp_path: Path
) -> None:
    source = (TESTS / "contract.js").read_text(encoding="utf-8").replace('"page/', '"./')
    page = opened(context, review.address(run))
    page.route(
        "**/contract.js",
        lambda route: route.fulfill(content_type="text/javascript", body=source),
    )
    broken = page.evaluate(
        """async () => {
            const at = "/api/plugins/review_embeddings/";
            const { broken } = await import(`${at}contract.js`);
            const { spotlightTable } = await import(`${at}spotlight/table.js`);
            const { reviewServer } = await import(`${at}server.js`);
            return broken(() => ({
                table: spotlightTable(spotlight), server: reviewServer(localStorage),
                numbers: "image_id", categories: "label", writable: "x_now", steps: 3,
            }));
        }"""
    )
    assert broken == []
    broken, sizes = page.evaluate(
        """async (text) => {
            const at = "/api/plugins/review_embeddings/";
            const { broken } = await import(`${at}contract.js`);
            const { openReview } = await import(`${at}blob/open.js`);
            const make = async () => ({
                ...(await openReview(...text.split(","), { setTitle() {}, notify() {} })),
                numbers: "image_id", categories: "label", writable: "x_now", steps: 3,
            });
            const { table } = await make();
            const sizes = [0, 33].map(async (row) => {
                const image = Object.assign(new Image(), { src: table.picture(row) });
                await image.decode();
                return [image.naturalWidth, image.naturalHeight];
            });
            return [await broken(make), await Promise.all(sizes)];
        }""",
        blob_of(run.path, tmp_path),
    )
    assert broken == []
    assert sizes == [[8, 8], [8, 8]], "cut out of sheets"


def test_a_run_that_is_moved_away_is_missed_and_what_was_read_is_shown(
    context: BrowserContext, run: RunFolder, review: Review, tmp_path: Path
) -> None:
    page = opened(context, review.address(run))
    go(page, 7)
    before = len(decisions_of(run))
    run.path.rename(tmp_path / "elsewhere")
    go(page, 8)
    page.wait_for_function(f"document.querySelector('{PANEL}').textContent.includes('#8')")
    assert "Outlier percentile" in card_of(page)
    page.keyboard.press("r")
    said(page, "Not saved, 1 decision: ")
    said(page, "is not there any more")
    (tmp_path / "elsewhere").rename(run.path)
    all_saved(page)
    unsaid(page, "ot saved")
    assert len(decisions_of(run)) == before + 1


def test_a_run_that_is_built_anew_is_said_and_the_page_shows_what_it_was(
    context: BrowserContext, run: RunFolder, review: Review
) -> None:
    page = opened(context, review.address(run))
    images = read_images(run)
    assert images is not None
    write_made_table(run, images, [10, 100], np.random.default_rng(1))
    page.reload()
    ready(page)
    said(page, "This page is older than the run, which was built again.")
    go(page, 9)
    page.wait_for_function(f"document.querySelector('{PANEL}').textContent.includes('#9')")
    assert "step 20" in page.locator(STEP).inner_text()
    unsaid(page, "Not shown, ")
    before = len(decisions_of(run))
    page.keyboard.press("k")
    all_saved(page)
    assert len(decisions_of(run)) == before + 1
