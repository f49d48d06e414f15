"""The page's maps in a real browser: in Spotlight linked with its own views, and without it over
made-up points, with few and with many classes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from maps_on_page import MapOnPage
from maps_page import serving_maps
from playwright.sync_api import Browser, Locator, Page, expect
from serving import Serving

pytestmark = pytest.mark.browser

STEP = "[data-test-tag=checkpoint-slider-step]"
LEGEND = "[data-test-tag=map-legend]"
FIRST, SLIDER, LAST = 0, 1, 2


@pytest.fixture
def page(browser: Browser, served: Serving) -> Iterator[Page]:
    """The page of a run with checkpoints 10, 20 and 100, without anything selected."""
    with browser.new_context(
        viewport={"width": 1600, "height": 900}, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.goto(served.address)
        page.locator("[data-test-tag=map-0] canvas[data-placement]").wait_for()
        page.wait_for_function("globalThis.spotlight.useDataset.getState().length > 0")
        page.evaluate("spotlight.useDataset.getState().selectRows([])")
        yield page


def column(page: Page, name: str) -> np.ndarray:
    return np.array(
        page.evaluate("name => Array.from(spotlight.useDataset.getState().columnData[name])", name)
    )


def points_of(page: Page) -> list[np.ndarray]:
    """Coordinates of the images on each map, shape (N, 2)."""
    ends = ("000010", "now", "000100")
    return [np.stack([column(page, f"{axis}_{end}") for axis in "xy"], axis=1) for end in ends]


def maps_of(page: Page) -> list[MapOnPage]:
    return [MapOnPage(page, number) for number in (FIRST, SLIDER, LAST)]


def legend_of(page: Page) -> Locator:
    """The legend, which is closed where maps are narrow."""
    legend = page.locator(LEGEND)
    opening = page.get_by_role("button", name="Legend", exact=True)
    legend.or_(opening).wait_for()
    if opening.is_visible():
        opening.click()
    return legend


def lonely(points: np.ndarray) -> int:
    """The row that is farthest from its nearest neighbour, so that pointing at it is clear."""
    far = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(far, np.inf)
    return int(far.min(axis=1).argmax())


def selected_is(page: Page, rows: list[int]) -> None:
    page.wait_for_function(
        """rows => Array.from(spotlight.useDataset.getState().selectedIndices)
            .sort((a, b) => a - b).join() === rows.join()""",
        arg=rows,
    )


def test_all_maps_have_one_scale_and_say_which_image_a_point_is(page: Page) -> None:
    maps, points = maps_of(page), points_of(page)
    assert len({one.placement[0] for one in maps}) == 1
    ids = column(page, "image_id")
    for one, places in zip(maps, points, strict=True):
        row = lonely(places)
        card = one.hover(*places[row])
        expect(card).to_contain_text(f"#{ids[row]}")
        assert f"#{ids[row]}" in str(card.locator("img").get_attribute("alt"))
        expect(card).to_contain_text("last")
    page.mouse.wheel(0, -300)  # on the last one
    before = maps[FIRST].placement[0]
    expect(maps[FIRST].canvas).not_to_have_attribute("data-placement", f"{before}")
    assert len({one.placement[0] for one in maps}) == 1
    maps[LAST].canvas.dblclick(position={"x": 30, "y": 60})
    expect(page.get_by_text("whole map")).to_have_count(0)


def test_a_click_makes_an_image_current_in_all_views(page: Page) -> None:
    maps, points = maps_of(page), points_of(page)
    row = lonely(points[LAST])
    title = f"#{column(page, 'image_id')[row]}"
    page.mouse.click(*maps[LAST].at(*points[LAST][row]))
    for one in maps:
        label = str(one.canvas.get_attribute("aria-label"))
        assert title in label and "images in" in label
    page.wait_for_function(
        "row => spotlight.useDataset.getState().isIndexHighlighted[row] === true", arg=row
    )
    selected_is(page, [])  # it is no selection


def test_a_lasso_selects_in_spotlight_and_spotlight_in_the_maps(page: Page) -> None:
    maps, points = maps_of(page), points_of(page)
    low, high = points[LAST].min(axis=0), points[LAST].max(axis=0)
    middle = (low + high) / 2
    left, below = low - 4 / maps[LAST].placement[0]  # four pixels beside all points
    corners = [(left, below), (middle[0], below), (middle[0], middle[1]), (left, middle[1])]
    inside = (points[LAST] < middle).all(axis=1)
    near = np.abs(points[LAST] - middle).min(axis=1) < 2 / maps[LAST].placement[0]
    assert not near.any()  # none is so near to the line that a pixel decides
    maps[LAST].lasso(corners)
    rows = np.flatnonzero(inside).tolist()
    selected_is(page, rows)
    legend = legend_of(page)
    labels = column(page, "label")[rows]
    counts = [int((labels == code).sum()) for code in np.unique(column(page, "label"))]
    expect(legend.locator("[aria-label=Categories] button").first).to_contain_text(f"{counts[0]} /")
    other = next(row for row in range(len(inside)) if not inside[row])
    page.evaluate("row => spotlight.useDataset.getState().selectRows([row])", other)
    expect(maps[FIRST].canvas).to_have_attribute("aria-label", re.compile("1 image selected"))
    maps[LAST].lasso(corners, add=True)
    selected_is(page, sorted([*rows, other]))
    maps[LAST].canvas.press("Escape")
    selected_is(page, [])


def test_the_legend_and_filters_hide_points(page: Page) -> None:
    one, legend = MapOnPage(page, FIRST), legend_of(page)
    classes = legend.locator("[aria-label=Categories] button")
    everything = one.painted()
    classes.first.click()
    expect(classes.first).to_have_attribute("aria-pressed", "false")
    page.wait_for_function(_PAINTED_LESS, arg=everything)
    page.reload()  # it is kept for the tab
    classes.first.wait_for()
    expect(classes.first).to_have_attribute("aria-pressed", "false")
    legend.get_by_text("show all").click()
    classes.nth(1).dblclick()
    expect(classes.first).to_have_attribute("aria-pressed", "false")
    expect(classes.nth(1)).to_have_attribute("aria-pressed", "true")
    legend.get_by_text("show all").click()
    page.evaluate(
        """() => { const s = spotlight.useDataset.getState();
        s.addFilter(new spotlight.PredicateFilter(s.columnsByKey.image_id, { shortName: "<",
            compare: (a, b) => a < b }, s.columnData.image_id[5])); }"""
    )
    page.wait_for_function(_PAINTED_LESS, arg=everything)
    legend.locator("select").select_option("ood_last")
    expect(legend).to_contain_text("≤")


_PAINTED_LESS = """before => {
    const canvas = document.querySelector("[data-test-tag=map-0] canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(data.buffer);
    return pixels.filter((one) => one !== pixels[0]).length < before;
}"""


def test_the_slider_stays_with_what_it_shows_where_values_cannot_be_had(page: Page) -> None:
    step = page.locator(STEP)
    expect(step).to_have_text("step 20")
    before, values = column(page, "x_now"), "**/api/review/values?step=100*"
    page.route(values, lambda route: route.abort())
    page.keyboard.press("]")
    expect(page.locator("[data-test-tag=checkpoint-slider] [role=alert]")).to_contain_text(
        "Step 100 cannot be shown"
    )
    expect(step).to_have_text("step 20")
    np.testing.assert_array_equal(column(page, "x_now"), before)
    page.unroute(values)
    page.keyboard.press("p")
    expect(step).to_have_text("step 100")
    expect(MapOnPage(page, SLIDER).widget).to_contain_text("Slider · step 100")
    assert (column(page, "x_now") != before).any()


@pytest.fixture(scope="module")
def made_up(browser: Browser) -> Iterator[tuple[Page, str]]:
    """A page without Spotlight, and its address."""
    with serving_maps() as address, browser.new_context() as context:
        faults: list[str] = []
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page, address
        assert faults == []


def opened(made_up: tuple[Page, str], query: str) -> Page:
    page, address = made_up
    page.goto(address + query)
    page.evaluate("sessionStorage.clear()")  # another page's choices
    page.reload()
    page.wait_for_function("globalThis.maps !== undefined")
    page.locator("canvas[data-placement]").first.wait_for()
    return page


@pytest.mark.parametrize("classes", [1, 2, 10, 60, 1000])
def test_few_and_many_classes_have_a_legend(made_up: tuple[Page, str], classes: int) -> None:
    page = opened(made_up, f"?images=2000&classes={classes}")
    legend = page.locator(LEGEND)
    buttons = legend.locator("[aria-label=Categories] button")
    expect(buttons).to_have_count(classes)
    assert MapOnPage(page, LAST).painted() > 100
    if classes > 12:
        legend.get_by_label("Search the legend").fill(f"class {classes - 1}")
        expect(buttons).to_have_count(1)
        buttons.first.click()
        expect(buttons.first).to_have_attribute("aria-pressed", "false")
    else:
        buttons.first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+Enter")
        last = buttons.nth(min(1, classes - 1))
        expect(last).to_have_attribute("aria-pressed", "true")
        expect(legend.get_by_text("show all")).to_have_count(1)


def test_without_labels_and_with_one_checkpoint_there_is_a_map(
    made_up: tuple[Page, str],
) -> None:
    page = opened(made_up, "?images=300&classes=0&steps=1")
    assert page.locator("[data-test-tag^=map-] canvas").count() == 2
    assert MapOnPage(page, FIRST).painted() > 100
    expect(page.locator(STEP)).to_have_count(0)
    expect(page.locator("[data-test-tag=map-0]")).to_contain_text("Last · step 0")


def test_keys_zoom_and_go_back(made_up: tuple[Page, str]) -> None:
    page = opened(made_up, "?images=300")
    one = MapOnPage(page, FIRST)
    home = str(one.canvas.get_attribute("data-placement"))
    one.canvas.press("+")
    expect(one.canvas).not_to_have_attribute("data-placement", home)
    one.canvas.press("0")
    expect(one.canvas).to_have_attribute("data-placement", home)
