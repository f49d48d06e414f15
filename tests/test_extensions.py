"""A score, a list and a format that are added through the registries only are found everywhere."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import a_format
import a_list
import a_map
import a_score
import an_engine
import numpy as np
import pandas as pd
import pytest
from listing import candidates_of
from PIL import Image
from tables import write_made_table

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.page.frame import long_frame, wide_frame
from review_embeddings.review.page.layout import wide_layouts
from review_embeddings.review.report.summary import as_text, summarize

CommandLine = Callable[..., tuple[int, str, str]]

REDNESS = np.where(np.arange(36) == 7, np.nan, np.arange(36) / 40).astype(np.float32)
REDDEST = [35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21]
"""Above 0.5, the reddest first."""


def test_a_build_computes_the_score_by_registered_maps_and_engines(
    run_path: Path, image_folder: Path, review_embeddings: CommandLine
) -> None:
    """Everything that can be registered, in one build: score, kind of map and engine."""
    options = ["--run", run_path, "--dataset", image_folder, "--split", "train"]
    with a_score.registered(), a_map.registered_here(), an_engine.registered_here():
        _, text, _ = review_embeddings("build", "--help")
        assert a_map.KIND.key in text and "pool" in text
        code, output, errors = review_embeddings(
            "build", *options, "--map", a_map.KIND.key, "--engine", "pool"
        )
        assert code == 0, errors
        assert "redness:" in output
        frame = table.read(run_path, checkpoints=[10])
        mean = [np.asarray(Image.open(io.BytesIO(data))).mean((0, 1)) for data in frame["image"]]
        expected = [one[0] / one.sum() for one in mean]
        np.testing.assert_allclose(frame["redness"], expected, rtol=1e-6)
        assert (frame["label"].iloc[np.argmax(frame["redness"])]) == "red"
        assert build(RunFolder(run_path), Request()).seconds == {}
    assert table.read_manifest(RunFolder(run_path)) is not None


@pytest.fixture(scope="module")
def run(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFolder]:
    """A run whose table has the score of an extension, which is known until the tests are done."""
    folder = RunFolder(Path(shutil.copytree(built_run, tmp_path_factory.mktemp("more") / "run")))
    images = read_images(folder)
    assert images is not None
    with a_score.registered(), a_list.registered(), a_format.registered():
        random = np.random.default_rng(0)
        write_made_table(folder, images, [10, 20, 100], random, more={"redness": REDNESS})
        yield folder
    assert "redness" not in table.COLUMNS and "tsv" not in table.FORMATS


def test_the_score_is_a_column_of_the_table(run: RunFolder) -> None:
    assert table.COLUMNS.names()[-1] == "redness", "columns of before keep their places"
    assert table.arrow_schema("image").field("redness").nullable
    assert "| `redness` | float32 | share |" in table.as_markdown()
    assert [one.name for one in table.columns_from("redness", "image")] == ["redness"]
    frame = table.read(run)
    table.validate(frame)
    np.testing.assert_array_equal(frame["redness"], np.tile(REDNESS, 3))
    with pytest.raises(RunError, match=r"redness of the table has values outside \[0, 1\]"):
        table.validate(frame.assign(redness=2.0))


def test_the_score_is_on_the_page(run: RunFolder) -> None:
    images = read_images(run)
    assert images is not None
    review = wide_frame(run, images, [10, 100])
    shown = review.frame["redness"].to_numpy()
    np.testing.assert_array_equal(np.delete(shown, 7), np.delete(REDNESS, 7))
    assert shown[7] == 0, "an image that was not measured is no suspect"
    assert "redness" in wide_layouts(review)[0].model_dump_json()
    assert "redness" not in long_frame(run).columns, "it has a gap"


def test_the_list_is_on_the_page_in_the_export_and_in_the_summary(
    run: RunFolder, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    lists = {made.title: made for made in ready_made_lists(candidates_of(run, 10, 100))}
    assert lists["Reddest (15)"].rows == REDDEST
    out = tmp_path / "reddest.json"
    code, _, errors = review_embeddings(
        "export", "--run", run.path, "--list", "reddest", "--format", "json", "--out", out
    )
    assert code == 0, errors
    rows = json.loads(out.read_text())
    assert [row["image_id"] for row in rows] == REDDEST
    assert rows[0]["redness"] == 0.875 and rows[0]["listed_as"] == "redness 0.9"
    made, _ = summarize(run, note=print)
    assert [one.image_id for one in made.lists["reddest"].images] == REDDEST[:8]
    assert "Reddest (15)" in as_text(made)


def test_the_format_is_that_of_tables_and_lists(
    run: RunFolder, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out = tmp_path / "all.tsv"
    code, _, errors = review_embeddings("table", "--run", run.path, "--out", out)
    assert code == 0, errors
    read = pd.read_csv(out, sep="\t")
    assert len(read) == 108 and "redness" in read.columns and "embedding" not in read.columns
    listed = tmp_path / "list.tsv"
    code, _, errors = review_embeddings(
        "export", "--run", run.path, "--list", "reddest", "--format", "tsv", "--out", listed
    )
    assert code == 0, errors
    rows = a_format.read(listed)
    assert [int(row["image_id"]) for row in rows] == REDDEST
    filled_in = tmp_path / "filled in.tsv"
    filled_in.write_text("image_id\tdecision\n35\tkeep\n")
    code, output, errors = review_embeddings("import", filled_in, "--run", run.path)
    assert code == 0 and "Imported 1 decisions" in output, errors


def test_help_names_them(run: RunFolder, review_embeddings: CommandLine) -> None:
    _, text, _ = review_embeddings("export", "--help")
    assert "reddest" in text and "tsv" in text
    _, text, _ = review_embeddings("table", "--help")
    assert ".tsv" in text
