"""The commands that a page shows for the result: as they stand there, they get it out."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.commandline import PROGRAM
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.commands import result_commands


@pytest.mark.skipif("os.name == 'nt'", reason="Windows has another shell")
def test_the_commands_of_a_page_get_the_decisions_out(
    built_run: Path, tmp_path: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "it's a run; $HOME")))
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        ids = [int(images.ids[0])]
        writer.append(ReviewedImages.of(images).decide(ids, "remove", reviewer="ada"))
    lines = [shlex.split(one.command) for one in result_commands(run)]
    assert [line[0] for line in lines] == [PROGRAM] * 3
    cleaned = Path(f"{run.path}-cleaned")
    for name, *arguments in lines[:2]:
        code, _, errors = review_embeddings(*arguments)
        assert code == 0, (name, errors)
    assert list((run.path / "exports").glob("*.csv")) and not cleaned.exists()
    assert review_embeddings(*lines[2][1:])[0] == 0
    assert cleaned.is_dir()
    again = [shlex.split(one.command) for one in result_commands(run)]
    assert again[2][-1] == f"{cleaned}-2", "the name that it had is taken"
