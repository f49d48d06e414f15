"""Readers of a run see it before or after a build, never between."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import consistent


@pytest.fixture
def run(built_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr(consistent, "PAUSE_SECONDS", 0)
    return RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))


def replace_table(run: RunFolder) -> None:
    """As a build does in its last step."""
    copy = run.table / "copy"
    shutil.copy(run.table_manifest, copy)
    copy.replace(run.table_manifest)


def test_what_a_build_has_changed_meanwhile_is_read_anew(run: RunFolder) -> None:
    seen: list[int] = []

    def work() -> int:
        seen.append(len(seen))
        if len(seen) == 1:
            replace_table(run)
        return seen[-1]

    assert table.consistently(run, work) == 1


def test_a_file_that_a_build_took_away_is_no_fault_of_the_run(run: RunFolder) -> None:
    failed: list[bool] = []

    def work() -> bool:
        if not failed:
            failed.append(True)
            replace_table(run)
            raise RunError("it is not there")
        return True

    assert table.consistently(run, work)
    with pytest.raises(RunError, match="of its own"):
        table.consistently(run, lambda: fail("of its own"))


def fail(reason: str) -> None:
    raise RunError(reason)


def test_a_run_that_changes_again_and_again_is_not_waited_for(run: RunFolder) -> None:
    with pytest.raises(RunError, match="again and again"):
        table.consistently(run, lambda: replace_table(run))


def test_images_that_are_newer_than_the_table_are_said(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_images(run)
    assert images is not None
    newer = images.take(np.arange(1, len(images)))
    monkeypatch.setattr(consistent, "read_images", lambda _: newer)
    with pytest.raises(RunError, match="about other images"):
        table.consistently(run, lambda: None)
