"""The preset layout: table and plots above, the images of the selection, the ready-made lists and a
histogram below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.review.page.frame import ReviewFrame, tag
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


def has_slider(review: ReviewFrame) -> bool:
    """Whether there are checkpoints that no plot of their own shows, or will be."""
    return review.watching or len(review.steps) > len(plotted(review))


def wide_layout(review: ReviewFrame) -> Layout:
    """Layout for the wide frame."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout.widgets import Widget

    # the layout stays as it is when checkpoints are added, so that it is left as somebody arranged
    # it
    if review.watching:
        plots = [_plot("first", "First", review.color_by), _plot("last", "Last", review.color_by)]
    else:
        plots = [
            _plot(tag(step), plot_title(review, step), review.color_by) for step in plotted(review)
        ]
    if has_slider(review):
        plots.insert(len(plots) - 1, _plot("now", "Slider", review.color_by))
    table = ly.table(
        "Images",
        visible_columns=_in_frame(
            review,
            "label",
            "decision",
            "prediction_last",
            "trajectory_label_score",
            "ood_first",
            "ood_last",
            "percentile_change",
            "moved",
            "outlier",
        ),
        sort_by_columns=[("ood_last", "ascending")],
    )
    left: Any = ly.tab(table, weight=36)
    if "decision" in review.frame.columns:
        panel = Widget(type=WIDGETS["panel"], name="Decide")
        left = ly.split(
            ly.tab(table, weight=60), ly.tab(panel, weight=40), weight=36, orientation="vertical"
        )
    top = ly.split(
        left,
        *(ly.tab(plot, weight=64 // len(plots)) for plot in plots),
        weight=60,
        orientation="horizontal",
    )
    bottom = ly.split(
        ly.tab(
            _inspector(review),
            Widget(type=WIDGETS["neighbors"], name="Neighbours"),
            Widget(type=WIDGETS["checkpoints"], name="Checkpoints"),
            weight=68,
        ),
        ly.tab(
            ly.issues("Lists"),
            ly.histogram("OOD score, last", column="ood_last", stack_by_column=review.color_by),
            *(
                [
                    ly.histogram(
                        "OOD score, first", column="ood_first", stack_by_column=review.color_by
                    )
                ]
                if "ood_first" in review.frame.columns
                else []
            ),
            weight=32,
        ),
        weight=40,
        orientation="horizontal",
    )
    return ly.layout(top, bottom, orientation="vertical")


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
    facts = review.facts[step]
    variance = f"{facts.variance_said} variance, " if facts.variance_said else ""
    return f"{end}step {step} ({variance}{100 * facts.map_kept:.0f} % kept)"


def long_layout(columns: list[str]) -> Layout:
    """Layout for the long frame: its rows are images at checkpoints, and nothing links those of one
    image."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout import lenses

    visible = [
        name
        for name in ("checkpoint", "label", "prediction", "ood_score", "ood_percentile")
        if name in columns
    ]
    return ly.layout(
        ly.split(
            ly.tab(
                ly.table(
                    "Images x checkpoints",
                    visible_columns=visible,
                    sort_by_columns=[("ood_percentile", "ascending")],
                ),
                weight=50,
            ),
            ly.tab(
                ly.scatterplot("Map", x_column="x", y_column="y", color_by_column="checkpoint"),
                weight=50,
            ),
            weight=60,
            orientation="horizontal",
        ),
        ly.tab(
            ly.inspector(
                "Selected",
                [lenses.image("image"), *(lenses.scalar(name) for name in visible)],
                num_columns=IMAGES_PER_ROW,
            ),
            weight=40,
        ),
        orientation="vertical",
    )


def _plot(suffix: str, title: str, color_by: str | None) -> Any:
    from renumics.spotlight import layout as ly

    return ly.scatterplot(
        title, x_column=f"x_{suffix}", y_column=f"y_{suffix}", color_by_column=color_by
    )


def _inspector(review: ReviewFrame) -> Any:
    """The selected images; under each one, by our plugin, its label and both predictions and
    scores."""
    from renumics.spotlight import layout as ly
    from renumics.spotlight.layout.lenses import Lens

    of_checkpoints = (
        "ood_first",
        "prediction_first",
        "ood_last",
        "prediction_last",
        "suggested_last",
    )
    of_images = (
        "trajectory_label_score",
        "image_issue",
        "leak_of",
        "leak_label",
        "duplicate_group",
    )
    facts = _in_frame(review, "image_id", "label", *of_checkpoints, *of_images)
    pictures = Lens(type=LENSES["image"], columns=["image"], name="image")
    return ly.inspector(
        "Selected images",
        [pictures, Lens(type=LENSES["summary"], columns=facts, name="facts")],
        num_columns=IMAGES_PER_ROW,
    )


def _in_frame(review: ReviewFrame, *names: str) -> list[str]:
    return [name for name in names if name in review.frame.columns]
