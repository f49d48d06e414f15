"""The picture of the film: where panels lie in each shape and size, which names stand in the map,
and the frame at the end."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film_data_of
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.animation.drawing.closing import draw_closing
from review_embeddings.review.animation.drawing.frame import Frame
from review_embeddings.review.animation.drawing.layout import Layout, Rectangle, grid_of
from review_embeddings.review.animation.drawing.naming import NamePlan, Room, plan_names
from review_embeddings.review.animation.filmdata import FilmData, read_film_data
from review_embeddings.review.animation.make import make_film
from review_embeddings.review.animation.options import FilmOptions
from review_embeddings.review.animation.pairs import ChangedImage, End, choose_pairs
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.render import Canvas, FrameStyle
from review_embeddings.review.animation.shapes import SHAPES, size_of
from review_embeddings.review.share.titles import title_of

CommandLine = Callable[..., tuple[int, str, str]]

SIZES = (480, 800, 2160)

LONG = "a class whose name is much too long to stand anywhere"


def many_classes() -> FilmData:
    """Sixty classes with long names that come apart."""
    data = film_data_of(images=600, classes=60, top=12)
    names = [f"{LONG} {number}" for number in range(60)]
    return dataclasses.replace(data, classes=names, predictions=[[names[7]] * 12] * 4)


def with_pairs(data: FilmData) -> FilmData:
    images = sorted(data.thumbnails)
    pairs = [
        ChangedImage(
            images[number],
            End(data.classes[-1], 0.25, images[number + 1]),
            End(data.label_of(images[number]), 0.99, images[number + 2]),
        )
        for number in range(3)
    ]
    return dataclasses.replace(data, pairs=tuple(pairs))


FILMS: dict[str, Callable[[], FilmData]] = {
    "plain": lambda: film_data_of(top=8),
    "long names": lambda: dataclasses.replace(
        film_data_of(top=8), classes=[LONG * 3] * 3, predictions=[[LONG] * 8] * 4
    ),
    "60 classes": many_classes,
}
TITLE = "vit-base-patch16-224-in21k on a-data-set-with-quite-a-long-name · 1,000,000 steps"


def figure_of(shape: str, width: int) -> Figure:
    across, down = size_of(shape, width)
    return Figure(figsize=(across / 100, down / 100), dpi=100)


def texts_of(figure: Any) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def assert_inside(text: Text, box: Any, slack: float = 1.0) -> None:
    """What is drawn may be a little narrower than matplotlib's measure."""
    own = text.get_window_extent()
    assert own.x0 >= box.x0 - slack and own.x1 <= box.x1 + slack, text.get_text()
    assert own.y0 >= box.y0 - slack and own.y1 <= box.y1 + slack, text.get_text()


# -- where panels lie


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", SIZES)
def test_panels_lie_inside_the_frame_and_beside_each_other(shape: str, width: int) -> None:
    layout = Layout.of(*size_of(shape, width))
    panels = [layout.map, layout.cards, layout.curves]
    for panel in panels:
        assert panel.left >= layout.margin - 1e-9 and panel.right <= layout.right + 1e-9
        assert panel.bottom >= layout.margin and panel.top < layout.step
        assert panel.width > 0.2 * layout.width and panel.height > 0.25
    for index, one in enumerate(panels):
        for other in panels[index + 1 :]:
            beside = one.right <= other.left or other.right <= one.left
            assert beside or one.top <= other.bottom or other.top <= one.bottom
    assert layout.map.width * layout.map.height > 0.2 * layout.width * layout.height


def test_shapes_are_what_they_are_called_and_even() -> None:
    assert [size_of(shape, 1080) for shape in ("square", "wide", "post", "landscape")] == [
        (1080, 1080),
        (1080, 608),
        (1080, 1350),
        (1080, 864),
    ]
    assert all(side % 2 == 0 for shape in SHAPES for side in size_of(shape, 481))


def test_a_grid_has_the_largest_pictures_that_fit_and_fewer_cells_where_they_do_not() -> None:
    room = Rectangle(0, 0, 4, 4)
    grid, count = grid_of(4, room, caption=0.5, least=1, least_width=1)
    assert (grid.columns, grid.rows, count) == (2, 2, 4)  # pictures of 1.5; four in a row have 1
    grid, count = grid_of(12, room, caption=0.5, least=1.2, least_width=1)
    assert (grid.columns, grid.rows, count) == (3, 2, 6)  # 4 / 3 wide, 2 - 0.5 high
    assert grid.cell(4, room) == pytest.approx((4 / 3, 0, 4 / 3, 2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("film", FILMS)
def test_nothing_is_cut_in_any_shape_and_pictures_are_large(
    shape: str, width: int, film: str
) -> None:
    figure = figure_of(shape, width)
    frame = Frame(figure, FILMS[film](), title=TITLE)
    frame.show(Moment(2))
    for text in texts_of(figure):
        assert_inside(text, figure.bbox)
    for text in [*frame.map_panel.names.names.values(), *frame.map_panel.key.names]:
        if text.get_visible():
            assert_inside(text, frame.map.bbox, slack=0.012 * width)
    cards = frame.leaderboard.cards
    assert len(cards) >= 3
    for card in cards:
        side = card.picture.square.width / Layout.of(*size_of(shape, width)).width
        assert side >= 0.08
    shown = frame.leaderboard.axes.bbox
    for card in cards:
        assert_inside(card.label, shown, slack=0.012 * width)
        assert_inside(card.prediction, shown, slack=0.012 * width)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("film", FILMS)
def test_nothing_is_cut_in_the_frame_at_the_end(shape: str, film: str) -> None:
    for width in (480, 1080):
        figure = figure_of(shape, width)
        draw_closing(figure, with_pairs(FILMS[film]()), theme="dark", title=TITLE, credit=True)
        for text in texts_of(figure):
            assert_inside(text, figure.bbox)


@pytest.mark.parametrize("film", FILMS)
def test_points_and_rings_lie_inside_the_map_at_every_checkpoint(film: str) -> None:
    data = FILMS[film]()
    frame = Frame(figure_of("post", 800), data)
    for checkpoint in range(len(data.steps)):
        frame.show(Moment(checkpoint))
        pixels = frame.map.transData.transform(np.asarray(frame.points.get_offsets()))
        box = frame.map.bbox
        assert (pixels.min(axis=0) > box.min).all() and (pixels.max(axis=0) < box.max).all()


def test_a_frame_says_what_it_is_of_and_what_made_it() -> None:
    data = dataclasses.replace(film_data_of(), title="vit on digits · 30 steps")

    def words(**style: Any) -> set[str]:
        canvas = Canvas(data, FrameStyle(800, **style))
        return {text.get_text() for text in texts_of(canvas.frame.figure)}

    assert {"vit on digits · 30 steps", "review-embeddings"} <= words()
    assert "mine" in words(title="mine") and "vit on digits · 30 steps" not in words(title="mine")
    silent = words(title="", credit=False)
    assert not {"vit on digits · 30 steps", "review-embeddings"} & silent


# -- names in the map


def named(
    maps: list[list[tuple[float, float]]], labels: list[int], sizes: list[tuple[float, float]]
) -> NamePlan:
    room = Room(np.array([-10.0, -10.0]), np.array([10.0, 10.0]))
    codes = np.array(labels)
    nothing = np.zeros((0, 2))
    return plan_names(
        np.array(maps, dtype=np.float32), lambda _: codes, np.array(sizes), room, lambda _: nothing
    )


def square_at(x: float, y: float, half: float = 1.0) -> list[tuple[float, float]]:
    return [(x - half, y - half), (x - half, y + half), (x + half, y - half), (x + half, y + half)]


def test_a_name_comes_when_its_class_has_come_apart() -> None:
    mixed = square_at(0, 0) * 2
    apart = square_at(-5, 0) + square_at(5, 0)
    plan = named([mixed, apart], [0] * 4 + [1] * 4, [(1, 0.5), (1, 0.5)])
    assert plan.shown.tolist()[1] == [True, True]
    np.testing.assert_allclose(plan.positions[1], [[-5, 0], [5, 0]])  # clouds wider than names
    _, seen = plan.at(0, 0.5)
    first = plan.shown[0].astype(float)
    np.testing.assert_allclose(seen, (first + 1) / 2)


def test_a_name_stands_beside_a_small_cloud_that_it_would_hide() -> None:
    plan = named([square_at(0, 0, 0.1)], [0] * 4, [(2, 1)])
    assert plan.shown.all() and plan.positions[0, 0, 1] > 0.5  # above it


def test_names_that_would_lie_on_each_other_or_outside_do_not_stand() -> None:
    near = square_at(0, 0, 0.01) + square_at(0.5, 0, 0.01)
    plan = named([near], [0] * 4 + [1] * 4, [(9, 9), (9, 9)])
    boxes = [plan.positions[0, code] for code in np.flatnonzero(plan.shown[0])]
    for index, one in enumerate(boxes):
        assert (np.abs(one) <= 10 - 4.5).all()
        assert all((np.abs(one - other) >= 9).any() for other in boxes[:index])
    huge = named([square_at(0, 0)], [0] * 4, [(21, 1)])
    assert not huge.shown.any()


def test_a_class_that_lies_among_others_is_nowhere() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(1, 300, 2)).tolist()
    plan = named(points, list(range(3)) * 100, [(0.5, 0.2)] * 3)
    assert not plan.shown.any()


def test_the_key_goes_when_all_names_stand_in_the_map() -> None:
    frame = Canvas(film_data_of(images=300), FrameStyle(800)).frame
    key, names = frame.map_panel.key, frame.map_panel.names

    def visible(labels: Any) -> list[bool]:
        return [label.get_visible() for label in labels]

    frame.show(Moment(0))
    assert visible(key.names) == [True] * 3 and not all(visible(names.names.values()))
    frame.show(Moment(3))
    assert visible(key.names) == [False] * 3 and visible(names.names.values()) == [True] * 3
    middles = np.array([label.get_position() for label in names.names.values()])
    angles = 2 * np.pi * np.arange(3) / 3
    ends = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert (np.linalg.norm(middles - ends, axis=1) < 1.5).all()  # each at its own class


# -- points


def test_points_that_lie_on_each_other_are_darker_than_one() -> None:
    one = film_data_of(images=1, top=0)
    two = film_data_of(images=2, top=0)

    def color(data: FilmData) -> NDArray[np.float64]:
        zero = np.zeros((4, len(data.ids), 2), dtype=np.float32)
        plain = dataclasses.replace(
            data, points=zero, classes=[], labels=np.full(len(data.ids), -1, dtype=np.int32)
        )
        canvas = Canvas(plain, FrameStyle(800))
        pixels = canvas.draw(Moment(0))
        x, y = canvas.frame.map.transData.transform((0, 0)).astype(int)
        return np.asarray(pixels[len(pixels) - y, x, :3], dtype=np.float64)

    assert (color(two) < color(one) - 5).all() and (color(one) < 200).all()


# -- before and after


def test_pairs_are_images_that_became_right_the_surest_first_each_of_another_class() -> None:
    before = np.array(["cat", "cat", "dog", "cat", "", "dog", "owl"])
    after = np.array(["dog", "dog", "dog", "owl", "owl", "cat", "cat"])
    labels = np.array(["dog", "dog", "dog", "owl", "owl", "cat", "dog"])
    first = np.array([0.9, 0.8, 0.9, 0.3, 0.9, 0.5, 0.9])
    last = np.array([0.7, 0.8, 0.9, 0.9, 0.9, 0.6, 0.9])
    assert choose_pairs(before, after, first, last, labels) == [1, 5, 3]
    assert choose_pairs(before, after, first, last, None) == [6, 1, 3]
    none = np.full(7, "")
    assert choose_pairs(none, none, first, last, labels) == []
    unsure = np.full(7, np.nan)
    assert choose_pairs(before, after, unsure, unsure, labels) == [0, 3, 5]


def test_the_frame_at_the_end_is_the_same_on_any_number_of_processes(tmp_path: Path) -> None:
    data = with_pairs(film_data_of(checkpoints=8))
    options = FilmOptions(size=480, tween=5, hold=0.2, fps=10)
    films = [
        make_film(data, tmp_path / f"{count}.gif", options, processes=count) for count in (1, 2)
    ]
    assert (films[0].path.read_bytes() == films[1].path.read_bytes()) is True  # no diff of bytes
    assert films[0].frames == 7 * 6 + 1 + 1 and films[0].seconds == pytest.approx(4.2 + 0.2 + 3)
    without = make_film(
        data, tmp_path / "without.gif", dataclasses.replace(options, closing=False), processes=1
    )
    assert without.frames == films[0].frames - 1
    canvas = Canvas(data, FrameStyle(480))
    closing = canvas.draw(Moment(7, closing=True)).copy()
    assert closing.shape == (384, 480, 4) and (closing[..., 3] == 255).all()
    assert (closing != canvas.draw(Moment(7))).any()
    np.testing.assert_array_equal(closing, canvas.draw(Moment(7, closing=True)))


# -- a run


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))


def test_a_film_of_a_run_has_a_title_and_pairs(run: RunFolder) -> None:
    data = read_film_data(run)
    assert data.title == title_of(run, 100) and data.title.endswith(" · 100 steps")
    assert len(data.pairs) == 3
    first, last = (run.read_array("neighbors", step) for step in (10, 100))
    for pair in data.pairs:
        assert pair.before.prediction != pair.after.prediction == data.label_of(pair.image)
        assert pair.before.nearest == first[pair.image, 0]
        assert pair.after.nearest == last[pair.image, 0]
        assert set(pair.images) <= set(data.thumbnails)


def test_shape_title_and_credit_are_options(run: RunFolder, review_embeddings: CommandLine) -> None:
    out = run.path.parent / "still.png"
    stills = {}
    for options in ((), ("--title", "mine"), ("--no-credit",), ("--shape", "post")):
        command = ("animate", "--run", run.path, "--frame", "100", "--size", 480, "--out", out)
        code, _output, errors = review_embeddings(*command, *options)
        assert code == 0, errors
        stills[options] = np.asarray(Image.open(out))
    assert stills[("--shape", "post")].shape == (600, 480, 3)
    assert (stills[("--title", "mine")][:30] != stills[()][:30]).any()
    assert (stills[("--no-credit",)][-20:] == 255).all() and (stills[()][-20:] < 200).any()
    code, _, errors = review_embeddings("animate", "--run", run.path, "--shape", "round")
    assert code == 2
    assert "--shape round is not known. Use landscape or square or wide or post." in errors
