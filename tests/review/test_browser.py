"""The page in a real browser: linked plots, lists with one click, the slider, the pictures."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deciding import PANEL, POSITION, ready
from maps_on_page import MapOnPage
from playwright.sync_api import Browser, Page, expect
from serving import Serving

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.frontend import WIDGETS
from review_embeddings.review.palette import class_palette

pytestmark = pytest.mark.browser

KNOWN_FAULTS = ("process is not defined",)
"""Spotlight 1.8.2's relevance worker ends with this in every session."""


@pytest.fixture
def page(browser: Browser, served: Serving) -> Iterator[Page]:
    """The page in a profile of its own."""
    faults: list[str] = []
    with browser.new_context(viewport={"width": 1600, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((served.url, "data:", "blob:"))
                else faults.append(request.url)
            ),
        )
        page.goto(served.address)
        drawn(ready(page))
        yield page
    assert [fault for fault in faults if not fault.startswith(KNOWN_FAULTS)] == []


def panel(kind: str, name: str, **config: object) -> dict[str, Any]:
    """A panel of a layout with one widget."""
    widget = {"kind": "widget", "type": kind, "name": name, "config": config or None}
    return {"kind": "tab", "weight": 1, "children": [widget]}


def row(*panels: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "split", "weight": 1, "orientation": "horizontal", "children": list(panels)}


@pytest.fixture
def plots(page: Page) -> Iterator[Page]:
    """The page as somebody arranged it who looks at Spotlight's own plots, table and lists."""
    ends = ("000010", "now", "000100")
    maps = [
        panel("scatterplot", f"Plot {end}", xAxisColumn=f"x_{end}", yAxisColumn=f"y_{end}")
        for end in ends
    ]
    below = [panel(WIDGETS["review"], "Review"), panel("table", "Images")]
    rows = [row(*maps), row(*below, panel("IssuesWidget", "Lists"))]
    layout = {"orientation": "vertical", "children": rows}
    page.evaluate(PUT_LAYOUT, json.dumps({"layout": layout}))
    page.reload()
    drawn(ready(page))
    yield page
    page.evaluate("fetch('api/layout/reset', { method: 'PUT' })")


PUT_LAYOUT = """(body) => fetch("api/layout/", { method: "PUT", body,
    headers: { "Content-Type": "application/json" } })"""


def state(page: Page, expression: str) -> Any:
    return page.evaluate(
        f"() => {{ const s = spotlight.useDataset.getState(); return {expression}; }}"
    )


def column(page: Page, name: str) -> np.ndarray:
    return np.array(state(page, f"Array.from(s.columnData[{name!r}])"))


def selected(page: Page) -> list[int]:
    return sorted(state(page, "Array.from(s.selectedIndices)"))


def _joined(rows: list[int]) -> str:
    """As JavaScript sorts and joins them: as text."""
    return ",".join(sorted(map(str, rows)))


def plot(page: Page, number: int) -> dict[str, float]:
    """Where a map is, by its number from the left."""
    return MapOnPage(page, number).box


def spotlights_plots(page: Page) -> list[dict[str, float]]:
    """The drawing areas of Spotlight's own plots, from left to right."""
    page.locator("[class*=ScatterplotView] canvas").nth(2).wait_for()
    box = "(all) => all.map((one) => one.getBoundingClientRect().toJSON())"
    return list(page.locator("[class*=ScatterplotView] canvas").evaluate_all(box))


def drawn(page: Page) -> None:
    """Wait until all pictures are there and two looks in a row are the same."""
    page.wait_for_function("[...document.images].every((one) => one.complete)")
    before = page.screenshot()
    while (after := page.screenshot()) != before:
        before = after


def until(page: Page, expression: str) -> None:
    """Wait until this holds of the state ``s``."""
    page.wait_for_function(
        f"() => {{ const s = spotlight.useDataset.getState(); return {expression}; }}"
    )


def changed(page: Page, box: dict[str, float], before: bytes) -> None:
    """Wait until another picture is drawn there: fails when the test's own time is over."""
    while picture_of(page, box) == before:
        page.wait_for_timeout(50)


def picture_of(page: Page, box: dict[str, float]) -> bytes:
    clip = {name: box[name] for name in ("x", "y", "width", "height")}
    return page.screenshot(clip=clip)  # type: ignore[arg-type]


def test_it_opens_with_the_first_image_of_a_list_and_nothing_selected(page: Page) -> None:
    assert selected(page) == []
    expect(page.locator(POSITION)).to_have_text(re.compile(r"1 of \d+"))
    assert page.locator(f"{PANEL} .review-picture img").evaluate("one => one.naturalWidth") > 0
    words = page.locator("body").inner_text()
    for text in (
        "Worst 8 of last (step 100)",
        "First · step 10",
        "Last · step 100",
        "first",
        "last",
    ):
        assert text in words
    assert "pd.DataFrame" not in words


def test_brushing_one_plot_selects_the_same_images_in_the_other(plots: Page) -> None:
    page = plots
    first, _, last = spotlights_plots(page)
    before, preselected = picture_of(page, last), selected(page)
    middle_x, middle_y = first["x"] + first["width"] / 2, first["y"] + first["height"] / 2
    page.mouse.move(first["x"] + 60, first["y"] + 60)
    page.mouse.down()
    page.mouse.move(middle_x, middle_y, steps=8)
    page.mouse.up()
    until(page, f"Array.from(s.selectedIndices).sort().join() !== '{_joined(preselected)}'")
    drawn(page)
    rows = selected(page)
    x, y = column(page, "x_000010"), column(page, "y_000010")
    assert 0 < len(rows) < len(x) and rows != preselected
    inside = np.ones(
        len(x), dtype=bool
    )  # the rectangle around the selected images in the first plot holds no others
    for values in (x, y):
        inside &= (values >= values[rows].min()) & (values <= values[rows].max())
    assert sorted(np.flatnonzero(inside)) == rows
    assert f"Selected{len(rows)}" in page.locator("body").inner_text().replace("\n", "").replace(
        " ", ""
    )
    changed(page, last, before)  # the other plot marks them


def test_one_click_on_an_issue_of_spotlights_selects_its_images(plots: Page) -> None:
    before = _joined(selected(plots))
    plots.get_by_role("button", name="8 Worst 8 of first (step 10)").click()
    until(plots, f"Array.from(s.selectedIndices).sort().join() !== '{before}'")
    assert sorted(column(plots, "rank_first")[selected(plots)]) == list(range(1, 9))


CORNER = """light => {
    const canvas = document.querySelector("[class*=ScatterplotView] canvas");
    const [red] = canvas.getContext("2d").getImageData(1, 1, 1, 1).data;
    return light ? red > 240 : red < 40;
}"""


def test_spotlights_plots_have_the_colours_of_the_maps_and_are_dark_in_the_dark(
    plots: Page,
) -> None:
    colors = state(plots, "[0, 1].map(code => s.colorTransferFunctions.label.full(code).hex())")
    assert colors == list(class_palette()[:2])  # of the maps
    plots.wait_for_function(CORNER, arg=True)
    plots.emulate_media(color_scheme="dark")
    plots.wait_for_function(CORNER, arg=False)
    plots.emulate_media(color_scheme="light")
    plots.wait_for_function(CORNER, arg=True)


def test_the_slider_goes_through_all_checkpoints(page: Page, built_run: Path) -> None:
    long = table.read(built_run, columns=["checkpoint", "x", "y", "ood_score"])

    def is_now(step: int) -> None:
        x = float(long.loc[long["checkpoint"] == step, "x"].iloc[0])
        until(page, f"Math.fround(s.columnData.x_now[0]) === {x}")
        for name, source in (("x", "x"), ("y", "y"), ("ood", "ood_score")):
            np.testing.assert_array_equal(
                column(page, f"{name}_now").astype(np.float32),
                long.loc[long["checkpoint"] == step, source],
            )

    slider = page.locator("[data-test-tag=checkpoint-slider]")
    step = page.locator("[data-test-tag=checkpoint-slider-step]")
    assert step.inner_text() == "step 20"
    chosen = selected(page)
    box = plot(page, 1)
    before = picture_of(page, box)
    slider.get_by_title("Next checkpoint").click()
    expect(step).to_have_text("step 100")
    is_now(100)
    changed(page, box, before)
    assert selected(page) == chosen
    slider.locator("input").fill("0")
    expect(step).to_have_text("step 10")
    is_now(10)
    assert "disparity" in slider.inner_text() and "of variance" in slider.inner_text()


def test_a_filter_on_the_sliders_scores_is_applied_again_at_each_checkpoint(
    page: Page, built_run: Path
) -> None:
    long = table.read(built_run, columns=["checkpoint", "ood_score"])
    middle = float(long["ood_score"].median())
    page.evaluate(
        """(reference) => { const s = spotlight.useDataset.getState();
        s.addFilter(new spotlight.PredicateFilter(s.columnsByKey.ood_now, { shortName: "<",
            compare: (a, b) => a < b }, reference)); }""",
        middle,
    )
    for step, title in ((20, ""), (100, "Next checkpoint"), (20, "Previous checkpoint")):
        if title:
            page.get_by_title(title).click()
            expect(page.locator("[data-test-tag=checkpoint-slider-step]")).to_have_text(
                f"step {step}"
            )
        expected = np.flatnonzero(long.loc[long["checkpoint"] == step, "ood_score"] < middle)
        until(page, f"Array.from(s.filteredIndices).join() === '{','.join(map(str, expected))}'")


def test_the_nearest_images_in_the_whole_embedding_are_shown_for_both_ends(
    page: Page, built_run: Path
) -> None:
    page.evaluate("() => spotlight.useDataset.getState().selectRows([7])")
    page.get_by_text("Neighbours", exact=True).click()
    widget = page.locator("[data-test-tag=review-neighbors]")
    for step in (10, 100):
        expected = RunFolder(built_run).read_array("neighbors", step)[7, :8].tolist()
        shown = widget.locator(f"[data-test-tag=nearest-{step}] button")
        shown.nth(7).wait_for()
        assert [
            int(re.findall(r"#(\d+)", title)[0])
            for title in shown.evaluate_all("all => all.map((one) => one.title)")
        ] == expected
        page.wait_for_function(
            """(step) =>
                [...document.querySelectorAll(`[data-test-tag=nearest-${step}] img`)].every(
                (one) => one.complete && one.naturalWidth === 16)""",
            arg=step,
        )
    frame = table.read(built_run, checkpoints=[100], columns=["label"])
    first = RunFolder(built_run).read_array("neighbors", 100)[7, 0]
    last = widget.locator("[data-test-tag=nearest-100] button").first
    assert frame["label"][first] in last.inner_text()
    last.click()
    label = frame["label"][first]
    expect(widget.locator("figcaption")).to_have_text(f"{label} #{first}")
    assert selected(page) == [7]


def test_the_card_says_why_with_the_nearest_images_of_any_step(page: Page, built_run: Path) -> None:
    why = page.locator("[data-test-tag=review-why]")
    shown = page.locator(PANEL).get_by_text(re.compile(r"^#\d+$")).first
    row = int(shown.inner_text().removeprefix("#"))

    def near(step: int) -> Any:
        return why.locator(f"[data-test-tag=nearest-{step}] button")

    expect(near(20)).to_have_count(0)
    why.get_by_role("button", name="nearest").click()
    for step in (10, 20, 100):
        expected = RunFolder(built_run).read_array("neighbors", step)[row, :6]
        expect(near(step)).to_have_count(6)
        titles = near(step).evaluate_all("all => all.map((one) => one.title)")
        assert [int(re.findall(r"#(\d+)", title)[0]) for title in titles] == expected.tolist()
    frame = table.read(built_run, checkpoints=[100])
    rank = frame["ood_rank"][row]
    expect(why.get_by_role("region", name="last · step 100")).to_contain_text(
        f"outlier rank {rank} of 36"
    )
    other = RunFolder(built_run).read_array("neighbors", 20)[row, 0]
    near(20).first.click()
    expect(shown).to_have_text(f"#{other}")


def test_how_far_each_map_can_be_trusted_stands_in_a_table_beside_the_plots(
    page: Page, built_run: Path
) -> None:
    manifest = table.read_manifest(RunFolder(built_run))
    assert manifest is not None
    page.get_by_text("Checkpoints", exact=True).click()
    widget = page.locator("[data-test-tag=review-checkpoints]")
    rows = widget.locator("tbody tr")
    rows.nth(2).wait_for()
    for place, facts in enumerate(manifest.checkpoints):
        assert facts.explained_variance is not None
        images = table.read(built_run, checkpoints=[facts.step], columns=["label", "prediction"])
        accuracy = (images["label"].astype(str) == images["prediction"].astype(str)).mean()
        stay = "" if place == 0 else f"{100 * manifest.outlier_overlap[place - 1][place]:.0f} %"
        assert rows.nth(place).locator("td").all_inner_texts() == [
            str(facts.step),
            f"{facts.epoch:.2f}",
            f"{facts.loss:.3f}",
            "",  # nothing was evaluated
            f"{accuracy:.3f}*",
            f"{100 * sum(facts.explained_variance):.0f} %",
            f"{100 * facts.map_kept:.0f} %",
            f"{facts.trustworthiness:.2f}",
            f"{facts.continuity:.2f}",
            f"{facts.disparity:.2f}",
            stay,
        ]
    said = widget.locator("svg title").evaluate_all("all => all.map((one) => one.textContent)")
    assert (
        said[1] == f"step 10 and step 20: {manifest.rank_correlation[0][1]:.2f}" and len(said) == 9
    )
