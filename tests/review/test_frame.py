"""The wide frame, worked out by hand from a small table, and what Spotlight would show wrongly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.outliers import worst_count
from review_embeddings.pipeline.errors import OtherTableError, ReviewError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.lists import LISTS
from review_embeddings.review.lists.choose import choose
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.page import frame as frames
from review_embeddings.review.page.frame import UNLABELLED, long_frame, wide_frame
from review_embeddings.review.page.layout import has_slider, plotted
from review_embeddings.review.page.shownrun import read_shown


def images_of(run: Path) -> RunImages:
    images = read_images(RunFolder(run))
    assert images is not None
    return images


@pytest.fixture
def review(built_run: Path) -> frames.ReviewFrame:
    return wide_frame(RunFolder(built_run), images_of(built_run), [10, 100])


def test_one_row_an_image_and_the_columns_of_the_shown_checkpoints(
    review: frames.ReviewFrame, built_run: Path
) -> None:
    long = table.read(built_run).drop(columns=["embedding"])
    assert isinstance(review.frame.index, pd.RangeIndex) and len(review.frame) == 36
    assert review.steps == [10, 20, 100] and review.shown == [10, 100]
    for step, tag in (
        (10, "000010"),
        (20, "now"),
        (100, "000100"),
    ):  # the slider starts where no plot is
        part = long[long["checkpoint"] == step].reset_index(drop=True)
        for wide, name in (("x", "x"), ("y", "y"), ("ood", "ood_score")):
            np.testing.assert_array_equal(review.frame[f"{wide}_{tag}"], part[name])
    assert review.slider_start == 20 and "x_000020" not in review.frame.columns
    assert review.frame["image"].tolist() == long["image"][:36].tolist()


def test_first_last_and_what_happened_between(review: frames.ReviewFrame) -> None:
    frame = review.frame
    np.testing.assert_array_equal(frame["ood_first"], frame["ood_000010"])
    np.testing.assert_array_equal(frame["ood_last"], frame["ood_000100"])
    moved = np.hypot(frame["x_000100"] - frame["x_000010"], frame["y_000100"] - frame["y_000010"])
    np.testing.assert_allclose(frame["moved"], moved, rtol=1e-6)
    np.testing.assert_allclose(
        frame["percentile_change"], frame["percentile_last"] - frame["percentile_first"]
    )
    assert review.worst == 8
    early, late = frame["rank_first"] <= 8, frame["rank_last"] <= 8
    expected = np.select([early & late, early, late], ["both", "first only", "last only"], "no")
    assert frame["outlier"].tolist() == expected.tolist()
    assert (
        frame["correct_last"]
        == (frame["label"].astype(str) == frame["prediction_last"].astype(str))
    ).all()


def test_nothing_that_spotlight_would_show_wrongly(review: frames.ReviewFrame) -> None:
    for name, column in review.frame.items():
        kind = str(column.dtype)
        assert kind in {"int64", "int32", "float32", "bool", "category"} or name == "image", (
            name,
            kind,
        )
        if kind == "category":
            assert (
                all(isinstance(category, str) for category in column.cat.categories)
                and column.notna().all()
            )
        elif name == "image":
            assert all(isinstance(cell, bytes) for cell in column)
    assert not [name for name in review.frame.columns if "embedding" in str(name)]


def test_what_the_slider_asks_for(review: frames.ReviewFrame, built_run: Path) -> None:
    run = RunFolder(built_run)
    manifest = table.read_manifest(run)
    assert manifest is not None
    shown = read_shown(run, manifest.fingerprint, None)
    values = np.frombuffer(shown.values_at(20), dtype="<f4").reshape(3, 36)
    np.testing.assert_array_equal(values, review.frame[["x_now", "y_now", "ood_now"]].to_numpy().T)
    with pytest.raises(SettingsError, match="no checkpoint 21"):
        shown.values_at(21)
    with pytest.raises(OtherTableError, match="built anew"):
        read_shown(run, "another", None)


def test_one_checkpoint_alone(built_run: Path) -> None:
    review = wide_frame(RunFolder(built_run), images_of(built_run), [100])
    assert "ood_last" in review.frame.columns and "ood_first" not in review.frame.columns


@pytest.mark.parametrize(
    ("shown", "steps", "plots", "slider"),
    [
        ([10], [10], [10], False),
        ([10, 100], [10, 100], [10, 100], False),
        ([10, 100], [10, 20, 100], [10, 100], True),
        ([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], False),
        ([1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 4], True),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 5], True),
    ],
)
def test_as_many_plots_as_fit_and_a_slider_for_the_rest(
    review: frames.ReviewFrame, shown: list[int], steps: list[int], plots: list[int], slider: bool
) -> None:
    made = replace(review, shown=shown, steps=steps)
    assert (plotted(made), has_slider(made)) == (plots, slider)


def test_missing_labels_have_a_name(built_run: Path) -> None:
    images = images_of(built_run)
    assert images.labels is not None
    gappy = replace(images, labels=np.where(np.arange(36) == 3, -1, images.labels).astype(np.int32))
    review = wide_frame(RunFolder(built_run), gappy, [10, 100])
    assert review.frame["label"][3] == UNLABELLED and review.frame["label"][4] == "blue"
    unlabelled = wide_frame(
        RunFolder(built_run), replace(images, labels=None, classes=None), [10, 100]
    )
    assert "label" not in unlabelled.frame.columns and unlabelled.color_by == "prediction_last"


def test_many_shown_checkpoints_are_thinned() -> None:
    assert frames._thinned(list(range(0, 1000, 10)))[:: frames.MAX_SHOWN - 1] == [0, 990]
    assert len(frames._thinned(list(range(0, 1000, 10)))) == frames.MAX_SHOWN
    assert frames._thinned([1, 2, 3]) == [1, 2, 3]


def test_gaps_and_free_strings_are_refused() -> None:
    with pytest.raises(ReviewError, match="Column x has gaps|Column x of the review has gaps"):
        frames._check(pd.DataFrame({"x": [0.0, np.nan]}))
    with pytest.raises(ReviewError, match="free values"):
        frames._check(pd.DataFrame({"name": ["149_87", "10"]}))


def test_the_long_frame(built_run: Path) -> None:
    frame = long_frame(RunFolder(built_run))
    assert len(frame) == 108 and frame["checkpoint"].cat.categories.tolist() == [
        "step 000010",
        "step 000020",
        "step 000100",
    ]
    assert "embedding" not in frame.columns and "image_hash" not in frame.columns


@pytest.mark.parametrize(
    ("images", "worst"),
    [(1, 1), (3, 1), (8, 2), (31, 7), (36, 8), (500, 50), (1000, 100), (60000, 100)],
)
def test_how_many_count_as_the_worst(images: int, worst: int) -> None:
    assert worst_count(images) == worst


def test_decisions_of_an_earlier_run_and_what_has_become_of_their_images(built_run: Path) -> None:
    """The images are keyed by content: one is unknown to the earlier run, two are decided, one of
    them has changed."""
    images = images_of(built_run)
    now = table.read(built_run, checkpoints=[100])["ood_percentile"].to_numpy()
    before = {image: float(now[row]) for row, image in enumerate(images.hashes) if row != 3}
    before[images.hashes[5]] += 20.0
    decided = ReviewedImages.of(images).decide(
        [int(images.ids[5]), int(images.ids[6])], "remove", reviewer="ada"
    )
    decisions = {line.image_hash: line for line in decided}
    review = wide_frame(RunFolder(built_run), images, [10, 100], decisions=decisions, before=before)
    since = review.frame["percentile_since"].to_numpy()
    assert since[5] == pytest.approx(-20.0, abs=1e-4)
    assert not np.delete(since, 5).any()
    assert review.frame["decision"].tolist()[4:7] == ["undecided", "remove", "remove"]
    changed = LISTS["rank-changed"]
    candidates = read_candidates(
        RunFolder(built_run), images, [changed], (10, 100), decisions=decisions, before=before
    )
    assert choose(changed, candidates).tolist() == [5], "row 6 is decided and of the same rank"


@pytest.mark.parametrize("name", ["(no label)", "(no label) *", "(none)", "(none) (class)"])
def test_a_class_may_have_a_name_of_ours(built_run: Path, name: str) -> None:
    images = images_of(built_run)
    assert images.classes is not None and images.labels is not None
    labels, classes = images.labels.copy(), [name, *images.classes[1:]]
    labels[0] = -1
    images = replace(images, classes=classes, labels=labels)
    columns = frames._identity_columns(images) | frames._decision_columns(images, {})
    shown = pd.DataFrame(columns)
    assert shown["label"][0] not in classes
    named = [classes[code] for code in labels[1:]]
    assert shown["label"].tolist()[1:] == named
    assert set(shown["new_label"]) == {frames.NO_NEW_LABEL}
