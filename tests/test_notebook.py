"""The notebook that people begin with, executed as they execute it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

NOTEBOOK = ROOT / ".github" / "quickstart.ipynb"


def read() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs_of(notebook: Any, beginning: str) -> list[Any]:
    """What the cell gave that begins so."""
    cell = next(cell for cell in notebook.cells if cell.source.startswith(beginning))
    return list(cell.outputs)


def html_of(outputs: list[Any]) -> str:
    return str(outputs[-1]["data"]["text/html"])


def table_of(outputs: list[Any]) -> list[list[str]]:
    """The rows of a DataFrame, without its index."""
    text = outputs[-1]["data"]["text/plain"]
    return [line.split()[1:] for line in text.splitlines()[1:]]


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in read().cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.filterwarnings("default")  # those of Jupyter are not ours
def test_the_notebook_leads_from_a_trainer_to_the_decisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient")
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = read()
    here = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=here).execute()
    worst = table_of(outputs_of(notebook, "from review_embeddings import build"))
    assert {"test/5/1200.png", "test/6/1220.png"} & {row[1] for row in worst}
    link = html_of(outputs_of(notebook, "from review_embeddings import show"))
    assert '<a href="http://127.0.0.1:' in link and "?token=" in link
    decided = table_of(outputs_of(notebook, "columns = "))
    assert [row[1:] for row in decided] == [
        ["5", "relabel", "7", "me"],
        ["6", "relabel", "3", "me"],
    ]
    exported = table_of(list(notebook.cells[-1].outputs))
    assert sorted(row[1:] for row in exported) == [
        ["test/5/1200.png", "5", "relabel", "7"],
        ["test/6/1220.png", "6", "relabel", "3"],
    ]
