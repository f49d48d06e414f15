"""Where what belongs to a person is kept: where systems and XDG's variables say, and where earlier
versions have put it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from review_embeddings.pipeline.userfolders import CACHE_VARIABLE, cache_folder, config_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", CACHE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_folders_are_those_of_earlier_versions(home: Path) -> None:
    assert config_folder() == home / ".config" / "review-embeddings"
    assert cache_folder() == home / ".cache" / "review-embeddings"


def test_the_variables_of_xdg_name_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "configuration"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cached"))
    assert config_folder() == home / "configuration" / "review-embeddings"
    assert cache_folder() == home / "cached" / "review-embeddings"


def test_a_cache_that_earlier_versions_have_made_stays_in_use(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = home / ".cache" / "review-embeddings"
    earlier.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cached"))
    assert cache_folder() == earlier
    (home / "cached" / "review-embeddings").mkdir(parents=True)
    assert cache_folder() == home / "cached" / "review-embeddings"


def test_a_variable_of_ours_names_the_cache_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, os.path.join("~", "mine"))  # noqa: PTH118
    assert cache_folder() == home / "mine"
