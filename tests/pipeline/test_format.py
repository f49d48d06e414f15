"""Run folders of format 1, frozen when their results were introduced.

Every later version must open them without their data and weights, and compute nothing but the
stages that it has and they have not.
"""

import shutil
from pathlib import Path

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.heads import stored_probabilities
from review_embeddings.review.report.summary import summarize

DATA = Path(__file__).parents[1] / "data"

LACKING = {"judge", "label_fit", "apart", "groups", "table"}
"""What the complete one lacks, beside the label quality that was judged in folds."""

ADDED_SINCE = {
    *("neighbors", "outliers", "projections", "trust", "quality", "motion", "duplicates"),
    *LACKING,
}
"""What the first frozen run lacks, or has in an older version: exactly this is computed for it.

Whoever raises a version or adds a stage sees it here, and in the changelog.
"""

RAISED_SINCE = {"image quality", "motion"}
"""What the complete one has in an older version."""


def copied(name: str, tmp_path: Path) -> tuple[RunFolder, dict[Path, bytes]]:
    """A copy of a frozen run, and what every file of it holds."""
    folder = Path(shutil.copytree(DATA / name, tmp_path / "run"))
    return RunFolder(folder), {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_run_of_format_1_opens(tmp_path: Path) -> None:
    run, _ = copied("format-1", tmp_path)
    kept = ("run.json", "images.parquet", "skipped.csv", "embeddings/*", "probabilities/*")
    before = {path: path.read_bytes() for pattern in kept for path in run.path.glob(pattern)}
    built = build(run, Request(wanted=["last"]))
    assert built.wanted == [20] and built.manifest.steps == [0, 20], "what it held, it holds again"
    assert set(built.seconds) == ADDED_SINCE
    assert {path: path.read_bytes() for path in before} == before
    assert build(run, Request(wanted=["first", "last"])).seconds == {}
    frame = table.read(run)
    table.validate(frame)
    assert frame["label"].tolist() == ["blue", "blue", "green", "green", "red", "red"] * 2
    assert frame["ood_rank"].tolist() == [3, 4, 6, 5, 1, 2, 3, 4, 5, 6, 1, 2]
    # Which way scikit-learn turns an axis is a matter of its version.
    mirrored = np.sign(frame["y"][0])
    np.testing.assert_allclose(
        mirrored * frame["y"][:3], [2.481172, 0.888647, -1.929546], atol=5e-6
    )
    assert frame["embedding"][0].shape == (16,) and frame["image"][0][:4] == b"\x89PNG"
    assert "9.png,not an image of a known format" in run.skipped.read_text()


def test_a_complete_run_of_format_1_opens_with_what_it_stored(tmp_path: Path) -> None:
    """One with cross-validation, shared PCA, image quality and leaks: nothing is computed."""
    run, before = copied("format-1-complete", tmp_path)
    frame = table.read(run)
    assert frame["label_score"].notna().all() and frame["trajectory_label_score"].notna().all()
    assert frame["trajectory_suggested_label"].isna().all(), "a column that it did not have"
    assert frame["group_score"].isna().all() and set(frame["group_rank"]) == {0}
    assert table.read(run, columns=["group"])["group"].tolist() == [-1] * len(frame)
    images = read_images(run)
    assert images is not None
    likely = stored_probabilities(run, images, 2, 30)
    assert likely is not None, "of the folds"
    np.testing.assert_array_equal(likely.of(slice(None)).shares, run.read_array("heldout", 30))
    summarize(run, note=lambda text: None)
    assert {path: path.read_bytes() for path in before} == before


def test_a_complete_run_of_format_1_computes_what_it_lacks(tmp_path: Path) -> None:
    run, _ = copied("format-1-complete", tmp_path)
    built = build(run, Request())
    assert set(built.seconds) == {"quality", *LACKING, *RAISED_SINCE}
    assert built.manifest.steps == [10, 20, 30]
    assert build(run, Request(only_read=True)).seconds == {}
    frame = table.read(run)
    table.validate(frame)
    leaks = frame[frame["checkpoint"] == 30].set_index("image_id")["leak_of"]
    assert leaks[leaks >= 0].index.tolist() == [11], "the picture in both splits"
