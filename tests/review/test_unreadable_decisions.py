"""Decisions that cannot be read are said by every command that reads decisions, and `apply` waits
until somebody has said what is to become of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.cli.program import cli
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.session import DecisionSession

CommandLine = Callable[..., tuple[int, str, str]]

READERS: dict[str, tuple[str, ...]] = {
    "": ("--first", "--last"),
    "export": (),
    "import": ("LIST",),
    "apply": ("--out", "CLEANED", "--skip-unreadable"),
    "decisions": (),
    "summary": (),
    "share": ("--out", "PAGE", "--with", "notes"),
    "compare": ("RUN", "RUN"),
    "similar": ("--image", "3"),
}
"""The commands that read decisions, each with what it needs beside ``--run``, or with its runs."""

OTHERS = {"build", "finetune", "table", "index", "animate", "diff"}
"""Commands that read none."""

OF_TRAININGS = {"improve"}
"""Commands that read those of runs that `finetune` made; tested with it."""

AS_REVIEW = {"demo"}
"""Commands that end in a review of the run."""


def reviewed(folder: Path) -> RunFolder:
    """A run with a decision about image 3, and a line in the file that cannot be read."""
    run = RunFolder(folder)
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        writer.append(ReviewedImages.of(images).decide([3], "keep", reviewer="ada"))
    with run.decisions.open("ab") as file:
        file.write(b'{"decision": "remove", "image_\n')
    return run


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    return reviewed(Path(shutil.copytree(built_run, tmp_path / "run")))


def sentence(run: RunFolder) -> str:
    return f"Line 2 (it is no JSON) of {run.decisions} cannot be read and is left out."


def test_it_is_known_of_every_command_whether_it_reads_decisions() -> None:
    assert {"", *cli.commands} == {*READERS, *OTHERS, *AS_REVIEW, *OF_TRAININGS}


@pytest.mark.parametrize("name", READERS)
def test_every_command_that_reads_decisions_says_it(
    name: str,
    run: RunFolder,
    tmp_path: Path,
    review_embeddings: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def serve(*arguments: Any, **options: Any) -> None:
        """Leaves the page as it is."""

    monkeypatch.setattr("review_embeddings.review.page.server.serve", serve)
    (tmp_path / "list.csv").write_text("image_id,decision\n5,remove\n")
    files = {"LIST": tmp_path / "list.csv", "CLEANED": tmp_path / "cleaned", "RUN": run.path}
    files["PAGE"] = tmp_path / "page.html"
    arguments = [files.get(one, one) for one in READERS[name]]
    if name == "similar":
        assert review_embeddings("index", "--run", run.path)[0] == 0
    before = run.decisions.read_bytes()
    if "RUN" not in READERS[name]:
        arguments += ["--run", run.path]
    code, _, errors = review_embeddings(*filter(None, [name]), *arguments)
    assert code == 0, errors
    assert errors.splitlines().count(sentence(run)) == 1
    assert run.decisions.read_bytes().startswith(before)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_apply_does_nothing_while_a_decision_cannot_be_read(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine, more: tuple[str, ...]
) -> None:
    arguments = ("apply", "--run", run.path, "--out", tmp_path / "cleaned", *more)
    code, out, errors = review_embeddings(*arguments)
    assert (code, out) == (2, "") and errors == (
        f"Error: {sentence(run)} Their images would stay or keep their labels. Mend them in the "
        f"file; or apply the other decisions with --skip-unreadable.\n"
    )
    assert not (tmp_path / "cleaned").exists()
    with run.decisions.open("ab") as file:
        file.write(b'{"format_version": 2}\n')
    assert "Upgrade: pip install -U review-embeddings" in review_embeddings(*arguments)[2]


def test_what_was_applied_without_them_says_so(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    cleaned = tmp_path / "cleaned"
    code, out, _ = review_embeddings(
        "apply", "--run", run.path, "--out", cleaned, "--skip-unreadable"
    )
    assert code == 0 and f"left out: {sentence(run)}\n" in out
    assert f"left out: {sentence(run)}\n" in (cleaned / "summary.txt").read_text()


def test_the_summary_says_it_on_its_page(run: RunFolder, review_embeddings: CommandLine) -> None:
    assert "Line 2 (it is no JSON)" in review_embeddings("summary", "--run", run.path)[1]


def test_the_page_says_it_of_its_own_run_and_of_earlier_ones(
    run: RunFolder, built_run: Path, tmp_path: Path
) -> None:
    earlier = reviewed(Path(shutil.copytree(built_run, tmp_path / "earlier")))
    session = DecisionSession(run, "ada", [earlier])
    assert session.metadata()["faults"] == [sentence(run), sentence(earlier)]
    reader = DecisionSession(run, "bob", [earlier])
    assert reader.metadata()["faults"] == [sentence(run), sentence(earlier)]
    reader.close()
    session.close()
