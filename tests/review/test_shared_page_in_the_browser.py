"""A shared page in a real browser: opened from its file and in a sandboxed frame, without a network
and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.share.make import share

pytestmark = pytest.mark.browser

STEP = "[data-test-tag=checkpoint-slider-step]"
LISTS = "[data-test-tag=review-lists]"
GALLERY = "[data-test-tag=gallery]"
LARGE = ".share-large canvas"

FRAME = """<!doctype html><html><body style="margin: 0">
<iframe sandbox="allow-scripts" src="page.html" style="width: 1200px; height: 700px"></iframe>
</body></html>"""


@pytest.fixture(scope="module")
def shared(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with checkpoints 10, 20 and 100."""
    file = tmp_path_factory.mktemp("shared") / "page.html"
    share(RunFolder(built_run), file)
    return file


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Without a network, and with nothing that moves by itself."""
    with browser.new_context(
        viewport={"width": 1366, "height": 768}, reduced_motion="reduce", offline=True
    ) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, shared: Path) -> Iterator[Page]:
    """The page, which asks for nothing but itself and breaks nowhere."""
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto(shared.as_uri())
    page.locator(LISTS).wait_for()
    yield page
    own = ("data:", "blob:", shared.as_uri())
    assert [url for url in asked if not url.startswith(own)] == []
    assert faults == []


def drawn(page: Page | FrameLocator) -> str:
    """The points of the large map, as a picture."""
    canvas = page.locator(LARGE).first
    picture: str = canvas.evaluate("canvas => canvas.toDataURL()")
    return picture


def is_image(page: Page) -> Locator:
    return page.locator(".share[data-shown=image] .review-title")


def test_the_slider_and_its_keys_change_the_large_map(page: Page) -> None:
    expect(page.locator(STEP)).to_contain_text("step 100")  # nothing moves: the last is shown
    last = drawn(page)
    page.keyboard.press("[")
    expect(page.locator(STEP)).to_contain_text("step 20")
    page.wait_for_function(
        f"before => document.querySelector('{LARGE}').toDataURL() !== before", arg=last
    )
    page.locator("input[type=range]").fill("0")
    expect(page.locator(STEP)).to_contain_text("step 10")
    box = page.locator(".timeline-curves").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    expect(page.locator(STEP)).to_contain_text("step 100")
    page.keyboard.press("Space")  # from the first one, and once
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def a_point(page: Page) -> tuple[float, float]:
    """Where a point of the large map is in the window: pixels that are not of its ground."""
    x, y = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const pixels = new Uint32Array(data.buffer);
            const found = pixels.findIndex((pixel) => pixel !== pixels[0]) + 2 * width;
            const { left, top } = canvas.getBoundingClientRect();
            return [left + (found % width), top + Math.floor(found / width)];
        }""",
        LARGE,
    )
    return x, y


def test_a_point_shows_its_image_and_opens_its_card(page: Page) -> None:
    page.mouse.move(*a_point(page))
    hovered = page.locator("[data-test-tag=map-hover] img")
    expect(hovered).to_be_visible()
    name = hovered.get_attribute("alt")
    page.mouse.click(*a_point(page))
    expect(is_image(page)).to_contain_text(str(name).split("#")[-1])
    before = drawn(page)
    page.locator("[data-test-tag=map-legend] button[aria-pressed]").first.click()
    page.wait_for_function(
        f"before => document.querySelector('{LARGE}').toDataURL() !== before", arg=before
    )


def test_a_list_opens_its_images_and_an_image_its_card(page: Page) -> None:
    row = page.locator(f"{LISTS} .rl-open").first
    title = row.locator(".rl-title").inner_text()
    row.click()
    expect(page.locator(f"{GALLERY} h2")).to_have_text(title)
    expect(page.locator(f"{GALLERY} h2")).to_be_focused()
    tiles = page.locator(f"{GALLERY} .gallery-image")
    image = tiles.nth(1).locator("img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 1
    tiles.nth(1).click()
    expect(is_image(page)).to_be_visible()
    expect(page.locator("[data-test-tag=review-position]")).to_have_text("2 of 8")
    expect(page.locator("[data-test-tag=review-why]")).to_contain_text("Why it is listed")
    assert page.locator("[data-test-tag=nearest-100] img").count() > 0
    assert not page.get_by_role("button", name="keep").count(), "nothing can be decided"
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-test-tag=review-position]")).to_have_text("3 of 8")
    page.keyboard.press("Escape")
    expect(page.locator(f"{GALLERY} h2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(LISTS)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("previous, next image")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)


def test_colours_follow_the_system_until_somebody_chooses(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_function(f"before => {ground} !== before", arg=light)
    page.get_by_role("button", name="Dark colours").click()
    page.wait_for_function(f"before => {ground} === before", arg=light)


def test_it_works_in_a_sandboxed_frame_and_on_a_phone(browser: Browser, shared: Path) -> None:
    around = shared.with_name("around.html")
    around.write_text(FRAME, encoding="utf-8")
    with browser.new_context(offline=True, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(around.as_uri())
        frame = page.frame_locator("iframe")
        frame.locator(f"{LISTS} .rl-open").first.click()
        frame.locator(f"{GALLERY} .gallery-image").first.click()
        expect(frame.locator(".review-title")).to_be_visible()
    with browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, offline=True
    ) as context:
        page = context.new_page()
        page.goto(shared.as_uri())
        page.locator(LISTS).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing sideways"
        page.get_by_role("button", name="Pause").tap()
        page.touchscreen.tap(*a_point(page))
        expect(is_image(page)).to_be_visible()
        page.get_by_role("button", name="Zoom in").tap()
        expect(page.get_by_role("button", name="whole map")).to_be_visible()
