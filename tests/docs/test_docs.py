"""The pages of documentation: generated parts in step, links that lead somewhere, commands that can
be parsed, code that compiles."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from review_embeddings.pipeline.stages.registry import STAGES
from tests.docs import __main__
from tests.docs.commands import all_commands, fault_of
from tests.docs.pages import (
    COMMAND,
    MAX_README,
    PAGES,
    README,
    ROOT,
    Heading,
    Link,
    headings,
    links,
    python_blocks,
    shown_commands,
)
from tests.docs.parts import MARKED, PARTS, contents, filled

PACKAGE = "review_embeddings"

BY_NAME = {path.relative_to(ROOT).as_posix(): path for path in PAGES}


def text_of(name: str) -> str:
    return BY_NAME[name].read_text(encoding="utf-8")


def test_the_readme_is_read_before_the_first_try() -> None:
    assert len(README.read_bytes()) <= MAX_README


@pytest.mark.parametrize("name", BY_NAME)
def test_generated_parts_are_in_step_with_the_declarations(name: str) -> None:
    assert filled(text_of(name)) == text_of(name), "write them anew: python -m tests.docs"


def test_every_generated_part_is_in_a_page() -> None:
    shown = {part[1] for name in BY_NAME for part in MARKED.findall(text_of(name))}
    assert shown == set(PARTS)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_link_and_picture_leads_somewhere(name: str) -> None:
    text = text_of(name)
    for link in links(text):
        if re.match(r"https?:|mailto:", link.target):
            assert not link.is_picture, f"{link.target}: pictures lie here"
            continue
        file, _, anchor = link.target.partition("#")
        path = (BY_NAME[name].parent / file).resolve() if file else BY_NAME[name]
        assert path.exists() and path.is_relative_to(ROOT), f"{name}: {link.target}"
        if anchor:
            known = {one.anchor for one in headings(path.read_text(encoding="utf-8"))}
            assert anchor in known, f"{name}: {link.target}"


@pytest.mark.parametrize("name", BY_NAME)
def test_every_page_but_a_short_one_begins_with_its_contents(name: str) -> None:
    text = text_of(name)
    sections = [one.anchor for one in headings(text) if one.level == 2]
    if len(sections) >= 4:
        beginning = text.partition("\n## ")[0]
        assert [one.target for one in links(beginning) if one.target[1:] in sections] == [
            f"#{anchor}" for anchor in sections
        ]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_command_that_is_shown_can_be_parsed(name: str) -> None:
    for words in shown_commands(text_of(name)):
        assert not fault_of(words), f"{COMMAND} {' '.join(words)}"


def test_every_command_and_option_is_in_the_reference() -> None:
    text = text_of("review/README.md")
    for name, command in all_commands().items():
        assert f"\n### {COMMAND} {name}".rstrip() + "\n" in text
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in text, f"{name} {option}"


@pytest.mark.parametrize("name", BY_NAME)
def test_every_block_of_python_compiles_and_finds_its_imports(name: str) -> None:
    """They are imported for real in tests/test_api.py."""
    for code in python_blocks(text_of(name)):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                offered = dir(import_module(str(node.module)))
                missing = {alias.name for alias in node.names} - {*offered}
                assert not missing, f"{name}: from {node.module} import {', '.join(missing)}"


def test_every_stage_says_what_it_computes() -> None:
    assert [stage.name for stage in STAGES if not stage.about] == []


def test_every_extra_is_explained() -> None:
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = declared.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = re.findall(r"^([\w-]+) = \[", section, re.MULTILINE)
    table = text_of("pipeline/README.md").partition("## Extras")[2]
    assert extras and all(f"`{extra}`" in table for extra in extras)


def test_every_benchmark_is_listed() -> None:
    text = text_of("tests/README.md")
    for path in (ROOT / "tests" / "benchmarks").rglob("*.py"):
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            assert f"`{'.'.join(part for part in parts if part != '__main__')}`" in text, path


# -- what reads them


def test_headings_of_one_title_have_anchors_of_their_own() -> None:
    text = (
        "# A page\n\n## What `x` does, and why\n\n```\n# no heading\n```\n\n## Twice\n\n## Twice\n"
    )
    assert headings(text) == [
        Heading(1, "A page", "a-page"),
        Heading(2, "What `x` does, and why", "what-x-does-and-why"),
        Heading(2, "Twice", "twice"),
        Heading(2, "Twice", "twice-1"),
    ]
    assert contents(headings(text)).count("\n") == 2


def test_links_in_code_are_none() -> None:
    text = "[a](b.md#c) `[no](d.md)` ![e](f.png)\n\n    [no](g.md)\n\n```\n[no](h.md)\n```\n"
    assert links(text) == [Link("b.md#c", False), Link("f.png", True)]


def test_commands_are_found_with_what_is_around_them() -> None:
    text = (
        "Text with review-embeddings build.\n\n"
        "    pip install . && review-embeddings demo   # a comment\n"
        "    review-embeddings build \\\n        --run x | head\n\n"
        "```\ntorchrun -- review-embeddings finetune … --lora 8\n```\n"
    )
    assert sorted(shown_commands(text)) == [
        ["build", "--run", "x"],
        ["demo"],
        ["finetune", "…", "--lora", "8"],
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("--first --last --run x", ""),
        ("finetune … --lora 8", ""),
        ("finetune --lora 8", "Missing option"),
        ("finetune … --lorax 8", "lorax"),
        ("build --pooling none", "'none' is not one of"),
        ("bild --run x", "bild"),
    ],
)
def test_what_is_no_command_line_is_noticed(line: str, fault: str) -> None:
    assert fault in fault_of(line.split())
    assert bool(fault) == bool(fault_of(line.split()))


def test_a_page_that_is_behind_is_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    behind = "<!-- made by python -m tests.docs: engines -->\nold\n<!-- end -->\n\nkept\n"
    page.write_text(behind, encoding="utf-8")
    monkeypatch.setattr(__main__, "PAGES", [page])
    monkeypatch.setattr(__main__, "ROOT", tmp_path)
    assert __main__.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("Not in step: page.md\n")
    assert page.read_text(encoding="utf-8") == behind
    assert __main__.main([]) == 0 and __main__.main(["--check"]) == 0
    text = page.read_text(encoding="utf-8")
    assert "old" not in text and "`local`" in text and text.endswith("kept\n")


# -- the description in a package index


def hook() -> Any:
    """The module that makes it, which is no part of the package."""
    spec = spec_from_file_location("description", ROOT / ".ci" / "description.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_has_no_pictures_and_no_links_into_the_repository() -> None:
    text = (
        "# A\n\nText with [a page](b.md#c).\n\n![A\npicture](.github/p.png)\n\n*Its\ncaption*\n\n"
        "**Contents:** [B](#b) ·\n[C](#c)\n\n## B\n\n![another](q.png)\n\nSee [there](https://x.org).\n"
    )
    assert hook().description(text) == (
        "# A\n\nText with a page.\n\n## B\n\nSee [there](https://x.org).\n"
    )


def test_the_package_is_described_by_the_readme() -> None:
    metadata: dict[str, Any] = {}
    hook().DescriptionHook(str(ROOT), {}).update(metadata)
    text = metadata["readme"]["text"]
    titles = [one.title for one in headings(README.read_text(encoding="utf-8"))]
    assert [one.title for one in headings(text)] == titles
    assert all(link.target.startswith("https://") for link in links(text))
    assert "![" not in text and "Contents" not in text
