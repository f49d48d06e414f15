"""Where a file that is asked for may be written: whatever command asks, by the options that are
declared."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.cli.declare import OutputPath
from review_embeddings.review.cli.program import cli
from review_embeddings.review.exchange.forms import FORMS
from review_embeddings.review.exchange.targets import KINDS, check_folder, check_target
from review_embeddings.review.share.readme import readme_text

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
        ["share", "--out", "data/shared.html"],
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


# -- every option of every command

WRITERS: dict[str, tuple[list[str], str]] = {
    "table": ([], ".csv"),
    "export": ([], ".csv"),
    "apply": ([], ""),
    "animate": (["--frame", "last", "--size", "480"], ".png"),
    "summary": (["--html"], ".html"),
    "share": ([], ".html"),
    "improve": ([], ""),
    "similar": (["--image", "1", "--html"], ".html"),
}
"""Commands with an option for output, what else they need, and how the names of their files end."""

COMPARING = ("diff", "compare")
"""The commands of two data sets or runs, with an option for output of a list and one of a page."""

WRITES = ("--out", "--output", "--to", "--into", "--report")
"""How options are called that say where something is written."""


def declared() -> Iterator[tuple[str, click.Option]]:
    for name, command in cli.commands.items():
        for one in command.params:
            if isinstance(one, click.Option):
                yield name, one


def test_every_option_for_output_is_checked_before_there_is_a_path() -> None:
    typed = {name for name, one in declared() if isinstance(one.type, OutputPath)}
    assert typed == {*WRITERS, *COMPARING}, "a new command belongs into WRITERS"
    for name, one in declared():
        writes = "write" in (one.help or "").split(":")[0].lower()
        if (writes and one.metavar in {"FILE", "DIR"}) or set(one.opts) & set(WRITES):
            assert isinstance(one.type, OutputPath), f"{name} {one.opts}: use output_option"


@pytest.fixture(scope="module")
def protected(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, another one, a model, a data set, and files of other kinds; only to be
    read."""
    folder = tmp_path_factory.mktemp("protected")
    for name in ("run", "other"):
        shutil.copytree(built_run, folder / name)
    source = json.loads((built_run / "run.json").read_text())["dataset"]["source"]
    shutil.copytree(source, folder / "data")
    for name in ("run", "other"):
        content = json.loads((folder / name / "run.json").read_text())
        content["dataset"]["source"] = str(folder / "data")
        (folder / name / "run.json").write_text(json.dumps(content))
    for ending in (*KINDS, ""):
        (folder / f"mine{ending}").write_bytes(b"\x89PNG" if ending != ".png" else b"PK\x03\x04")
        (folder / f"link{ending}").symlink_to(folder / "run" / "images.parquet")
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(".lock")
    }


@pytest.mark.parametrize("command", WRITERS)
def test_no_output_takes_the_place_of_anything_else(command: str, protected: Path) -> None:
    arguments, ending = WRITERS[command]
    before = contents(protected)
    for place in (
        f"run/new{ending}",
        f"run/table/new{ending}",
        f"other/new{ending}",
        f"other/checkpoint-10/new{ending}",
        f"data/new{ending}",
        f"data/train/new{ending}",
        f"mine{ending}",
        f"link{ending}",
        "run",
        "data",
    ):
        given = [command, *arguments, "--run", str(protected / "run")]
        result = CliRunner().invoke(cli, [*given, "--out", str(protected / place)])
        assert result.exit_code == 2, (place, result.output)
        told = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert len(told) == 1 and "--out" in told[0], (place, result.output)
    assert contents(protected) == before


@pytest.mark.parametrize(("option", "ending"), [("--out", ".csv"), ("--html", ".html")])
@pytest.mark.parametrize("command", COMPARING)
def test_no_comparison_takes_the_place_of_anything_else(
    command: str, option: str, ending: str, protected: Path
) -> None:
    before, data = contents(protected), str(protected / "data")
    sides = [data, data] if command == "diff" else [str(protected / "run")] * 2
    for place in (
        f"run/new{ending}",
        f"other/table/new{ending}",
        f"data/new{ending}",
        f"mine{ending}",
        f"link{ending}",
        "data",
    ):
        result = CliRunner().invoke(cli, [command, *sides, option, str(protected / place)])
        assert result.exit_code == 2 and option in result.output, (place, result.output)
    assert contents(protected) == before


def test_a_pipe_is_no_file_to_write(protected: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.html")
    for path in (tmp_path / "pipe.html", Path("/dev/null")):
        with pytest.raises(SettingsError, match="is a device or a pipe"):
            check_target(RunFolder(protected / "run"), path)


def test_an_earlier_file_of_the_kind_is_written_again(protected: Path, tmp_path: Path) -> None:
    run = RunFolder(protected / "run")
    starts = {".csv": b"my own table", ".json": b"[\n ", ".jsonl": b"{", ".parquet": b"PAR1"}
    starts |= {".html": b"<!doctype html>", ".png": b"\x89PNG\r\n"}
    starts |= {".md": readme_text("a", "page.html", 1, [0], []).encode()}
    for ending, start in starts.items():
        (tmp_path / f"list{ending}").write_bytes(start)
        check_target(run, tmp_path / f"list{ending}")
        (tmp_path / f"empty{ending}").touch()
        check_target(run, tmp_path / f"empty{ending}")


def test_a_run_inside_another_one_has_exports_of_its_own(protected: Path) -> None:
    inner = RunFolder(protected / "other" / "against-test")
    check_target(inner, inner.exports / "list.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        ["decisions"],
        ["decisions", "--compact"],
        ["export"],
        ["summary"],
        ["table", "--out", "OUT.csv"],
        ["apply", "--out", "OUT"],
        ["similar", "--image", "0"],
        ["animate", "--out", "OUT.gif"],
        ["share", "--out", "OUT.html"],
        ["build", "--verify"],
        ["build"],
    ],
    ids=" ".join,
)
def test_a_folder_that_is_no_run_is_left_as_it_is(
    arguments: list[str],
    image_folder: Path,
    tmp_path: Path,
    review_embeddings: Callable[..., tuple[int, str, str]],
) -> None:
    folder = Path(shutil.copytree(image_folder, tmp_path / "data"))
    before = sorted(folder.rglob("*"))
    given = [one.replace("OUT", str(tmp_path / "out")) for one in arguments]
    code, _, error = review_embeddings(*given, "--run", folder)
    assert code == 2 and "run" in error
    assert sorted(folder.rglob("*")) == before


def test_nothing_is_cleaned_into_a_data_set_that_was_cleaned(
    review_embeddings: Call, run: RunFolder, working_directory: Path
) -> None:
    for form in FORMS:
        code, _, err = review_embeddings("apply", "--run", run.path, "--out", form, "--as", form)
        assert code == 0, err
        before = sorted(Path(form).rglob("*"))
        for inner in FORMS:
            out = Path(form) / "train" / inner
            code, _, err = review_embeddings(
                "apply", "--run", run.path, "--out", out, "--as", inner
            )
            assert code == 2 and "a cleaned data set that `apply` wrote" in err
        assert sorted(Path(form).rglob("*")) == before


def test_the_folder_of_all_exports_is_no_name_of_one(working_directory: Path) -> None:
    run = run_of(working_directory / "run", "mnist")
    run.exports.mkdir()
    for check in (check_target, check_folder):
        with pytest.raises(SettingsError, match=r"the folder of all exports. Use .*exports/NAME,"):
            check(run, run.exports)
    other = run_of(working_directory / "other", "mnist")
    with pytest.raises(SettingsError, match=r"Use .*run/exports/NAME,"):
        check_target(other, run.exports)
