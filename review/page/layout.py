"""The preset layout: table and plots above, the images of the selection, the ready-made lists and a
histogram below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.table import column as declared
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists.derived import DECISION, MOVED, OUTLIER, PERCENTILE_CHANGE
from review_embeddings.review.page.frame import ENDS, FIRST, LAST, NOW, ReviewFrame, at, shown_in
from review_embeddings.review.page.frontend import LENSES, WIDGETS

if TYPE_CHECKING:
    from renumics.spotlight.layout import Layout

MAX_PLOTS = 4
"""Plots beside each other, that of the slider among them; more would be too narrow to read."""

IMAGES_PER_ROW = 8


def plotted(review: ReviewFrame) -> list[int]:
    """Checkpoints that get a plot of their own: the shown ones as far as they fit, the last of them
    in any case."""
    room = MAX_PLOTS if len(review.steps) <= min(len(review.shown), MAX_PLOTS) else MAX_PLOTS - 1
    if len(review.shown) <= room:
        return review.shown
    return [*review.shown[: room - 1], review.last]


def maps_of(review: ReviewFrame) -> list[int | str]:
    """What each map shows, from left to right: a step, or `FIRST`, `LAST` or `NOW`.

    They stay as they are when checkpoints are added, so that the page is left as somebody arranged
    it.
    """
    maps: list[int | str] = [FIRST, LAST] if review.watching else [*plotted(review)]
    if has_slider(review):
        maps.insert(len(maps) - 1, NOW)
    return maps


def has_slider(review: ReviewFrame) -> bool:
    """Whether there are checkpoints that no plot of their own shows, or will be."""
    return review.watching or len(review.steps) > len(plotted(review))


def wide_layout(review: ReviewFrame) -> Layout:
    """Layout for the wide frame."""
    from renumics.spotlight import layout as ly

    plots = _plots(review)
    top = ly.split(
        ly.tab(_image_table(review), weight=36),
        *(ly.tab(plot, weight=64 // len(plots)) for plot in plots),
        weight=60,
        orientation="horizontal",
    )
    return ly.layout(top, _below(review), orientation="vertical")


def _plots(review: ReviewFrame) -> list[Any]:
    """Those of single checkpoints, and the slider's before the last."""
    from renumics.spotlight.layout.widgets import Widget

    return [
        Widget(type=WIDGETS[f"map{number}"], name=map_title(review, one))
        for number, one in enumerate(maps_of(review))
    ]


def _image_table(review: ReviewFrame) -> Any:
    """All images, the most atypical of the last checkpoint first."""
    from renumics.spotlight import layout as ly

    visible = (
        c.IMAGE_ID,
        c.IMAGE,
        c.LABEL,
        DECISION,
        at(c.PREDICTION, LAST),
        c.TRAJECTORY_LABEL_SCORE,
        at(c.OOD_SCORE, FIRST),
        at(c.OOD_SCORE, LAST),
        PERCENTILE_CHANGE,
        MOVED,
        OUTLIER,
    )
    return ly.table(
        "Images",
        visible_columns=_in_frame(review, *visible),
        sort_by_columns=[(at(c.OOD_SCORE, LAST), "ascending")],
    )


def _below(review: ReviewFrame) -> Any:
    """The review, the selected images and what is near them; the lists and the histograms."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout.widgets import Widget

    histograms = [
        ly.histogram(f"OOD score, {end}", column=name, stack_by_column=review.color_by)
        for end in (LAST, FIRST)
        for name in _in_frame(review, at(c.OOD_SCORE, end))
    ]
    card = Widget(type=WIDGETS["review"], name="Review")
    return ly.split(
        ly.tab(
            *([card] if DECISION in review.frame.columns else []),
            _inspector(review),
            Widget(type=WIDGETS["neighbors"], name="Neighbours"),
            Widget(type=WIDGETS["checkpoints"], name="Checkpoints"),
            weight=68,
        ),
        ly.tab(ly.issues("Lists"), *histograms, weight=32),
        weight=40,
        orientation="horizontal",
    )


MAP_TITLES = {FIRST: "First", LAST: "Last", NOW: "Slider"}


def map_title(review: ReviewFrame, place: int | str) -> str:
    """What stands above a map."""
    return plot_title(review, place) if isinstance(place, int) else MAP_TITLES[place]


def plot_title(review: ReviewFrame, step: int) -> str:
    """``First: step 0 (49 % variance, 8 % kept)``: which checkpoint, and how much of its variance
    and neighbours the plot keeps."""
    end = (
        "First: "
        if step == review.first and review.first != review.last
        else "Last: "
        if step == review.last
        else ""
    )
    one = review.checkpoints[step]
    variance = f"{one.variance_text} variance, " if one.variance_text else ""
    return f"{end}step {step} ({variance}{100 * one.map_kept:.0f} % kept)"


def long_layout(columns: list[str]) -> Layout:
    """Layout for the long frame: its rows are images at checkpoints, and nothing links those of one
    image."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout import lenses

    visible = [
        name
        for name in (c.CHECKPOINT, c.LABEL, c.PREDICTION, c.OOD_SCORE, c.OOD_PERCENTILE)
        if name in columns
    ]
    return ly.layout(
        ly.split(
            ly.tab(
                ly.table(
                    "Images x checkpoints",
                    visible_columns=visible,
                    sort_by_columns=[(c.OOD_PERCENTILE, "ascending")],
                ),
                weight=50,
            ),
            ly.tab(
                ly.scatterplot("Map", x_column=c.X, y_column=c.Y, color_by_column=c.CHECKPOINT),
                weight=50,
            ),
            weight=60,
            orientation="horizontal",
        ),
        ly.tab(
            ly.inspector(
                "Selected",
                [lenses.image(c.IMAGE), *(lenses.scalar(name) for name in visible)],
                num_columns=IMAGES_PER_ROW,
            ),
            weight=40,
        ),
        orientation="vertical",
    )


def _plot(checkpoint: int | str, title: str, color_by: str | None) -> Any:
    from renumics.spotlight import layout as ly

    return ly.scatterplot(
        title,
        x_column=at(c.X, checkpoint),
        y_column=at(c.Y, checkpoint),
        color_by_column=color_by,
    )


def _inspector(review: ReviewFrame) -> Any:
    """The selected images; under each one, by our plugin, its label and both predictions and
    scores."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout.lenses import Lens

    names = [one.page_name for one in shown_in(declared.INSPECTOR)]
    for end, where in zip(ENDS, declared.INSPECTED_ENDS, strict=True):
        names += [one.at(end) for one in shown_in(where)]
    shown = _in_frame(review, *names)
    pictures = Lens(type=LENSES["image"], columns=[c.IMAGE], name="image")
    return ly.inspector(
        "Selected images",
        [pictures, Lens(type=LENSES["summary"], columns=shown, name="facts")],
        num_columns=IMAGES_PER_ROW,
    )


def _in_frame(review: ReviewFrame, *names: str) -> list[str]:
    return [name for name in names if name in review.frame.columns]
