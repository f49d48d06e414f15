"""Promises about the project as a whole: who imports whom, and what help costs."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest

from review_embeddings.review.cli.program import cli

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "review" / "plugin"
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "cleanlab",
    "sklearn",
    "scipy",
    "pandas",
    "pyarrow",
    "umap",
    "pacmap",
    "openTSNE",
    "renumics",
    "numpy",
    "PIL",
    "matplotlib",
}


ROOMS = ("pipeline", "review")


def modules_of(room: str) -> list[Path]:
    """Every module of a room; the plugin is part of another package."""
    found = [path for path in sorted((ROOT / room).rglob("*.py")) if "plugin" not in path.parts]
    assert len(found) > 30, "the rooms have sub-folders, and these are looked into"
    return found


def name_of(path: Path) -> str:
    """``review_embeddings.pipeline.run.folder``, say."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("review_embeddings", *(part for part in parts if part != "__init__")))


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def after(code: str) -> set[str]:
    """Modules that a new interpreter has loaded once the code has run."""
    program = f"{code}\nimport sys; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_pipeline_knows_neither_review_nor_the_command_line() -> None:
    for path in modules_of("pipeline"):
        names = imports_of(path)
        assert not {name.split(".")[0] for name in names} & {"click", "rich"}, path
        assert not [name for name in names if name.startswith("review_embeddings.review")], path
        assert not re.search(r"\bprint\(", path.read_text(encoding="utf-8")), path


def test_imports_go_through_the_package() -> None:
    """By their own names the rooms may be somebody else's modules."""
    for path in (*modules_of("pipeline"), *modules_of("review"), *PLUGIN.rglob("*.py")):
        assert not {name.split(".")[0] for name in imports_of(path)} & set(ROOMS), path


def test_only_the_command_line_prints() -> None:
    for path in modules_of("review"):
        if "cli" not in path.parts:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\bprint\(|click\.echo", text), path


def test_help_of_every_command_imports_nothing_heavy() -> None:
    """What keeps `--help` under half a second: heavy imports are inside the functions."""
    code = """
import sys
from review_embeddings.review.cli.program import cli, main
for command in ([], *([name] for name in sorted(cli.commands))):
    sys.argv = ["review-embeddings", *command, "--help"]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, command
"""
    assert not after(code) & {*HEAVY, "rich", "yaml", "fsspec"}


def test_a_review_imports_neither_torch_nor_transformers(built_run: Path) -> None:
    """Up to where Spotlight's server is started, which is left out here. Spotlight's embedders and
    analyzers import both, and are no part of a review."""
    code = f"""
import sys
from review_embeddings.review.cli.program import main
from review_embeddings.review.page import server
server.serve = lambda page, *arguments, **named: print(f"{{len(page.frame)}}-rows")
sys.argv = ["review-embeddings", "--first", "--last", "--run", {str(built_run)!r}, "--no-browser"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
"""
    loaded = after(code)
    assert {"36-rows", "renumics.spotlight", "pandas"} <= loaded
    assert not loaded & {"torch", "transformers", "scipy", "sklearn", "numba", "umap", "matplotlib"}


LATE = {"callback", "trainer", "drawing"}
"""Modules and rooms whose classes are subclasses of a library's; they are imported in functions
only."""


def test_modules_defer_their_heavy_imports() -> None:
    """All are imported in one interpreter; each is blamed for what it is the first to load."""
    names = [
        name_of(path)
        for room in ROOMS
        for path in modules_of(room)
        if not {path.stem, path.parent.name} & {*LATE, "__main__"}
    ]
    program = f"""
import importlib, sys
heavy, blamed = {HEAVY - {"numpy", "PIL"}!r}, []
for name in {names!r}:
    importlib.import_module(name)
    loaded = heavy & set(sys.modules)
    blamed += [f"{{name}} loads {{one}}" for one in sorted(loaded)]
    heavy -= loaded
print("; ".join(blamed))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""


def test_short_names_are_the_same_modules() -> None:
    program = """
import pipeline, review, review_embeddings.pipeline, review_embeddings.review
assert pipeline is review_embeddings.pipeline and review is review_embeddings.review
from pipeline.table.columns import COLUMNS
from review_embeddings.pipeline.table import columns
assert columns.COLUMNS is COLUMNS and columns.__name__ == "review_embeddings.pipeline.table.columns"
assert columns.__spec__.name == columns.__name__
"""
    # from the checkout's own folder too, where the folders themselves are found first
    for folder in (ROOT, ROOT / "tests" / "data"):
        subprocess.run([sys.executable, "-c", program], check=True, cwd=folder)


def test_modules_of_others_with_these_names_come_first(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("mine = True\n")
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "__init__.py").write_text("mine = True\n")
    (tmp_path / "other" / "pipeline").mkdir(parents=True)
    (tmp_path / "other" / "pipeline" / "utils.py").write_text("mine = True\n")
    for first in ("import review_embeddings.pipeline", "import review"):
        program = f"{first}\nimport pipeline.utils\nassert pipeline.utils.mine"
        subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path / "other")
    for order in ("import pipeline, review, {ours}", "import {ours}, pipeline, review"):
        ours = "review_embeddings.pipeline.table, review_embeddings.review.cli.program"
        program = f"{order.format(ours=ours)}\nassert pipeline.mine and review.mine"
        subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_version_is_that_of_the_package() -> None:
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            "from review_embeddings.review.cli.program import main; main()",
            "--version",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert metadata.version("review-embeddings") in output


def commands() -> dict[str, click.Command]:
    return {"": cli, **cli.commands}


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_every_option_a_sentence(name: str) -> None:
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, parameter.opts
    of_runs = any("--run" in parameter.opts for parameter in command.params)
    assert of_runs or name in {"diff", "compare"}, "which take two data sets or runs"


def test_top_level_is_as_agreed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "review",
        "pipeline",
        "tests",
        "pyproject.toml",
        "README.md",
    }


def test_the_plugin_is_part_of_the_package() -> None:
    from review_embeddings.review.page.frontend import FRONTEND_FOLDER, PLUGIN_FOLDER

    assert (FRONTEND_FOLDER / "main.js").is_file()
    assert FRONTEND_FOLDER.parents[2].parent == PLUGIN_FOLDER
    assert not list(PLUGIN_FOLDER.glob("renumics/__init__.py")), (
        "renumics is a namespace; a file here would hide Spotlight itself"
    )
