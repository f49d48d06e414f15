"""Promises about the project as a whole: who imports whom, what help costs, what the README
says."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest

from pipeline import table
from review.cli import cli

ROOT = Path(__file__).parents[1]
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
    "renumics",
    "numpy",
    "PIL",
    "matplotlib",
}


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys; print(' '.join(sys.modules))"
    return set(
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout.split()
    )


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pipeline").glob("*.py")), ids=lambda path: path.name
)
def test_pipeline_knows_neither_review_nor_the_command_line(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"review", "click", "rich"}
    assert not re.search(r"\bprint\(", path.read_text())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "review").rglob("*.py")), ids=lambda path: path.name
)
def test_only_the_command_line_prints(path: Path) -> None:
    if path.name not in {"cli.py", "terminal.py"}:
        assert not re.search(r"\bprint\(|click\.echo", path.read_text())


def test_help_imports_nothing_heavy() -> None:
    """What keeps `--help` under a second; heavy imports stay inside the functions that need
    them."""
    code = (
        "import sys; sys.argv = ['review-embeddings', '--help']\nfrom review.cli import "
        "main\ntry: main()\nexcept SystemExit: pass"
    )
    assert not modules_after(code) & HEAVY


SUBCLASS_TRANSFORMERS = {"callback", "trainer"}
"""Their classes are subclasses of Trainer's; nothing imports them at module level."""


@pytest.mark.parametrize(
    "module",
    sorted(
        path.stem
        for path in (ROOT / "pipeline").glob("*.py")
        if path.stem not in SUBCLASS_TRANSFORMERS
    ),
)
def test_pipeline_modules_defer_their_heavy_imports(module: str) -> None:
    name = "pipeline" if module == "__init__" else f"pipeline.{module}"
    assert not modules_after(f"import {name}") & (HEAVY - {"numpy", "PIL"})


def test_version_is_that_of_the_package() -> None:
    output = subprocess.run(
        [sys.executable, "-c", "from review.cli import main; main()", "--version"],
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
    assert any("--run" in parameter.opts for parameter in command.params)


def test_the_readme_names_every_command_and_option() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, command in commands().items():
        assert f"review-embeddings {name}".strip() in readme
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in readme, f"{name} {option}"


def test_the_readme_has_the_table_of_columns_as_declared() -> None:
    assert table.as_markdown() in (ROOT / "README.md").read_text()


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
    from review.spotlight import PLUGIN_FOLDER

    assert (
        PLUGIN_FOLDER
        / "renumics"
        / "spotlight_plugins"
        / "review_embeddings"
        / "frontend"
        / "main.js"
    ).is_file()
    assert not list(PLUGIN_FOLDER.glob("renumics/__init__.py")), (
        "renumics is a namespace; a file here would hide Spotlight itself"
    )


def test_the_sizing_table_is_the_one_that_is_worked_out() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tests" / "benchmarks" / "sizing.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout in (ROOT / "README.md").read_text(encoding="utf-8")
