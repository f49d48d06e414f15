"""Imports of large libraries: told while they go on, timed, and no work."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from review_embeddings.pipeline import loading
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.session import BuildSession

SLEEPY = """
import time
from review_embeddings.pipeline.progress import current_activity
{more}
time.sleep(0.2)
told = current_activity().text
"""


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two stand-ins for large libraries, of which one imports the other."""
    (tmp_path / "slowtorch.py").write_text(SLEEPY.format(more=""))
    (tmp_path / "slowformers.py").write_text(SLEEPY.format(more="import slowtorch"))
    monkeypatch.syspath_prepend(str(tmp_path))
    names = frozenset({"slowtorch", "slowformers"})
    monkeypatch.setattr(loading, "LIBRARIES", names)
    monkeypatch.setattr(loading, "LARGEST", names)
    yield
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("libraries")
def test_a_library_that_is_loaded_is_named_with_those_it_loads() -> None:
    with loading.imports_observed():
        import slowformers  # type: ignore[import-not-found]
    assert slowformers.told == "Loading slowformers and slowtorch"
    assert vars(slowformers.__loader__).keys() == {"name", "path"}, "nothing is left behind"
    assert loading._observer not in sys.meta_path


@pytest.mark.usefixtures("libraries")
def test_the_time_of_a_stage_is_without_that_of_imports(tmp_path: Path) -> None:
    with ExitStack() as stack, loading.imports_observed():
        session = BuildSession(RunFolder(tmp_path), Request(), SILENT, stack)
        before = loading.loading_seconds()
        with session.timed("outliers", 10):
            import slowformers  # noqa: F401
        loaded = loading.loading_seconds() - before
    assert loaded >= 0.4, "both are counted"
    assert session.seconds["outliers"] < loaded


def test_real_libraries_are_imported_as_ever() -> None:
    script = textwrap.dedent("""
        import sys
        from review_embeddings.pipeline.loading import imports_observed, loading_seconds
        with imports_observed():
            import numpy, pandas
            import scipy.spatial
            try:
                import torch.nothing_of_this_name
            except ModuleNotFoundError as error:
                assert error.name == "torch.nothing_of_this_name", error
        assert pandas.__spec__.loader.name == "pandas" and loading_seconds() > 0
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
