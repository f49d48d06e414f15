"""Where a file that is asked for may be written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.exchange.targets import check_target

Call = Callable[..., tuple[int, str, str]]


def run_of(folder: Path, source: str) -> RunFolder:
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    run.write_info(RunInfo(dataset=DatasetReference(source=source)))
    return run


def test_a_relative_source_is_inside_the_run(working_directory: Path) -> None:
    (working_directory / "data").mkdir()
    run = run_of(working_directory / "runs" / "mine", "data")
    check_target(run, Path("data/list.csv"))  # somebody's own folder: the run has no data/ yet
    (run.path / "data").mkdir()
    check_target(run, Path("data/list.csv"))
    with pytest.raises(SettingsError, match="lies among the run's own files"):
        check_target(run, run.path / "data" / "list.csv")


def test_the_name_of_a_data_set_on_the_hub_is_no_folder_here(working_directory: Path) -> None:
    (working_directory / "mnist").mkdir()
    check_target(run_of(working_directory / "run", "mnist"), Path("mnist/list.csv"))


def test_a_data_set_elsewhere_is_never_written_to(working_directory: Path) -> None:
    data = working_directory / "data"
    data.mkdir()
    run = run_of(working_directory / "run", str(data))
    with pytest.raises(SettingsError, match="lies in the data set"):
        check_target(run, Path("data/deep/list.csv"))
    check_target(run, Path("list.csv"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--out", "data/list.csv"],
        ["summary", "--html", "--out", "data/page.html"],
        ["animate", "--frame", "last", "--size", "480", "--out", "data/still.png"],
        ["table", "--out", "data/all.csv"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_folder_named_as_the_runs_own_data_set(
    arguments: list[str], review_embeddings: Call, built_run: Path, working_directory: Path
) -> None:
    """As in a folder that holds a ``data/`` where the demo's run, with its data inside, is used."""
    run = Path(shutil.copytree(built_run, working_directory / "run"))
    content = json.loads((run / "run.json").read_text())
    shutil.copytree(content["dataset"]["source"], run / "data")
    content["dataset"]["source"] = "data"
    (run / "run.json").write_text(json.dumps(content))
    (working_directory / "data").mkdir()
    code, _, err = review_embeddings(*arguments, "--run", run)
    assert code == 0, err
    assert Path(arguments[-1]).is_file()


def test_the_exports_of_a_run_inside_its_data_set_may_be_written(working_directory: Path) -> None:
    data = working_directory / "data"
    data.mkdir()
    run = run_of(data / "runs" / "a", str(data))
    check_target(run, run.exports / "list.csv")
    with pytest.raises(SettingsError, match="lies in the data set"):
        check_target(run, data / "list.csv")
