"""The page as people see it: in windows of all sizes, arranged by somebody, in the dark, by keys
alone, and with Spotlight's own parts at work."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from boxes import FAULTS, faults_of
from deciding import PANEL, state
from playwright.sync_api import Browser, Page, expect
from samples import need
from serving import Serving, serving

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.frontend import WIDGETS

pytestmark = pytest.mark.browser

WIDE, HIGH = 1600, 900

TABSET = ".flexlayout__tabset"
MAPS = 3
"""Of the run that is served: first, slider, last."""

SAVED = "**/api/layout/"

TITLES = [
    ["First: step 10"],
    ["Slider"],
    ["Last: step 100"],
    [
        "Review",
        "Images",
        "Selected images",
        "Neighbours",
        "Checkpoints",
        "Classes",
        "OOD score, last",
        "OOD score, first",
    ],
    ["Lists"],
]
"""Of our layout in a window of the usual size, panel by panel."""


@pytest.fixture(scope="module")
def opened(browser: Browser, served: Serving) -> Iterator[Page]:
    """One page for all tests: opening one takes seconds."""
    with browser.new_context(viewport={"width": WIDE, "height": HIGH}) as context:
        page = context.new_page()
        page.goto(served.address)
        ready(page)
        yield page


@pytest.fixture
def page(opened: Page) -> Iterator[Page]:
    """The page with our layout in the window's usual size; a test that changes more than these
    puts it right itself."""
    yield opened
    opened.evaluate("document.documentElement.style.fontSize = ''")
    opened.set_viewport_size({"width": WIDE, "height": HIGH})
    opened.emulate_media(color_scheme="light")
    if titles(opened) != TITLES:
        opened.evaluate("fetch('api/layout/reset', { method: 'PUT' })")
        opened.reload()
        ready(opened)


def ready(page: Page) -> None:
    page.wait_for_selector(f"{PANEL} button[aria-keyshortcuts=k]:enabled")


def is_arranged(page: Page, panels: int) -> None:
    page.wait_for_function(
        "([selector, count]) => document.querySelectorAll(selector).length === count",
        arg=[TABSET, panels],
    )
    ready(page)


def titles(page: Page) -> list[list[str]]:
    """The titles of the tabs, panel by panel."""
    return list(
        page.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].map((panel) =>
            [...panel.querySelectorAll(".flexlayout__tab_button_content")].map(
                (title) => title.textContent))""",
            TABSET,
        )
    )


def test_nothing_is_cut_in_windows_of_any_size(page: Page) -> None:
    for width, height in ((1920, 1080), (1600, 900), (1366, 768), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        is_arranged(page, MAPS + (1 if width <= 1366 else 2))
        assert faults_of(page) == [], (width, height)


def test_nothing_is_cut_with_larger_text(page: Page) -> None:
    page.evaluate("document.documentElement.style.fontSize = '20px'")
    for width, height, panels in ((1920, 1080, MAPS + 2), (1599, 900, MAPS + 1)):
        page.set_viewport_size({"width": width, "height": height})
        is_arranged(page, panels)
        assert faults_of(page) == [], (width, height)


def test_what_measures_the_boxes_finds_what_is_cut(page: Page) -> None:
    keep = page.locator(f"{PANEL} button[aria-keyshortcuts=k]")
    keep.evaluate("(one) => { one.style.marginLeft = '3000px'; }")
    assert any("keep" in fault for fault in page.evaluate(FAULTS))
    keep.evaluate("(one) => { one.style.marginLeft = ''; }")


def test_maps_are_above_the_image_below_and_the_lists_beside_it(page: Page) -> None:
    assert titles(page) == TITLES
    assert state(page, "s.selectedIndices.length") == 0
    assert state(page, "s.highlightedIndices.length") == 1
    page.set_viewport_size({"width": 1366, "height": 768})
    is_arranged(page, MAPS + 1)
    assert titles(page)[-1] == [*TITLES[-2], *TITLES[-1]]


def heights(page: Page) -> list[int]:
    """Of the panels."""
    return list(
        page.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].map((panel) =>
            Math.round(panel.getBoundingClientRect().height))""",
            TABSET,
        )
    )


def drag_splitter(page: Page) -> list[int]:
    """Make the maps higher; the heights then."""
    before = heights(page)
    bars = [one.bounding_box() for one in page.locator(".flexlayout__splitter").all()]
    bar = next(bar for bar in bars if bar and bar["width"] == WIDE)
    with page.expect_response(SAVED):
        page.mouse.move(WIDE / 2, bar["y"])
        page.mouse.down()
        page.mouse.move(WIDE / 2, bar["y"] + 90, steps=4)
        page.mouse.up()
    after = heights(page)
    assert after[0] > before[0] + 50
    return after


def test_a_changed_layout_stays_until_it_is_reset(page: Page) -> None:
    ours = heights(page)
    arranged = drag_splitter(page)

    page.reload()
    ready(page)
    assert heights(page) == arranged, "after a reload"

    with page.expect_response(SAVED):
        page.evaluate("spotlight.useDataset.setState({ uid: 'of the next table' })")
    ready(page)
    assert heights(page) == arranged, "with a table that is read anew, as while a run is watched"

    (kept,) = (Path(os.environ["XDG_CONFIG_HOME"]) / "review-embeddings").glob("layout-*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    page.set_viewport_size({"width": 1366, "height": 768})
    is_arranged(page, MAPS + 1)
    page.set_viewport_size({"width": WIDE, "height": HIGH})
    is_arranged(page, MAPS + 2)
    assert heights(page) == arranged, "in a window of this size alone"

    page.locator("[class*=ToolBar] button").last.click()
    page.get_by_text("Reset Layout").click()
    with page.expect_response("**/api/layout/reset"):
        page.get_by_role("button", name="reset").click()
    page.wait_for_function(
        "([selector, height]) => Math.round(document.querySelector(selector)"
        ".getBoundingClientRect().height) === height",
        arg=[TABSET, ours[0]],
    )
    assert not kept.exists()


def test_an_older_layout_does_not_break_the_page_which_says_so(page: Page) -> None:
    layout = {
        "orientation": "vertical",
        "children": [
            {
                "kind": "tab",
                "weight": 50,
                "children": [
                    {"kind": "widget", "type": "ReviewOfOldTimes", "name": "Old", "config": None},
                    {"kind": "widget", "type": WIDGETS["review"], "name": None, "config": None},
                ],
            }
        ],
    }
    page.evaluate(
        """(body) => fetch("api/layout/", { method: "PUT", body,
            headers: { "Content-Type": "application/json" } })""",
        json.dumps({"layout": layout}),
    )
    page.reload()
    is_arranged(page, 1)
    expect(page.get_by_text("Your layout has panels that this review lacks: Old.")).to_be_visible()
    assert titles(page) == [["Review"]]


def test_a_panel_is_maximized_and_restored(page: Page) -> None:
    last = page.locator(TABSET).nth(MAPS)
    before = heights(page)
    last.get_by_title("Maximize").click()
    page.wait_for_function(
        "(selector) => [...document.querySelectorAll(selector)].some((panel) => "
        "panel.getBoundingClientRect().height > 800)",
        arg=TABSET,
    )
    page.get_by_title("Minimize").first.click()
    page.wait_for_function(
        "([selector, height]) => Math.round([...document.querySelectorAll(selector)].at(-1)"
        ".getBoundingClientRect().height) === height",
        arg=[TABSET, before[-1]],
    )


def test_offers_of_the_paid_edition_are_hidden(page: Page) -> None:
    text = page.locator("body").inner_text()
    assert "Get PRO" not in text and "pd.DataFrame" not in text
    page.get_by_text("Images", exact=True).click()
    expect(page.locator("[data-test-tag=datagrid-add-column-button]")).to_be_hidden()
    page.get_by_text("undecided", exact=True).first.click(button="right")
    expect(page.get_by_text("Copy Cell Value")).to_be_visible()
    assert all(not offer.is_visible() for offer in page.locator("[class*=NeedsUpgrade]").all())
    page.keyboard.press("Escape")
    page.mouse.click(WIDE / 2, HIGH - 60)


def test_a_cell_of_the_confusion_matrix_brings_its_images_forward(page: Page) -> None:
    page.get_by_text("Classes", exact=True).click()
    page.locator(".rc-cell:not(.rc-empty)").first.click()
    expect(page.locator("[data-test-tag=review-panel]")).to_be_visible()
    assert "predicted as" in page.locator("select[aria-label=List]").inner_text()


def test_spotlights_table_lists_filters_and_inspector_work(page: Page) -> None:
    page.get_by_text("Images", exact=True).click()
    page.get_by_role("button", name="Select these images in Spotlight: Worst").first.click()
    expect(page.locator("[data-test-tag=datagrid-selected-count]")).not_to_have_text("0")
    page.get_by_text("Selected images", exact=True).click()
    cards = page.locator("[class*=Inspector] [data-review] img:visible")
    expect(cards).not_to_have_count(0)
    page.evaluate(
        """() => { const s = spotlight.useDataset.getState();
        s.addFilter(new spotlight.PredicateFilter(s.columnsByKey.rank_last, { shortName: "<",
            compare: (a, b) => a < b }, 4)); }"""
    )
    page.get_by_text("Images", exact=True).click()
    expect(page.locator("[data-test-tag=datagrid-filtered-count]")).to_have_text("3")
    page.locator("[class*=ToolBar] button").last.click()
    with page.expect_download() as download:
        page.get_by_text("Save Layout").click()
    assert WIDGETS["review"] in Path(download.value.path()).read_text()


def luminance(page: Page, selector: str) -> float:
    """Of the ground of an element, from 0 to 255."""
    color = page.locator(selector).first.evaluate("(one) => getComputedStyle(one).backgroundColor")
    canvas = """(color) => { const context = document.createElement("canvas").getContext("2d");
        context.fillStyle = color; context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)]; }"""
    return float(sum(page.evaluate(canvas, color)) / 3)


SURFACES = ("nav", "main", TABSET, ".flexlayout__tab")


def test_the_page_is_dark_where_a_person_wants_it(page: Page) -> None:
    assert all(luminance(page, surface) > 200 for surface in SURFACES)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.reviewTheme === 'dark'")
    assert {surface: luminance(page, surface) < 70 for surface in SURFACES} == dict.fromkeys(
        SURFACES, True
    )
    page.emulate_media(color_scheme="light")
    with page.expect_response("**/api/review/theme"):
        page.get_by_role("button", name="Dark colours").click()
    page.reload()
    ready(page)
    assert luminance(page, "nav") < 70, "it is remembered"
    with page.expect_response("**/api/review/theme"):
        page.get_by_role("button", name="Dark colours").click()
    assert luminance(page, "nav") > 200


def test_the_review_is_reached_by_keys_alone(page: Page) -> None:
    is_inside = "(panel) => document.activeElement.closest(panel) !== null"
    page.reload()
    ready(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Go to the review")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(is_inside, PANEL)
    page.keyboard.press("Tab")
    assert page.evaluate(is_inside, PANEL)


AXE = """async () => {
    const { violations } = await axe.run({ include: [["[data-review]"]] },
        { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
        .flatMap(({ id, nodes }) => nodes.map((one) => `${id}: ${one.html.slice(0, 120)}`));
}"""


def test_accessibility_is_without_a_serious_fault(page: Page) -> None:
    script = Path(os.environ.get("REVIEW_EMBEDDINGS_NODE_MODULES", "")) / "axe-core/axe.min.js"
    need(script.is_file(), "axe-core in the folder REVIEW_EMBEDDINGS_NODE_MODULES")
    page.evaluate(script.read_text(encoding="utf-8"))
    for tab in ("Review", "Neighbours", "Checkpoints", "Classes", "Selected images"):
        page.get_by_text(tab, exact=True).first.click()
        assert page.evaluate(AXE) == [], tab
    page.emulate_media(color_scheme="dark")
    for tab in ("Classes", "Review"):
        page.get_by_text(tab, exact=True).first.click()
        assert page.evaluate(AXE) == [], f"{tab} in the dark"


def test_the_long_table_is_shown_as_before(browser: Browser, run: RunFolder) -> None:
    with serving("--long", "--run", run.path, "--no-browser") as long:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(long.address)
        page.locator("[class*=ScatterplotView] canvas").wait_for()
        assert titles(page) == [["Images x checkpoints"], ["Map"], ["Selected"]]
        state(page, "s.selectRows([0, 50])")
        expect(page.locator("[data-test-tag=datagrid-selected-count]")).to_have_text("2")
        expect(page.locator("img[src^='/api/table/image/'], img[src^='blob:']")).not_to_have_count(
            0
        )
        page.close()
