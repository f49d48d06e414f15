"""The preset layouts, one for each size of a window: the maps above, the image that is decided
about below, the lists at its right where there is room; all else in tabs behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def plotted(review: ReviewFrame, room: int = MAX_PLOTS) -> list[int]:
    """Checkpoints that get a plot of their own: the shown ones as far as they fit, the last of them
    in any case. ``room`` is for so many maps of the run."""
    room = room if len(review.steps) <= min(len(review.shown), room) else room - 1
    if len(review.shown) <= room:
        return review.shown
    return [*review.shown[: room - 1], review.last]


def maps_of(review: ReviewFrame, room: int = MAX_PLOTS) -> list[int | str]:
    """What each map shows, from left to right: a step, or `FIRST`, `LAST` or `NOW`.

    They stay as they are when checkpoints are added, so that the page is left as somebody arranged
    it.
    """
    maps: list[int | str] = [FIRST, LAST] if review.watching else [*plotted(review, room)]
    if has_slider(review, room):
        maps.insert(len(maps) - 1, NOW)
    return maps


def has_slider(review: ReviewFrame, room: int = MAX_PLOTS) -> bool:
    """Whether there are checkpoints that no plot of their own shows, or will be."""
    return review.watching or len(review.steps) > len(plotted(review, room))


@dataclass(frozen=True)
class PageMap:
    """One of the maps beside each other."""

    title: str
    """What stands above it, where Spotlight names it."""
    shows: int | str
    """A step, or `FIRST`, `LAST` or `NOW`."""
    columns: tuple[str, str]
    """Of the frame: x and y."""
    run: str = ""
    """Key of the run that it is of; empty for the page's own."""


def own_maps(review: ReviewFrame, room: int = MAX_PLOTS) -> list[PageMap]:
    """The maps of the page's run, from left to right."""
    return [
        PageMap(map_title(review, one), one, (at(c.X, one), at(c.Y, one)))
        for one in maps_of(review, room)
    ]


@dataclass(frozen=True)
class Rooms:
    """How much each part of a page gets, in percent."""

    maps: int
    """Of the height."""
    lists: int
    """Of the width; 0 for none, the card has a menu of them."""


ROOMS = (Rooms(maps=42, lists=0), Rooms(maps=46, lists=22), Rooms(maps=48, lists=20))
"""By the size of the window, as `WINDOW_WIDTHS` bound them."""


def wide_layouts(review: ReviewFrame, shown: Sequence[PageMap] | None = None) -> list[Layout]:
    """Layouts for the wide frame, by the size of the window; ``shown`` are the maps, by default
    those of the run."""
    maps = own_maps(review) if shown is None else shown
    return [_wide_layout(review, maps, rooms) for rooms in ROOMS]


def _wide_layout(review: ReviewFrame, shown: Sequence[PageMap], rooms: Rooms) -> Layout:
    from renumics.spotlight import layout as ly

    maps = [
        ly.tab(_ours(f"map{number}", one.title), weight=100 // len(shown))
        for number, one in enumerate(shown)
    ]
    images, lists = _about_images(review), [_ours("lists", "Lists")]
    if rooms.lists:
        below = [ly.tab(*images, weight=100 - rooms.lists), ly.tab(*lists, weight=rooms.lists)]
    else:
        below = [ly.tab(*images, *lists)]
    return ly.layout(
        ly.split(*maps, weight=rooms.maps, orientation="horizontal"),
        ly.split(*below, weight=100 - rooms.maps, orientation="horizontal"),
        orientation="vertical",
    )


def _about_images(review: ReviewFrame) -> list[Any]:
    """The current image first, then what there is about all of them."""
    from renumics.spotlight import layout as ly

    histograms = [
        ly.histogram(f"OOD score, {end}", column=name, stack_by_column=review.color_by)
        for end in (LAST, FIRST)
        for name in _in_frame(review, at(c.OOD_SCORE, end))
    ]
    return [
        _ours("review", "Review"),
        _image_table(review),
        _inspector(review),
        _ours("neighbors", "Neighbours"),
        _ours("checkpoints", "Checkpoints"),
        *([_ours("classes", "Classes")] if c.LABEL in review.frame.columns else []),
        *histograms,
    ]


def _ours(widget: str, name: str) -> Any:
    from renumics.spotlight.layout.widgets import Widget

    return Widget(type=WIDGETS[widget], name=name)


def _image_table(review: ReviewFrame) -> Any:
    """All images, the most atypical of the last checkpoint first."""
    from renumics.spotlight import layout as ly

    predicted = at(c.PREDICTION, LAST)
    visible = (
        c.IMAGE_ID,
        c.IMAGE,
        c.LABEL,
        DECISION,
        *(name for name in review.frame.columns if name.partition("__")[0] == predicted),
        c.TRAJECTORY_LABEL_SCORE,
        at(c.OOD_RANK, FIRST),
        at(c.OOD_RANK, LAST),
        PERCENTILE_CHANGE,
        MOVED,
        OUTLIER,
    )
    return ly.table(
        "Images",
        visible_columns=_in_frame(review, *visible),
        sort_by_columns=[(at(c.OOD_RANK, LAST), "ascending")],
    )


MAP_TITLES = {FIRST: "First", LAST: "Last", NOW: "Slider"}


def map_title(review: ReviewFrame, place: int | str) -> str:
    """What stands above a map."""
    return plot_title(review, place) if isinstance(place, int) else MAP_TITLES[place]


def plot_title(review: ReviewFrame, step: int) -> str:
    """``First: step 0``: short, so that four stand beside each other; how far a map can be trusted
    stands in the table of the checkpoints."""
    if step == review.last:
        return f"Last: step {step}"
    return f"First: step {step}" if step == review.first else f"Step {step}"


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
