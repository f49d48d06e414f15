"""Pages in one file: what they say of each image, and that a phone shows all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.card import CardEnd, ImageCard
from review_embeddings.review.page.frontend import FRONTEND_FOLDER
from review_embeddings.review.report.cards import card_figure
from review_embeddings.review.report.curves import (
    CardCurve,
    curves_as_html,
    percentile,
    probability,
    stretches,
)
from review_embeddings.review.report.pagestyle import document
from review_embeddings.review.report.summary import as_html, cards_of, summarize

CommandLine = Callable[..., tuple[int, str, str]]

LONG_NAME = "a_class_with_a_name_that_is_much_longer_than_a_phone_is_wide_in_plain_background"


def card(**changes: object) -> ImageCard:
    """A card by hand: three checkpoints, at the last of which the label is wrong."""
    values: dict[str, object] = {
        "row": 0,
        "image_id": 10,
        "images": 1000,
        "label": "cat",
        "suggested": "frog",
        "reasons": ["another class fits better: frog", "forgotten 2 times"],
        "lists": ["labels"],
        "ends": [
            CardEnd(0, "cat", 0.41, 0.41, 858, 85.75),
            CardEnd(40, "frog", 0.76, 0.12, 3, 0.25),
        ],
        "checkpoints": [],
        "classes": [],
        "steps": [0, 20, 40],
        "label_curve": [0.41, None, 0.12],
        "suggested_curve": [0.2, 0.5, 0.76],
        "percentile_curve": [85.75, 40.0, 0.25],
        "way": [],
    }
    return ImageCard(**{**values, **changes})  # type: ignore[arg-type]


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def test_an_image_says_why_it_is_there_and_what_both_ends_say() -> None:
    figure = card_figure("cat", "#10", ["similarity 0.9", "forgotten 2 times"], "data:x", card())
    assert '<img alt="cat #10" src="data:x">' in figure
    assert re.findall("<li>(.*?)</li>", figure) == [
        "similarity 0.9",
        "forgotten 2 times",
        "another class fits better: frog",
    ]
    lines = [text_of(line) for line in re.findall('<p class="ends">(.*?)</p>', figure)]
    assert lines == [
        "first · step 0 ✓ cat: 41 % · outlier rank 858 of 1,000",
        "last · step 40 ✗ frog: 76 % · label cat: 12 % · outlier rank 3 of 1,000",
    ]


def test_one_checkpoint_no_labels_and_no_head_leave_nothing_empty() -> None:
    end = CardEnd(40, None, None, None, 3, 0.25)
    bare = card(
        label=None,
        suggested=None,
        label_curve=None,
        suggested_curve=None,
        reasons=[],
        ends=[end],
        steps=[40],
        percentile_curve=[0.25],
    )
    figure = card_figure("no label", "#10", [], "", bare)
    assert "<ul>" not in figure and "<svg" not in figure and "None" not in figure
    assert "step 40 outlier rank 3 of 1,000" in text_of(figure)
    assert "cannot be shown" in figure
    assert card_figure("x.jpg", "", [], "", None).endswith("</figcaption></figure>")


def test_names_of_classes_are_no_html() -> None:
    evil = '<script>alert("1")</script>'
    figure = card_figure(
        evil,
        "#1",
        [evil],
        "",
        card(label=evil, suggested=evil, reasons=[evil], ends=[CardEnd(0, evil, 1, 0, 1, 1)]),
    )
    assert "<script" not in figure and figure.count("&lt;script&gt;alert(&quot;") >= 6


def test_curves_are_those_of_the_page() -> None:
    """The same values as in tests/frontend/why.test.js, in a drawing of 200 to 46 pixels."""
    gap = CardCurve("cat", [0, 0.5, None, 1], 0, 1, "given")
    # 192 pixels for three steps of 64, 38 pixels for probabilities from 42 up to 4
    assert stretches(gap) == [[(0, 4, 42), (1, 68, 23)], [(3, 196, 4)]]
    assert stretches(CardCurve("", [0, 100, 25], 100, 0, "outlier")) == [
        [(0, 4, 4), (1, 100, 42), (2, 196, 13.5)]
    ]
    assert stretches(CardCurve("", [1.0], 0, 1, "given")) == [[(0, 100, 4)]]
    assert stretches(CardCurve("", [None, float("nan")], 0, 1, "given")) == []


def test_probabilities_and_percentiles_read_as_on_the_page() -> None:
    shares = (0, 3.4e-9, 0.0049, 0.005, 0.41, 0.994, 0.995, 1)
    assert [probability(share) for share in shares] == [
        *("0 %", "<1 %", "<1 %", "1 %", "41 %", "99 %", ">99 %", "100 %")
    ]
    ranks = (0.005, 0.05, 3.26, 9.94, 9.96, 76.75, 99.9)
    assert [percentile(value) for value in ranks] == [
        *("<0.1", "0.1", "3.3", "9.9", "10", "77", "100")
    ]


def test_the_whole_curves_are_there_in_words() -> None:
    html = "".join(curves_as_html(card()))
    assert re.findall('aria-label="(.*?)"', html) == [
        "cat: 41 % at step 0, 12 % at step 40. frog: 20 % at step 0, 50 % at step 20, 76 % at "
        "step 40",
        "Outlier percentile: 86 at step 0, 40 at step 20, 0.3 at step 40",
    ]
    text = text_of(html)
    assert "Probability ─ cat: 12 % ┄ frog: 76 %100 %0 %" in text
    assert "Outlier percentile 0.3 up = more unusual0100" in text
    assert text.endswith("step 0step 40")


def test_reports_name_the_axis_as_the_page_does() -> None:
    source = (FRONTEND_FOLDER / "views/curves.js").read_text(encoding="utf-8")
    for text in ("up = more unusual", '"100 %", "0 %"', '"0", "100"', "Outlier percentile"):
        assert text in source
    html = "".join(curves_as_html(card()))
    ends = re.findall('<span aria-hidden="true">(.*?)</span>', html)
    assert ends == ["100 %", "0 %", "0", "100"]


OVERFLOWING = """() => {
    const width = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((element) => {
        const { left, right } = element.getBoundingClientRect();
        return left < -0.5 || right > width + 0.5;
    });
    const cut = [...document.querySelectorAll("figcaption, dd, td, li, h2, .legend")].filter(
        (element) => element.scrollWidth > element.clientWidth + 1
    );
    return [...wide, ...cut].map((element) => element.outerHTML.slice(0, 80));
}"""
"""Elements that reach out of the window, or whose text is cut."""


def test_the_summary_says_ranks_and_no_scores(run: RunFolder) -> None:
    made, images = summarize(run, note=print)
    page = as_html(made, images, cards_of(run, made, images))
    assert "OOD score" not in page and "<script" not in page
    shown = sum(len(listed.images) for listed in made.lists.values())
    assert page.count('<figure class="card">') == shown
    assert page.count('<div class="curves">') == shown
    first = made.lists["worst"].images[0]
    assert re.search(rf"#{first.image_id}<ul><li>outlier rank 1 of 36 at step 100", page)


@pytest.mark.browser
def test_similar_says_ranks_and_reasons_on_a_phone_too(
    run: RunFolder, review_embeddings: CommandLine, browser: Browser, tmp_path: Path
) -> None:
    images = read_images(run)
    assert images is not None
    code, _, errors = review_embeddings("index", "--run", run.path)
    assert code == 0, errors
    page = tmp_path / "similar.html"
    query = ("similar", "--run", run.path, "--image", 7, "--top", 3, "--html", "--out", page)
    code, output, errors = review_embeddings(*query)
    assert code == 0, errors
    ranks = run.read_array("outliers", 100).argsort(kind="stable").argsort() + 1
    found = [int(line.split()[1]) for line in output.splitlines()[1:4]]
    for image, line in zip(found, output.splitlines()[1:4], strict=True):
        assert f" {ranks[image]}" in line and "similarity" in output.splitlines()[0]
    html = page.read_text()
    assert html.count('<figure class="card">') == 4
    assert all(f"outlier rank {ranks[image]:,} of 36" in html for image in [7, *found])
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.goto(page.as_uri())
    assert phone.evaluate(OVERFLOWING) == []
    phone.close()


@pytest.mark.browser
def test_a_phone_shows_all_of_the_summary(run: RunFolder, browser: Browser) -> None:
    made, images = summarize(run, note=print)
    cards = {
        row: card(label=LONG_NAME, suggested=f"not_{LONG_NAME}", reasons=[LONG_NAME])
        for row in cards_of(run, made, images)
    }
    path = run.path / "page.html"
    path.write_text(as_html(made, images, cards), encoding="utf-8")
    grounds = set()
    problems: list[str] = []
    for width, scheme in ((390, "light"), (390, "dark"), (768, "light"), (1280, "light")):
        page = browser.new_page(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page.on("console", lambda message: problems.append(message.text))
        page.goto(path.as_uri())
        assert page.evaluate(OVERFLOWING) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(
            "[...document.images].every(image => image.naturalWidth > 0 && image.alt)"
        )
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(grounds) == 2, "a light and a dark one"
    assert problems == []


@pytest.mark.browser
def test_long_names_are_whole_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    figure = card_figure(LONG_NAME, "#1", [LONG_NAME], "", card(label=LONG_NAME))
    body = f'<div class="cards">{figure}</div>'
    path.write_text(document(LONG_NAME, [body]), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(path.as_uri())
    assert page.evaluate(OVERFLOWING) == []
    assert page.locator("figcaption b").first.inner_text() == LONG_NAME
    page.close()
