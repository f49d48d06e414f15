"""The film: what a frame shows, when, in which colours, and that the file holds what was drawn."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film_data_of
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from tables import write_made_table

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.project import turn_onto_next
from review_embeddings.pipeline.errors import ReviewError, RunError, SettingsError, StorageError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training import log as trainlog
from review_embeddings.review.animation.colors import class_colors
from review_embeddings.review.animation.drawing.trails import PIECES, trail_pieces
from review_embeddings.review.animation.encode import palette, png, video
from review_embeddings.review.animation.film import animate, draw_frame, draw_still
from review_embeddings.review.animation.filmdata import FilmData, read_film_data
from review_embeddings.review.animation.make import frame_style, make_film, remarks
from review_embeddings.review.animation.motion import film_maps, turned_by
from review_embeddings.review.animation.options import FilmOptions
from review_embeddings.review.animation.plan import Moment, ease, largest, plan
from review_embeddings.review.animation.render import Canvas, FrameStyle, quiet_fonts
from review_embeddings.review.animation.themes import THEMES

CommandLine = Callable[..., tuple[int, str, str]]
REFERENCES = Path(__file__).parents[1] / "data" / "frames"


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    """A finished run of 36 images and checkpoints 10, 20, 100 with a log of its own."""
    folder = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    log = trainlog.TrainingLog(folder.log)
    log.begin(0)
    for step, loss in ((5, 2.0), (10, 1.5), (50, 0.8), (100, 0.4)):
        log.add(step, {"loss": loss, "epoch": step / 50})
    log.add(20, {"eval_accuracy": 0.5})
    log.add(100, {"eval_accuracy": 0.9})
    return folder


# -- when


def test_equal_time_for_each_checkpoint_and_the_last_one_held() -> None:
    moments = plan([0, 1, 100], tween=1, pace="equal", fps=10, hold=2)
    assert moments == [
        Moment(0, 0.0),
        Moment(0, 0.5),
        Moment(1, 0.0),
        Moment(1, 0.5),
        Moment(2, 0.0, 20),
    ]


def test_time_proportional_to_steps_is_as_long_in_all() -> None:
    still = plan([0, 10, 40], tween=0, pace="steps", fps=10, hold=0)
    assert [(moment.checkpoint, moment.ticks) for moment in still] == [
        (0, 1),
        (1, 2),
        (2, 1),
    ]  # 2 ticks shared 1 : 3, at least one each
    moving = plan([0, 10, 40], tween=3, pace="steps", fps=10, hold=0)
    assert [moment.checkpoint for moment in moving] == [0, 0] + [1] * 6 + [
        2
    ]  # 8 ticks shared 1 : 3


def test_checkpoints_that_are_lingered_on_stay_half_a_second_longer() -> None:
    assert largest([0.2, 0.9, 0.9, 0.0], 2) == (1, 2) and largest([0.2, 0.0], 5) == (0,)
    usual = plan([0, 10, 20], tween=1, pace="equal", fps=10, hold=2)
    longer = plan([0, 10, 20], tween=1, pace="equal", fps=10, hold=2, lingering=(1, 2))
    assert [moment.ticks for moment in usual] == [1, 1, 1, 1, 20]
    assert [moment.ticks for moment in longer] == [1, 1, 6, 1, 25]


@given(st.floats(0, 1))
def test_the_way_begins_and_ends_at_rest_and_is_symmetric(fraction: float) -> None:
    assert 0 <= ease(fraction) <= 1
    assert ease(fraction) + ease(1 - fraction) == pytest.approx(1)
    assert ease(1e-4) < 1e-6 and ease(0.5) == 0.5


# -- where


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.floats(0, 6.28), st.booleans()), min_size=3, max_size=3),
)
def test_the_film_does_not_depend_on_how_the_maps_before_the_last_were_turned(
    seed: int, turns: list[tuple[float, bool]]
) -> None:
    random = np.random.default_rng(seed)
    maps = random.normal(size=(1, 30, 2)) + random.normal(scale=0.3, size=(4, 30, 2))
    maps -= maps.mean(axis=1, keepdims=True)
    other = maps.copy()
    for place, (angle, flip) in enumerate(turns):
        turn = np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        ) @ np.diag([1, -1 if flip else 1])
        other[place] = maps[place] @ turn
    film = turn_onto_next(maps)
    np.testing.assert_allclose(turn_onto_next(other), film, atol=1e-9)
    np.testing.assert_array_equal(film[-1], maps[-1])
    np.testing.assert_allclose(
        np.linalg.norm(film, axis=2), np.linalg.norm(maps, axis=2), atol=1e-9
    )  # only turned


def test_a_map_on_one_point_is_left_alone() -> None:
    maps = np.stack([np.eye(2), np.zeros((2, 2)), np.eye(2)])
    np.testing.assert_array_equal(turn_onto_next(maps), maps)


def test_a_trail_is_straight_between_checkpoints_and_fades_after_four() -> None:
    ways = np.array([[[0, 0]], [[8, 0]], [[8, 4]]])  # one image, at three moments
    pieces, left = trail_pieces(ways, np.array([0, 3, 5.0]))
    assert (
        len(pieces) == len(left) == 2 * PIECES - 3
    )  # three pieces are older than four checkpoints
    assert (np.diff(left) > 0).all() and left[-1] == 1 - (2 / PIECES / 2) / 4
    np.testing.assert_array_equal(pieces[1:, 0], pieces[:-1, 1])  # each begins where one ends
    np.testing.assert_array_equal(pieces[0, 0], [3, 0])
    np.testing.assert_array_equal(pieces[PIECES - 4, 1], [8, 0])  # by way of the middle one
    np.testing.assert_array_equal(pieces[-1, 1], [8, 4])


def test_a_trail_of_no_time_has_no_length() -> None:
    pieces, left = trail_pieces(np.ones((2, 3, 2)), np.array([4.0, 4.0]))
    assert pieces.shape == (0, 2, 2) and left.shape == (0,)


def test_at_most_three_trails_are_drawn_and_the_film_says_so(tmp_path: Path) -> None:
    data = film_data_of()
    options = FilmOptions(size=480, tween=0, trails=4, trail=(103,))
    assert frame_style(data, options).trails == (3, *data.furthest(2))
    made = make_film(data, tmp_path / "film.gif", options, processes=1)
    hidden = dataclasses.replace(data, classes=["\U000f0000", "b", "c"])
    assert remarks(hidden, FilmOptions()) == (
        "No font here has \U000f0000 (U+F0000): boxes stand for them. "
        "A Noto font has most letters.",
    )
    assert made.remarks == ("Drew 3 of 5 trails: more cannot be told apart.",)
    few = dataclasses.replace(options, trails=0)
    assert make_film(data, tmp_path / "few.gif", few, processes=1).remarks == ()


def turned(points: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ turn, dtype=np.float32)


def test_a_film_says_how_its_maps_are_turned_against_the_table() -> None:
    last = np.array([[1, 0], [-1, 0], [0, 2], [0, -2]], dtype=np.float32)
    table_maps = np.stack([turned(last, 34), turned(last, -0.4), last * [1, -1], last])
    maps, notes = film_maps(table_maps.astype(np.float32), "next", shared_basis=False)
    for shown in maps:
        np.testing.assert_allclose(shown, last, atol=1e-6)
    assert notes[0] == "turned 34° against the table"
    assert notes[1] == "turned 0.4° against the table"
    assert notes[3] == ""
    for align, shared in (("table", False), ("next", True)):
        same, none = film_maps(table_maps, align, shared_basis=shared)
        assert same is table_maps and none == [""] * 4


def test_a_mirrored_map_is_said_to_be_mirrored() -> None:
    map_ = np.array([[1, 0], [-1, 0], [0, 2], [1, -2]], dtype=np.float32)
    assert turned_by(map_ * np.array([1, -1]), map_) == "mirrored against the table"
    assert turned_by(map_ + 0.004, map_) == ""  # not a pixel


def test_the_corner_of_the_map_says_where_it_is_not_the_tables(run: RunFolder) -> None:
    table_film, film = (read_film_data(run, align=align) for align in ("table", "next"))
    rows = [table.read(run, checkpoints=[step])[["x", "y"]] for step in film.steps]
    np.testing.assert_array_equal(table_film.points, np.stack(rows).astype(np.float32))
    assert not any(table_film.turned) and any(film.turned)
    frame = Canvas(film, FrameStyle(480)).frame
    for checkpoint in (0, 2):
        frame.show(Moment(checkpoint))
        assert notes_of(frame) == film.turned[checkpoint]
    assert film.turned[2] == ""


# -- colours


def test_without_labels_images_have_the_colour_of_their_prediction() -> None:
    data = film_data_of(checkpoints=3)
    predicted = np.stack([data.labels, (data.labels + 1) % 3, np.full(60, -1)]).astype(np.int32)
    unlabelled = dataclasses.replace(
        data,
        labels=np.full(60, -1, dtype=np.int32),
        classes=[],
        predicted=predicted,
        predicted_classes=tuple(data.classes),
    )
    frame = Canvas(unlabelled, FrameStyle(480)).frame
    plain = [int(THEMES["light"].plain[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    colors = np.vstack([class_colors(3), plain])
    for checkpoint in (1, 2, 0):
        frame.show(Moment(checkpoint))
        codes = predicted[checkpoint]
        np.testing.assert_allclose(colors_of(frame.points), colors[codes])
        leaders = data.leaders[checkpoint]
        np.testing.assert_allclose(colors_of(frame.map_panel.rings.points), colors[codes[leaders]])


@pytest.mark.parametrize("count", [0, 1, 2, 11, 100])
def test_any_number_of_classes_has_as_many_different_colours(count: int) -> None:
    colors = class_colors(count)
    assert colors.shape == (count, 3) and (colors >= 0).all() and (colors <= 1).all()
    assert len({tuple(np.rint(color * 255)) for color in colors}) == count


# -- what


def test_the_film_data_are_what_table_log_and_images_say(run: RunFolder) -> None:
    data = read_film_data(run, top=5)
    assert data.steps == [10, 20, 100] and data.epochs == [0.2, 0.4, 2.0]
    for place, step in enumerate(data.steps):
        part = table.read(run, checkpoints=[step]).sort_values("ood_rank").head(5)
        assert data.ids[data.leaders[place]].tolist() == part["image_id"].tolist()
        assert data.scores[place].tolist() == part["ood_score"].tolist()
        assert data.predictions[place] == part["prediction"].astype(str).tolist()
        assert [data.label_of(leader) for leader in data.leaders[place].tolist()] == part[
            "label"
        ].astype(str).tolist()
        first = Image.open(io.BytesIO(part["image"].iloc[0])).convert("RGB")
        np.testing.assert_array_equal(
            data.thumbnails[int(data.leaders[place][0])], np.asarray(first)
        )
    last = table.read(run, checkpoints=[100])
    np.testing.assert_array_equal(data.points[-1], last[["x", "y"]].to_numpy(dtype=np.float32))
    assert data.loss.tolist() == [[5, 2.0], [10, 1.5], [50, 0.8], [100, 0.4]]
    assert data.accuracy.tolist() == [[20, 0.5], [100, 0.9]]


def test_without_a_log_that_of_the_trainer_serves(built_run: Path) -> None:
    logged = [[step, 2 - step / 100] for step in range(10, 101, 10)]
    assert read_film_data(RunFolder(built_run)).loss.tolist() == logged


def test_without_a_log_the_accuracy_is_what_the_trainer_says(
    built_run: Path, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    (run.path / "history.json").unlink()
    path = run.path / "checkpoint-100/trainer_state.json"
    state = json.loads(path.read_text())
    evaluated = [{"step": 20, "eval_accuracy": 0.5}, {"step": 100, "eval_accuracy": 0.9}]
    path.write_text(json.dumps({**state, "log_history": [*state["log_history"], *evaluated]}))
    assert not run.log.exists()
    data = read_film_data(run)
    assert data.accuracy.tolist() == [[20, 0.5], [100, 0.9]]
    assert Canvas(data, FrameStyle(480)).frame.curve_panel.accuracy is not None


def test_without_any_log_the_losses_of_the_checkpoints_serve(
    built_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(built_run, tmp_path / "run"))
    for state in run.glob("checkpoint-*/trainer_state.json"):
        state.unlink()
    (run / "history.json").unlink()
    assert read_film_data(RunFolder(run)).loss.tolist() == [[10, 1.9], [20, 1.8], [100, 1.0]]


def test_the_images_that_move_furthest() -> None:
    data = film_data_of()
    ways = [
        sum(np.linalg.norm(data.points[k + 1, place] - data.points[k, place]) for k in range(3))
        for place in range(60)
    ]
    assert data.furthest(3) == sorted(range(60), key=lambda place: -ways[place])[:3]


def notes_of(frame: Any) -> str:
    """What the map's corner says, from its upper line to the lowest."""
    texts = [note.get_text() for note in reversed(frame.map_panel.notes)]
    return ", ".join(text for text in texts if text)


def colors_of(dots: Any) -> NDArray[np.float64]:
    """Red, green and blue of each dot, in [0, 1]."""
    return np.asarray(dots.get_facecolor())[:, :3]


def test_a_frame_shows_the_numbers_of_its_checkpoint() -> None:
    data = film_data_of()
    frame = Canvas(data, FrameStyle(480, trails=(3, 7))).frame
    rings, trails, curves = frame.map_panel.rings, frame.map_panel.trails, frame.curve_panel
    frame.show(Moment(2))
    leaders = data.leaders[2]
    np.testing.assert_array_equal(frame.points.get_offsets(), data.points[2])
    np.testing.assert_allclose(colors_of(frame.points), class_colors(3)[data.labels])
    assert (
        frame.title.get_text() == "Step 20  ·  epoch 0.20"
        and frame.title_line.following.get_text() == "→ 30"
    )
    assert frame.title_line.subtitle.get_text() == "accuracy 0.300 at step 0"
    np.testing.assert_array_equal(rings.points.get_offsets(), data.points[2][leaders])
    np.testing.assert_allclose(
        colors_of(rings.points),
        class_colors(3)[data.labels[leaders]],
    )
    np.testing.assert_array_equal(trails.heads.get_offsets(), data.points[2][[3, 7]])
    assert [name.get_text() for name in trails.names] == ["#103", "#107"]
    np.testing.assert_array_equal(frame.rings.get_offsets(), data.points[2][leaders])
    for card, leader in zip(frame.leaderboard.cards, leaders.tolist(), strict=True):
        assert card.label.get_text() == data.label_of(leader)
        assert card.prediction.get_text() == "→ class 0"
        np.testing.assert_array_equal(card.picture.image.get_array(), data.thumbnails[leader])
        color = np.array(card.bar.get_facecolor())[:3]
        np.testing.assert_allclose(color, class_colors(3)[data.labels[leader]])
    assert [card.number.get_text() for card in frame.leaderboard.cards] == ["1", "2", "3", "4"]
    assert np.asarray(curves.loss.get_xydata()).tolist() == [
        [0, 2.0],
        [10, 1.5],
        [20, 1.0],
    ]
    assert curves.accuracy is not None and np.asarray(curves.accuracy.get_xydata()).tolist() == [
        [0, 0.3]
    ]
    assert frame.map.get_aspect() == 1
    pieces = np.array(trails.lines.get_segments())  # the oldest first, of both images in turn
    np.testing.assert_array_equal(pieces[:2, 0], data.points[0, [3, 7]])
    np.testing.assert_array_equal(pieces[-2:, 1], data.points[2, [3, 7]])


def test_between_checkpoints_only_points_move() -> None:
    data = film_data_of()
    frame = Canvas(data, FrameStyle(480)).frame
    frame.show(Moment(1))
    before = (
        frame.title.get_text(),
        [card.label.get_text() for card in frame.leaderboard.cards],
        np.asarray(frame.curve_panel.loss.get_xydata()).tolist(),
    )
    limits = (frame.map.get_xlim(), frame.curves.get_xlim(), frame.curves.get_ylim())
    frame.show(Moment(1, 0.25))
    expected = 0.75 * data.points[1].astype(float) + 0.25 * data.points[2]
    points, rings = (np.asarray(one.get_offsets()) for one in (frame.points, frame.rings))
    np.testing.assert_allclose(points, expected, atol=1e-6)
    np.testing.assert_allclose(rings, expected[data.leaders[1]], atol=1e-6)
    assert np.asarray(frame.curve_panel.now.get_xdata()).tolist() == [12.5, 12.5]
    assert before == (
        frame.title.get_text(),
        [card.label.get_text() for card in frame.leaderboard.cards],
        np.asarray(frame.curve_panel.loss.get_xydata()).tolist(),
    )
    frame.show(Moment(3))
    assert limits == (frame.map.get_xlim(), frame.curves.get_xlim(), frame.curves.get_ylim())


def test_numbers_stand_beside_their_rings_and_not_on_each_other() -> None:
    data = film_data_of(images=400, top=8)
    frame = Canvas(data, FrameStyle(800)).frame
    for place in range(3):  # at the last one all points of a class lie on each other
        frame.show(Moment(place))
        shown = [number for number in frame.map_panel.rings.numbers if number.get_text()]
        assert shown
        places = frame.map.transData.transform([number.get_position() for number in shown])
        rings = frame.map.transData.transform(frame.rings.get_offsets())
        for number, position in zip(shown, places, strict=True):
            assert 8 < np.linalg.norm(rings[int(number.get_text()) - 1] - position) < 36
        apart = np.abs(places[:, None] - places[None])[np.triu_indices(len(places), 1)]
        assert (apart >= [13, 11]).any(axis=1).all()


@pytest.mark.parametrize("width", [480, 800, 2160])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"classes": ["a class whose name is much too long to stand anywhere " * 3] * 3},
        {
            "classes": ["$x^2$ \\frac", "a\nb", "日本語 🐱 مرحبا"],
            "predictions": [["$\\alpha"] * 4] * 4,
        },
    ],
)
def test_nothing_is_cut_or_lies_on_something_else(width: int, change: dict[str, object]) -> None:
    data = dataclasses.replace(film_data_of(top=4), **change)  # type: ignore[arg-type]
    canvas = Canvas(data, FrameStyle(width))
    canvas.draw(Moment(1))
    page = canvas.frame.figure.bbox
    boxes = []
    for text in [text for axes in canvas.frame.figure.axes for text in axes.texts] + list(
        canvas.frame.figure.texts
    ):
        if text.get_text() and text not in canvas.frame.map_panel.rings.numbers:
            with quiet_fonts():
                box = text.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1, (
                text.get_text()
            )
            boxes.append(
                (
                    box.x0,
                    box.x1,
                    box.y0 + 0.2 * box.height,
                    box.y1 - 0.2 * box.height,
                    text.get_text(),
                )
            )
    boxes = [box for box in boxes if box[4].strip()]
    for index, (left, right, bottom, top, name) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            slack = (
                0.008 * width
            )  # matplotlib's own measure of a text is a little wider than what is drawn
            assert (
                right <= other[0] + slack
                or other[1] <= left + slack
                or top <= other[2]
                or other[3] <= bottom
            ), (name, other[4])


@pytest.mark.parametrize(
    "change",
    [
        {"classes": [], "labels": np.full(60, -1, dtype=np.int32)},
        {"loss": np.zeros((0, 2)), "accuracy": np.zeros((0, 2)), "epochs": [None] * 4},
        {"thumbnails": {}},
        {"predictions": [[""] * 4] * 4, "confidences": np.full((4, 4), np.nan, dtype=np.float32)},
        {
            "leaders": np.zeros((4, 0), dtype=np.int64),
            "scores": np.zeros((4, 0), np.float32),
            "predictions": [[]] * 4,
        },
        {
            "classes": [f"class {number}" for number in range(100)],
            "labels": np.arange(60, dtype=np.int32),
        },
        {"labels": np.arange(60, dtype=np.int32) % 4 - 1},
        {"points": np.zeros((4, 60, 2), dtype=np.float32)},
    ],
    ids=[
        "no labels",
        "no log",
        "no images",
        "no head",
        "no leaderboard",
        "100 classes",
        "some without a label",
        "one point",
    ],
)
def test_what_is_missing_is_left_out(change: dict[str, object]) -> None:
    data = dataclasses.replace(film_data_of(), **change)  # type: ignore[arg-type]
    canvas = Canvas(data, FrameStyle(480))
    first, last = canvas.draw(Moment(0)).copy(), canvas.draw(Moment(3))
    assert first.shape == (384, 480, 4) and (first[..., 3] == 255).all()
    page = canvas.frame
    words = {text.get_text() for text in page.figure.findobj(Text)}
    assert ("no labels" in words) == (not data.classes)
    assert ("no loss was logged" in words) == (len(data.loss) == 0)
    assert ("60 classes" in words) == (len(data.classes) == 100)  # 40 have no image
    assert ("without a label" in words) == bool(data.classes and (data.labels < 0).any())
    assert (first != last).any()


def test_a_frame_in_a_persons_own_figure(run: RunFolder) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8))
    frame = draw_frame(figure, run, "20", theme="dark", top=3)
    frame.map.set_title("mine")
    pictures = {}
    for kind in ("svg", "png", "pdf"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind)
        pictures[kind] = buffer.getvalue()
    assert b"mine" in pictures["svg"] or b"<use" in pictures["svg"]
    drawn = Image.open(io.BytesIO(pictures["png"]))
    assert drawn.size == (1000, 800) and np.asarray(drawn)[2, 2, :3].tolist() == [15, 18, 22]
    assert frame.title.get_text().startswith("Step 20")
    assert pictures["pdf"].startswith(b"%PDF")


@pytest.mark.parametrize("size", [(4, 12), (12, 4), (10, 8), (5, 5)])
def test_pictures_keep_their_shape_in_any_figure(size: tuple[float, float]) -> None:
    from matplotlib.figure import Figure

    from review_embeddings.review.animation.drawing.frame import Frame

    figure = Figure(figsize=size, dpi=100)
    frame = Frame(figure, film_data_of())
    frame.show(Moment(1))
    figure.savefig(io.BytesIO(), format="png")
    image = frame.leaderboard.cards[0].picture.image
    left, right, bottom, top = image.get_extent()
    (x0, y0), (x1, y1) = image.axes.transData.transform([(left, bottom), (right, top)])
    assert x1 - x0 == pytest.approx(y1 - y0, rel=0.01) and x1 - x0 > 10


def test_the_corner_says_how_far_the_map_can_be_trusted_where_asked(run: RunFolder) -> None:
    manifest = table.read_manifest(run)
    assert manifest is not None
    data = read_film_data(run)
    for facts, words in zip(manifest.checkpoints, data.trust, strict=True):
        assert words.endswith(
            f"{100 * facts.map_kept:.0f} % of neighbours kept, trustworthiness "
            f"{facts.trustworthiness:.2f}"
        )
    frame = Canvas(data, FrameStyle(480, trust=True)).frame
    frame.show(Moment(1, 0.5))
    assert notes_of(frame) == data.trust[1]
    silent = Canvas(data, FrameStyle(480)).frame
    silent.show(Moment(1))
    assert notes_of(silent) == ""


def test_images_of_groups_are_ringed_where_asked_and_a_corner_says_how_many() -> None:
    data = dataclasses.replace(film_data_of(), groups=((3, 7, 9), (1, 2)))
    panel = Canvas(data, FrameStyle(480, groups=True)).frame.map_panel
    assert panel.groups is not None
    panel.move(Moment(1, 0.5))
    ringed = data.points[1:3, [3, 7, 9, 1, 2]].astype(float).mean(axis=0)
    np.testing.assert_allclose(np.asarray(panel.groups.rings.get_offsets()), ringed, atol=1e-6)
    assert panel.groups.words.get_text() == "2 groups that stand apart, 5 images"
    none = Canvas(dataclasses.replace(data, groups=()), FrameStyle(480, groups=True)).frame
    assert none.map_panel.groups is not None
    assert none.map_panel.groups.words.get_text() == "no group stands apart"
    assert Canvas(data, FrameStyle(480)).frame.map_panel.groups is None


def test_the_groups_of_a_run_are_read_the_largest_first(
    run: RunFolder, review_embeddings: CommandLine
) -> None:
    images = read_images(run)
    assert images is not None
    group = np.full(36, -1)
    group[[4, 6]], group[[1, 2, 3]] = 104, 101
    for ranks, groups in ((np.arange(36) + 1, ((1, 2, 3), (4, 6))), (np.zeros(36), None)):
        more = {"group": group, "group_rank": ranks.astype(np.int32)}
        write_made_table(run, images, [10, 20, 100], np.random.default_rng(0), more=more)
        assert read_film_data(run).groups == groups
    code, _, errors = review_embeddings("animate", "--run", run.path, "--groups")
    assert code == 2 and "--groups: this run has no groups yet. Run: review-embeddings" in errors


def test_a_frame_in_a_part_of_a_figure(run: RunFolder) -> None:
    from matplotlib.figure import Figure

    left, right = np.ravel(np.asarray(Figure(figsize=(16, 6), dpi=60).subfigures(1, 2)))
    for part, step in ((left, 10), (right, 100)):
        frame = draw_frame(part, run, step)
        assert frame.title.get_text().startswith(f"Step {step}")
    left.figure.savefig(io.BytesIO(), format="png")


def test_one_wild_loss_does_not_flatten_the_curve() -> None:
    loss = np.stack([np.linspace(0, 30, 200), np.linspace(2, 0.5, 200)], axis=1)
    loss[3, 1] = 1e6
    assert (
        Canvas(
            dataclasses.replace(film_data_of(), loss=loss), FrameStyle(480)
        ).frame.curves.get_ylim()[1]
        < 5
    )


# -- pixels


def test_a_point_is_drawn_where_it_is_to_a_quarter_of_a_pixel_and_as_large_as_matplotlibs() -> None:
    from matplotlib.collections import PathCollection

    one = dataclasses.replace(
        film_data_of(images=1, top=1),
        leaders=np.zeros((4, 0), np.int64),
        scores=np.zeros((4, 0), np.float32),
    )
    unnamed = {"classes": [], "labels": np.full(1, -1, dtype=np.int32)}
    one = dataclasses.replace(one, predictions=[[]] * 4, **unnamed)  # type: ignore[arg-type]
    for x in np.linspace(0, 0.05, 9):
        moved = dataclasses.replace(one, points=np.full((4, 1, 2), x, dtype=np.float32))
        canvas = Canvas(moved, FrameStyle(800))
        ours = ink(canvas.draw(Moment(0)), canvas)
        renderer = canvas._canvas.get_renderer()
        canvas._canvas.restore_region(canvas._page)
        PathCollection.draw(canvas.frame.points, renderer)
        theirs = ink(np.asarray(canvas._canvas.buffer_rgba()), canvas)
        place = canvas.frame.map.transData.transform((x, x))
        center = np.array([place[0], 640 - place[1]])
        np.testing.assert_allclose(ours[1:], center, atol=0.3)
        np.testing.assert_allclose(ours[0], theirs[0], rtol=0.04)


def ink(pixels: NDArray[np.uint8], canvas: Canvas) -> NDArray[np.float64]:
    """How much is drawn in the lower half of the map, and the centre of it, in pixels from the left
    and from the top."""
    box, height = canvas.frame.map.bbox, len(pixels)
    top, bottom = int(height - box.y1 + box.height / 4), int(height - box.y0) - 4
    left, right = int(box.x0) + 4, int(box.x1) - 4
    dark = 255.0 - pixels[top:bottom, left:right, :3].min(axis=2)
    rows, columns = np.mgrid[top:bottom, left:right] + 0.5
    return np.array(
        [dark.sum(), (dark * columns).sum() / dark.sum(), (dark * rows).sum() / dark.sum()]
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_frames_look_as_they_did(theme: str) -> None:
    """Against pictures that were looked at; letters and edges may differ a little between versions
    of FreeType and Agg."""
    pixels = (
        Canvas(film_data_of(images=200), FrameStyle(480, theme, trails=(0, 1)))
        .draw(Moment(2, 0.5))[..., :3]
        .astype(float)
    )
    reference = REFERENCES / f"{theme}.png"
    if os.environ.get("REVIEW_EMBEDDINGS_NEW_REFERENCES"):
        reference.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(reference)
    expected = np.asarray(Image.open(reference).convert("RGB"), dtype=float)
    assert np.sqrt(np.mean((pixels - expected) ** 2)) < 10
    assert np.abs(pixels - expected).mean() < 1.5


def test_redrawing_only_what_changed_gives_the_same_pixels() -> None:
    data = film_data_of()
    used = Canvas(data, FrameStyle(480))
    for moment in (Moment(0), Moment(0, 0.5), Moment(2), Moment(1, 0.3), Moment(3)):
        np.testing.assert_array_equal(used.draw(moment), Canvas(data, FrameStyle(480)).draw(moment))


# -- files


def frames_in(film: Image.Image) -> int:
    return sum(1 for _ in ImageSequence.Iterator(film))


def film(path: Path, data: FilmData, processes: int = 1, **options: Any) -> Path:
    make_film(
        data,
        path,
        FilmOptions(**{"size": 480, "fps": 10, "tween": 1, "hold": 0.5, **options}),
        processes=processes,
    )
    return path


def test_a_gif_shows_the_drawn_frames_in_their_palettes(tmp_path: Path) -> None:
    """Frames in which only points move in that of the film, others in one of their own, what did
    not change as it was."""
    data = film_data_of()
    moments = plan(data.steps, tween=1, pace="equal", fps=10, hold=0.5)
    assert [moment.fraction > 0 for moment in moments] == [False, True] * 3 + [False]
    canvas = Canvas(data, FrameStyle(480))
    drawn = [canvas.draw(moment).copy() for moment in moments]
    with Image.open(film(tmp_path / "film.gif", data)) as written:
        assert frames_in(written) == 7 and written.size == (480, 384) and written.info["loop"] == 0
        errors, before, shown_before = [], np.zeros_like(drawn[0]), drawn[0][..., :3]
        colors = palette_of(written)
        for number, frame in enumerate(ImageSequence.Iterator(written)):
            pixels, shown = drawn[number], np.asarray(frame.convert("RGB"))
            assert frame.info["duration"] == (500 if number == 6 else 100)
            changed = (pixels != before).any(axis=2)
            np.testing.assert_array_equal(shown[~changed], shown_before[~changed])
            if number % 2:
                assert {*map(tuple, shown[changed].tolist())} <= colors
            errors.append(np.mean((shown.astype(float) - pixels[..., :3]) ** 2))
            before, shown_before = pixels, shown
    assert 10 * np.log10(255**2 / np.mean(errors)) > 47


def palette_of(film: Image.Image) -> set[tuple[int, ...]]:
    """The colours that stand at the beginning of a GIF."""
    whole = Path(str(film.filename)).read_bytes()  # type: ignore[attr-defined]
    return {tuple(whole[at : at + 3]) for at in range(13, 13 + 3 * 256, 3)}


def test_few_colours_stay_as_they_are_and_the_others_are_nearest_to_their_palette() -> None:
    white, red, green = 0xFFFFFF, 0x0000FF, 0x00FF00  # as little-endian RGBA
    few = palette.make_palette(np.array([white] * 90 + [red] * 9 + [green] * 3, np.uint32))
    pixels = np.array([[white, red], [green, 0x0000F0]], np.uint32)
    shown = few.colors[few.indices(pixels)]
    np.testing.assert_array_equal(
        shown, [[[255, 255, 255], [255, 0, 0]], [[0, 255, 0], [255, 0, 0]]]
    )


@pytest.mark.parametrize("count", [255, 128])
def test_a_palette_has_at_most_so_many_colours_and_an_error_that_falls_with_them(
    count: int,
) -> None:
    random = np.random.default_rng(0)
    channels = random.integers(0, 256, (20_000, 3)).astype(np.uint32)
    pixels = (channels @ np.array([1, 1 << 8, 1 << 16], np.uint32)).astype(np.uint32)
    made = palette.make_palette(pixels, count)
    assert len(made.colors) <= count and len(made.table) == 768
    away = made.colors[made.indices(pixels)].astype(float) - channels
    # a cube of side 256 divided into equal cubes: side**2 / 12 for each channel
    assert np.mean(away**2) < 1.25 * (256 / count ** (1 / 3)) ** 2 / 12
    again = palette.make_palette(pixels, count)
    np.testing.assert_array_equal(made.nearest, again.nearest)


def test_an_animated_png_loses_nothing(tmp_path: Path) -> None:
    data = film_data_of()
    canvas = Canvas(data, FrameStyle(480))
    with Image.open(film(tmp_path / "film.png", data)) as png:
        assert frames_in(png) == 7
        for frame, moment in zip(
            ImageSequence.Iterator(png),
            plan(data.steps, tween=1, pace="equal", fps=10, hold=0.5),
            strict=True,
        ):
            np.testing.assert_array_equal(
                np.asarray(frame.convert("RGB")), canvas.draw(moment)[..., :3]
            )


def test_films_by_ffmpeg_have_all_frames_and_look_like_them(tmp_path: Path) -> None:
    import av

    data = film_data_of()
    with Image.open(film(tmp_path / "film.webp", data)) as webp:
        assert frames_in(webp) >= 6 and webp.size == (480, 384) and webp.info["loop"] == 0
    path = film(tmp_path / "film.mp4", data)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 10
        bt709, limited = 1, 1
        assert (context.colorspace, context.color_primaries, context.color_trc) == (bt709,) * 3
        assert context.color_range == limited
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 6 + 5  # the last one half a second long
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(
        b"mdat"
    )  # plays while loading
    last = Canvas(data, FrameStyle(480)).draw(Moment(3))[..., :3]
    assert np.mean((frames[-1].astype(float) - last) ** 2) < 40


@pytest.mark.parametrize("ending", [".mp4", ".webp"])
def test_a_film_of_one_frame_and_of_the_largest_size(tmp_path: Path, ending: str) -> None:
    import av

    for width, height in ((480, 384), (2160, 1728)):
        path = tmp_path / f"{width}{ending}"
        red = np.full((height, width, 3), (200, 30, 30), np.uint8)
        quality = 18 if ending == ".mp4" else 85
        video.write_video(path, ending, (width, height), 29.97, quality, [(red.tobytes(), 1)])
        if ending == ".webp":
            shown = np.asarray(Image.open(path).convert("RGB"))
            np.testing.assert_allclose(shown.astype(int), red.astype(int), atol=6)
            continue
        with av.open(str(path)) as container:
            (frame,) = container.decode(video=0)
        assert (frame.width, frame.height) == (width, height)
        # By BT.709, of 8 bits in the limited range: 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B), and
        # 128 + 224 (B - Y) / 1.8556, 128 + 224 (R - Y) / 1.5748. To RGB not every PyAV goes so.
        for plane, expected in zip(frame.planes, (72.8, 110.9, 202.7), strict=True):
            values = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
            seen = values[:, : plane.width]
            np.testing.assert_allclose(seen.astype(int), expected, atol=2)


@pytest.mark.parametrize("ending", [".mp4", ".webp"])
def test_a_video_that_outgrows_the_disk_is_said_and_leaves_nothing(
    tmp_path: Path, ending: str
) -> None:
    """The last byte is refused: what FFmpeg still holds is written when the file is closed."""
    import resource

    data = film_data_of()
    size = film(tmp_path / f"whole{ending}", data).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, before[1]))
    try:
        with pytest.raises(StorageError, match=rf"disk is full while writing .*/less\{ending}"):
            film(tmp_path / f"less{ending}", data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == [f"whole{ending}"]


@pytest.mark.parametrize("name", ["a:b", "x%03d", "ü ✓", os.fsdecode(b"odd\xff")])
def test_a_video_may_have_any_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg takes some names for addresses and patterns."""
    monkeypatch.chdir(tmp_path)
    film(Path(f"{name}.mp4"), film_data_of())
    assert [path.stem for path in tmp_path.iterdir()] == [name]


def test_the_same_bytes_each_time_and_on_any_number_of_processes(tmp_path: Path) -> None:
    data = film_data_of(checkpoints=8)
    for ending in (".gif", ".png", ".mp4", ".webp"):
        films = [
            digest(film(tmp_path / f"{name}{ending}", data, tween=5, processes=count))
            for name, count in (("one", 1), ("two", 2), ("again", 1))
        ]
        assert len(set(films)) == 1, ending


def test_the_same_frames_give_the_same_video_whatever_lies_in_memory(tmp_path: Path) -> None:
    """x264 by AVX-512 gave either of two files."""
    data, films = film_data_of(checkpoints=8), set()
    canvas = Canvas(data, FrameStyle(480))
    moments = plan(data.steps, tween=1, pace="equal", fps=10, hold=0.5)
    frames = [
        (video.RawPacker().pack(canvas.draw(one), None, is_new=True), one.ticks) for one in moments
    ]
    random = np.random.default_rng(0)
    for _ in range(15):
        used = [bytearray(size) for size in random.integers(1, 3_000_000, size=20)]
        path = tmp_path / "film.mp4"
        video.write_video(path, ".mp4", (480, 384), 10, 18, frames)
        films.add(digest(path))
        del used
    assert len(films) == 1


def digest(path: Path) -> str:
    """Of a file's bytes: two films that differ are told apart at once, their bytes in minutes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_processes_that_have_drawn_their_frames_end_without_a_fault() -> None:
    """With trails and many at a time, while the pipes stay open at whose end they would end too.

    REVIEW_EMBEDDINGS_RENDERS says how many; 50 were seen to end well.
    """
    moments = plan([0, 10], tween=0, pace="equal", fps=10, hold=0)
    style = FrameStyle(480, trails=(3, 5, 7))
    task = pickle.dumps((film_data_of(), style, moments, png.PngPacker()))
    program = f"from {Canvas.__module__} import work; work(0, 1)"
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    for _ in range(0, int(os.environ.get("REVIEW_EMBEDDINGS_RENDERS", "4")), 2):
        with contextlib.ExitStack() as stack:
            started = [
                stack.enter_context(subprocess.Popen([sys.executable, "-c", program], **pipes))
                for _ in range(2)
            ]
            for process in started:
                assert process.stdin
                process.stdin.write(len(task).to_bytes(8, "little") + task)
                process.stdin.flush()
            for process in started:
                assert process.stdout and process.stderr
                frames = 0
                while size := process.stdout.read(8):
                    frames += bool(process.stdout.read(int.from_bytes(size, "little")))
                assert frames == len(moments)
                assert (process.wait(60), process.stderr.read()) == (0, b"")


def test_a_largest_size_is_kept(tmp_path: Path) -> None:
    data = film_data_of(checkpoints=8, images=2000, top=8)
    full = make_film(data, tmp_path / "full.gif", FilmOptions(size=800), processes=1)
    half = make_film(
        data, tmp_path / "half.gif", FilmOptions(size=800, max_mb=full.bytes / 2e6), processes=1
    )
    assert half.bytes <= full.bytes / 2 and half.lowered and not full.lowered
    assert half.seconds == pytest.approx(full.seconds, rel=0.1)
    for ending in (".mp4", ".png"):
        whole = make_film(data, tmp_path / f"full{ending}", FilmOptions(size=640), processes=1)
        less = make_film(
            data,
            tmp_path / f"less{ending}",
            FilmOptions(size=640, max_mb=whole.bytes / 1.5e6),
            processes=1,
        )
        assert less.bytes <= whole.bytes / 1.5 and less.lowered
    with pytest.raises(SettingsError, match="does not fit in --max-mb 0.001"):
        make_film(data, tmp_path / "none.gif", FilmOptions(max_mb=0.001), processes=1)
    assert not (tmp_path / "none.gif").exists() and not list(tmp_path.glob(".writing*"))


# -- the command


def test_the_film_of_a_run(run: RunFolder, review_embeddings: CommandLine) -> None:
    code, output, errors = review_embeddings(
        "animate", "--run", run.path, "--size", 480, "--tween", 2, "--trails", 3, "--keep-frames"
    )
    assert code == 0, errors
    path = run.exports / "animation.gif"
    assert re.search(rf"Wrote {re.escape(str(path))}: 8 frames, 5\.4 s, 480 x 384 pixels", output)
    with Image.open(path) as gif:
        assert frames_in(gif) == 8  # the last one shows images before and after
    for step in (10, 20, 100):
        with Image.open(run.checkpoint(step) / "frame.png") as still:
            assert still.size == (480, 384)
    built = table.read_manifest(run)
    assert built is not None and review_embeddings("build", "--run", run.path)[0] == 0
    assert table.read_manifest(run) == built, (
        "a picture beside the weights is no change of the checkpoint"
    )


def test_frames_of_checkpoints_without_a_folder_are_kept_in_the_exports(run: RunFolder) -> None:
    shutil.rmtree(run.checkpoint(20))
    made = animate(run, size=480, tween=0, keep_frames=True)
    assert [path.relative_to(run.path).as_posix() for path in made.kept] == [
        "checkpoint-10/frame.png",
        "exports/frames/frame-000020.png",
        "checkpoint-100/frame.png",
    ]


def test_a_still_is_the_frame_of_the_film(run: RunFolder, review_embeddings: CommandLine) -> None:
    code, output, errors = review_embeddings(
        "animate", "--run", run.path, "--frame", "20", "--size", 480, "--top", 3
    )
    path = run.exports / "frame-000020.png"
    assert code == 0 and str(path) in output, errors
    expected = Canvas(read_film_data(run, top=3), FrameStyle(480)).draw(Moment(1))[..., :3]
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    assert (
        draw_still(run, "20", run.path.parent / "b.png", size=480, top=3).path.read_bytes()
        == path.read_bytes()
    )


def test_some_of_the_checkpoints(run: RunFolder, tmp_path: Path) -> None:
    assert (
        animate(
            run, tmp_path / "a.gif", checkpoints=["10-20"], size=480, tween=0, closing=False
        ).frames
        == 2
    )
    assert (
        animate(
            run, tmp_path / "b.gif", checkpoints=["first", "last"], size=480, tween=0, closing=False
        ).frames
        == 2
    )
    assert (
        animate(
            run, tmp_path / "c.gif", checkpoints=[10, 20], size=480, tween=0, closing=False
        ).frames
        == 2
    )
    assert (
        animate(
            run, tmp_path / "d.gif", checkpoints="20-last", size=480, tween=0, closing=False
        ).frames
        == 2
    )
    assert draw_still(run, 20, tmp_path / "e.png", size=480).path.is_file()
    with pytest.raises(RunError, match="no such folder"):
        animate(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "film.avi"), ".avi is not known. Use one of .gif, .mp4, .webp, .png"),
        (("--out", "film"), "no ending is not known"),
        (("--size", 200), "--size 200 is out of range. Use 480 to 2160"),
        (("--size", 4000), "--size 4000 is out of range"),
        (("--fps", 0), "--fps 0 is out of range"),
        (("--tween", -1), "--tween -1 is out of range"),
        (("--time", "slow"), "--time slow is not known. Use equal or steps"),
        (("--theme", "blue"), "--theme blue is not known. Use light or dark"),
        (("--top", 99), "--top 99 is out of range"),
        (("--max-mb", 0), "--max-mb 0 is out of range"),
        (("--trail", 999), "--trail 999: there is no such image"),
        (
            ("--checkpoint", "last"),
            "There is one checkpoint only (100), which makes no film. A still of it: "
            "review-embeddings animate",
        ),
        (("--checkpoint", "7"), "There is no checkpoint 7; there are 10, 20, 100"),
        (("--frame", "10-100"), "names 3 checkpoints"),
        (("--frame", "10", "--out", "a.gif"), ".gif is not known. Use one of .png"),
        (("--frame", "10", "--keep-frames"), "--frame is one picture"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(
    run: RunFolder,
    options: tuple[object, ...],
    said: str,
    review_embeddings: CommandLine,
    working_directory: Path,
) -> None:
    code, _, errors = review_embeddings("animate", "--run", run.path, *options)
    assert code == 2 and said in errors and errors.count("\n") == 1, errors
    assert not list(working_directory.glob("*.gif")) and not run.exports.exists()


def test_a_run_without_coordinates_or_with_other_images(
    run: RunFolder, trainer_output: Path
) -> None:
    with pytest.raises(RunError, match="no coordinates yet. Run: review-embeddings build"):
        animate(trainer_output)
    import pyarrow.parquet as parquet

    manifest = table.read_manifest(run)
    assert manifest is not None
    file = run.table / manifest.checkpoints[1].file
    parquet.write_table(parquet.read_table(file).slice(1), file)
    content = json.loads(run.table_manifest.read_text())
    del content["checksum"], content["checksums"]  # as a version before wrote it
    run.table_manifest.write_text(json.dumps(content))
    with pytest.raises(RunError, match="Checkpoint 20 .* is of other images"):
        animate(run)


def test_a_damaged_table_is_said(run: RunFolder, review_embeddings: CommandLine) -> None:
    manifest = table.read_manifest(run)
    assert manifest is not None
    (run.table / manifest.checkpoints[1].file).write_bytes(b"PAR1 nothing")
    code, _, errors = review_embeddings("animate", "--run", run.path)
    assert code == 2 and "is damaged" in errors and errors.count("\n") == 1


def test_a_missing_encoder_is_said_before_anything_is_drawn(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    monkeypatch.setattr(av, "codecs_available", {"libwebp_anim"})
    with pytest.raises(ReviewError, match=r"has no encoder libx264, which writes \.mp4. Install"):
        animate(run, run.path.parent / "film.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ReviewError, match="pip install av, or write a .gif"):
        animate(run, run.path.parent / "film.webp")


OLD = {".gif": b"GIF89a of before", ".mp4": b"\0\0\0\x18ftyp of before"}
"""Films by their first bytes: only an earlier film is replaced."""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ending", list(OLD))
def test_a_film_that_is_stopped_leaves_the_old_one_and_no_process(
    run: RunFolder, ending: str, end: signal.Signals
) -> None:
    import psutil

    path = run.exports / f"animation{ending}"
    path.parent.mkdir()
    path.write_bytes(OLD[ending])
    command = [
        sys.executable,
        "-m",
        "review",
        "animate",
        "--run",
        str(run.path),
        "--out",
        str(path),
        "--tween",
        "100",
        "--size",
        "1600",
    ]
    process = subprocess.Popen(
        [*command, "--processes", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    children: list[psutil.Process] = []
    while len(children) < 2 or not list(run.exports.glob(".writing-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(end)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 128 + end)
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert path.read_bytes() == OLD[ending]
    if end == signal.SIGKILL:
        assert list(run.exports.glob(".writing-*"))
    else:
        assert "Stopped. Nothing was written." in said and "Traceback" not in said
    animate(run, path, size=480, tween=0)
    assert [file.name for file in run.exports.iterdir()] == [path.name]
