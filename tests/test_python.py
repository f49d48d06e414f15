"""What is done from Python: the examples of the five names, the table with what was decided, and
reviews that a script opens."""

from __future__ import annotations

import doctest
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from samples import CLASSES, tiny_vit

import review_embeddings
from review_embeddings import read_table, show
from review_embeddings.pipeline.api import BuildKeywords, build, preview, request_of
from review_embeddings.pipeline.errors import CheckpointError, RunError, SettingsError
from review_embeddings.pipeline.table import COLUMNS
from review_embeddings.review.cli.program import cli
from review_embeddings.review.exchange.imports import import_decisions

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.fixture
def here(
    built_run: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with a run, in which image 7 was removed and 30 relabelled, and its
    data."""
    shutil.copytree(built_run, tmp_path / "runs" / "colors")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "colors").symlink_to(image_folder)
    monkeypatch.chdir(tmp_path)
    rows = "image_id,decision,new_label,note,reviewer\n7,remove,,torn,ann\n30,relabel,blue,,bob\n"
    Path("decided.csv").write_text(rows)
    from review_embeddings.pipeline.run.folder import RunFolder

    run = RunFolder(Path("runs/colors"))
    import_decisions(run, Path("decided.csv"), "nobody", note=pytest.fail)
    return tmp_path


class Images:
    """Random images of a data set of torch."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels = np.random.default_rng(index).random((3, 16, 16), np.float32)
        return {"pixel_values": pixels, "labels": index % 3}


def trainer() -> Any:
    """One that makes two steps, saves each and prints nothing."""
    from transformers import (
        PrinterCallback,
        Trainer,
        TrainingArguments,
        ViTForImageClassification,
        ViTImageProcessorPil,
    )

    names = dict(enumerate(CLASSES))
    made = Trainer(
        model=ViTForImageClassification(tiny_vit(id2label=names)),
        args=TrainingArguments(
            "runs/trained", max_steps=2, save_steps=1, report_to=[], use_cpu=True, disable_tqdm=True
        ),
        train_dataset=Images(),
        processing_class=ViTImageProcessorPil(size={"height": 16, "width": 16}),
    )
    made.remove_callback(PrinterCallback)
    return made


@pytest.mark.parametrize("name", [name for name in review_embeddings.__all__ if name != "Review"])
def test_the_examples_are_true(name: str, here: Path) -> None:
    known = {"trainer": trainer()} if name == "EmbeddingCallback" else {}
    found = doctest.DocTestFinder(recurse=False).find(
        getattr(review_embeddings, name), name, globs=known
    )
    assert sum(len(one.examples) for one in found) >= 3
    for one in found:
        told: list[str] = []
        assert doctest.DocTestRunner(optionflags=FLAGS).run(one, out=told.append).failed == 0, (
            "".join(told)
        )


# -- the table


@pytest.mark.parametrize(
    ("checkpoints", "steps"),
    [
        (None, [10, 20, 100]),
        (20, [20]),
        (np.int64(20), [20]),
        ("first", [10]),
        ("last", [100]),
        ("100", [100]),
        ("15-last", [20, 100]),
        (["last", 10], [10, 100]),
        ((10, "10-20"), [10, 20]),
        (np.array([100, 10]), [10, 100]),
    ],
)
def test_checkpoints_are_named_in_all_ways(
    checkpoints: Any, steps: list[int], built_run: Path
) -> None:
    for read in (read_table, review_embeddings.pipeline.read_table):
        frame = read(built_run, checkpoints=checkpoints, columns="checkpoint")
        assert frame["checkpoint"].unique().tolist() == steps


@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        ({"checkpoints": 11}, RunError, "has no checkpoint 11; it has 10, 20, 100. Name a step,"),
        ({"checkpoints": "lst"}, RunError, "has no checkpoint lst; it has 10, 20, 100"),
        ({"checkpoints": "best"}, CheckpointError, "Which checkpoint is the best is not known"),
        ({"checkpoints": []}, SettingsError, "No checkpoint was named"),
        ({"columns": "lable"}, SettingsError, "no column 'lable'. Did you mean 'label'?"),
        ({"columns": ["x", "decison"]}, SettingsError, "Did you mean 'decision'?"),
        ({"columns": "zzzz"}, SettingsError, "no column 'zzzz'; it has image_id, .*decided_at"),
    ],
)
def test_what_is_wrong_with_a_question_is_one_sentence(
    asked: dict[str, Any], error: type[Exception], sentence: str, built_run: Path
) -> None:
    with pytest.raises(error, match=sentence):
        read_table(built_run, **asked)


def test_a_run_without_a_table_says_so(trainer_output: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no table yet. `review-embeddings build"):
        read_table(trainer_output)
    with pytest.raises(RunError, match="There is no run .*: no such folder"):
        read_table(tmp_path / "nowhere")


def test_decisions_stand_beside_the_table(here: Path) -> None:
    plain = read_table("runs/colors")
    assert list(plain.columns) == list(COLUMNS.names())
    frame = read_table("runs/colors", [10, 100], ["image_id", "label"], decisions=True)
    assert list(frame.columns) == [
        *("image_id", "label", "decision", "new_label", "note", "reviewer", "decided_at"),
        "disputed",
    ]
    assert len(frame) == 2 * 36 and frame["decision"].notna().sum() == 2 * 2
    assert list(frame["new_label"].cat.categories) == CLASSES
    removed, relabelled = (frame[frame["image_id"] == image].iloc[0] for image in (7, 30))
    assert (removed["decision"], removed["note"], removed["reviewer"]) == ("remove", "torn", "ann")
    assert pd.isna(removed["new_label"])
    assert (relabelled["decision"], relabelled["new_label"]) == ("relabel", "blue")
    assert relabelled["decided_at"].tz is not None
    nobody = frame[~frame["image_id"].isin([7, 30])]
    assert (
        nobody[["decision", "new_label", "note", "reviewer", "decided_at"]].isna().to_numpy().all()
    )


def test_decisions_alone_and_without_any(here: Path, built_run: Path) -> None:
    counts = read_table("runs/colors", "last", "decision")["decision"].value_counts()
    assert counts[counts > 0].to_dict() == {"relabel": 1, "remove": 1} and len(counts) == 5
    assert read_table(built_run, "last", decisions=True)["decision"].isna().all()


def test_lines_of_decisions_that_cannot_be_read_are_a_warning(here: Path) -> None:
    with Path("runs/colors/decisions.jsonl").open("a") as file:
        file.write("no decision\n")
    with pytest.warns(UserWarning, match=r"Line 3 .* cannot be read and is left out"):
        frame = read_table("runs/colors", "last", "decision")
    assert frame["decision"].notna().sum() == 2


# -- what functions take


def test_keywords_of_a_build_are_its_parameters() -> None:
    parameters = signature(build).parameters
    own = {"run", "progress", "wait"}
    assert list(BuildKeywords.__annotations__) == [name for name in parameters if name not in own]
    for name, kind in BuildKeywords.__annotations__.items():
        assert kind.__forward_arg__ == parameters[name].annotation, name


RENAMED = {"browser": "no_browser", "long": "long_frame", "trusted_hosts": "trusted_host"}
"""Keywords, and the fields of the options that they stand for."""

ONLY_COMMAND = {"first", "last", "watch", "probe", "debug"}


def test_show_takes_the_options_of_the_command() -> None:
    defaults = cli.make_context("review-embeddings", ["--last"]).params
    own = {
        RENAMED.get(name, {"decisions_from": "earlier"}.get(name, name)): parameter
        for name, parameter in signature(show).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    ours = set(own) | set(BuildKeywords.__annotations__) | {"run"}
    assert ours - {"engine", "address"} == set(defaults) - ONLY_COMMAND
    for name, parameter in own.items():
        expected = not defaults[name] if name == "no_browser" else defaults[name]
        assert parameter.default == expected, name


def test_steps_are_taken_for_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for steps in (20, "20", "last", "first-20"):
        assert request_of({"checkpoints": steps}).wanted == [str(steps)]
    assert request_of({"checkpoints": ["first", 20]}).wanted == ["first", "20"]
    assert request_of({"checkpoints": "trained", "checkpoint": "last"}).checkpoints == "trained"
    (tmp_path / "last").mkdir()
    assert request_of({"checkpoints": "last"}).checkpoints == "last"
    with pytest.raises(SettingsError, match="both say which checkpoints. Give one of them"):
        request_of({"checkpoints": 20, "checkpoint": "last"})


@pytest.mark.parametrize("function", [show, preview])
def test_a_misspelled_keyword_is_named(function: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="takes no datset; did you mean dataset?"):
        function(tmp_path, datset="data")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"run": "nowhere"}, "nowhere is no run"),
        ({"checkpoint": 11}, "There is no checkpoint 11; there are 10, 20, 100"),
        ({"port": 70_000}, "--port 70000 is out of range"),
        ({"host": "0.0.0.0"}, "can be reached from other machines"),
        ({"decisions_from": ["data"]}, "there are no decisions"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    asked: dict[str, Any], sentence: str, here: Path
) -> None:
    options: dict[str, Any] = {"run": "runs/colors", "browser": False} | asked
    with pytest.raises(review_embeddings.pipeline.ReviewError, match=sentence):
        show(**options)


# -- reviews


SCRIPT = """
import json, os, signal, urllib.request
from review_embeddings import show

def status(review):
    return urllib.request.urlopen(review.address).status

first = show("runs/colors", browser=False)
other = show(
    "runs/other", dataset="data/colors", split="train", checkpoint="last", browser=False
)
both = [status(first), status(other)]
try:
    os.kill(0, signal.SIGINT)  # as Ctrl-C does, and the interrupt of a notebook's cell
except KeyboardInterrupt:
    pass
again = show("runs/colors", checkpoint=[10, 20], browser=False)
both += [status(other)]
with other:
    pass
other.close()
print(json.dumps({
    "both": both, "again": status(again), "same": first.address == again.address,
    "open": [one.is_open for one in (first, other, again)],
    "html": [one._repr_html_() for one in (again, other)], "url": again.url,
}))
"""


def test_a_script_opens_reviews_and_ends_with_them(here: Path, trainer_output: Path) -> None:
    """Two runs at once, one of them twice; the last one is never closed."""
    import urllib.error
    import urllib.request

    shutil.copytree(trainer_output, here / "runs" / "other")
    sessions = here / "sessions"
    sessions.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"TMPDIR": str(sessions)},
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split()[0] for line in said if "http" in line][:3] == ["Spotlight:"] * 3
    found = json.loads(said[-1])
    assert (found["both"], found["again"], found["same"]) == ([200, 200, 200], 200, True)
    assert found["open"] == [False, False, True]
    assert f'href="{found["url"]}"' in found["html"][0] and "?token=" in found["url"]
    assert found["html"][1] == "<p>The review of runs/other is closed.</p>"
    assert "Neighbours" in done.stderr, "progress of what is built"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(found["url"])
    assert list(sessions.iterdir()) == []


# -- what a notebook shows


def test_a_stage_is_a_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from review_embeddings.review import notebook

    shown: list[tuple[str, bool]] = []
    times = iter([0.0, 0.1, 2.0, 2.1, 4.0])
    monkeypatch.setattr(notebook, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    monkeypatch.setattr(
        "IPython.display.publish_display_data",
        lambda data, transient, update: shown.append((data["text/plain"], update)),
    )
    progress = notebook.NotebookProgress()
    progress.note("Opening")
    with progress.stage("Embedding", total=4_000, unit="images") as advance:
        advance(500)
        progress.latest("a\x1b")
        advance(1_500)
        advance(1_000)
    assert shown == [
        ("Opening", False),
        ("Embedding …", False),
        ("Embedding: 2,000 of 4,000 images, 2 s left, the latest a\\x1b", True),
        ("Embedding: 3,000 images in 4.0 s", True),
    ]


def test_show_compares_with_other_runs_as_the_command_does(here: Path) -> None:
    with pytest.raises(SettingsError, match="that is the run itself"):
        show("runs/colors", others=["runs/colors"], browser=False)
    with pytest.raises(SettingsError, match=r"--with compares finished runs\. Leave"):
        show("runs/colors", others=["runs/colors"], long=True, browser=False)
    with pytest.raises(RunError, match="nowhere"):
        show("runs/colors", others=["runs/nowhere"], browser=False)
