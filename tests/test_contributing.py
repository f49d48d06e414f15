"""What CONTRIBUTING.md shows is true: its diffs are applied to a copy of the code, and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from nodetests import TESTS, node

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
FRONTEND = "review/plugin/renumics/spotlight_plugins/review_embeddings/frontend"


def diffs() -> list[str]:
    found = re.findall(
        r"^```diff\n(.*?)^```", CONTRIBUTING.read_text(encoding="utf-8"), re.M | re.S
    )
    assert len(found) >= 6
    return found


def apply(diff: str, root: Path) -> None:
    """Apply a diff whose hunks are found by their lines, which must stand there once."""
    for part in re.split(r"^(?=--- )", diff, flags=re.M)[1:]:
        old_name, new_name, *lines = part.splitlines()
        path = root / new_name.removeprefix("+++ b/")
        is_new = old_name == "--- /dev/null"
        text = "" if is_new else path.read_text(encoding="utf-8")
        for hunk in "\n".join(lines).split("@@\n")[1:]:
            rows = hunk.removesuffix("\n").split("\n")
            before = "".join(f"{row[1:]}\n" for row in rows if not row.startswith("+"))
            after = "".join(f"{row[1:]}\n" for row in rows if not row.startswith("-"))
            count = 1 if is_new else text.count(before)
            assert count == 1, f"{path.name} has these lines {count} times:\n{before}"
            text = after if is_new else text.replace(before, after)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, as it is installed, to which all diffs were applied."""
    package = tmp_path_factory.mktemp("contributed") / "review_embeddings"
    for name in ("pipeline", "review"):
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / ".package" / "review_embeddings" / name, package)
    for diff in diffs():
        apply(diff, package)
    return package


def test_what_is_added_is_computed_listed_and_written(
    changed: Path, run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    program = """
import json, sys
from pathlib import Path
from review_embeddings import pipeline
from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.log import read_history
from review_embeddings.review.exchange.export import Selection, export_list
from review_embeddings.review.page.frontend import WIDGETS
root, run, data, out = sys.argv[1:]
assert Path(pipeline.__file__).is_relative_to(root), pipeline.__file__
settings = {"map": "random"}
build(RunFolder(Path(run)), Request(dataset={"source": data, "split": "train"}, settings=settings))
frame = table.read(run, checkpoints="last")
run = RunFolder(Path(run))
history = read_history(run, print)
count, _, path = export_list(run, history, Selection("reddest"), form="tsv", out=Path(out))
print(json.dumps({
    "red": sorted(frame["label"][frame["redness"] > 0.5].unique()),
    "leverage": [float(frame["leverage"].min()), float(frame["leverage"].max())],
    "head": path.read_text().splitlines()[0],
    "count": count,
    "widget": WIDGETS["position"],
}))
"""
    arguments = [changed, run_path, image_folder, tmp_path / "list.tsv"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(changed.parent)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["red"] == ["red"] and found["count"] > 0
    assert 0 < found["leverage"][0] <= found["leverage"][1] < 1
    assert "redness" in found["head"].split("\t") and "," not in found["head"]
    assert found["widget"] == "ReviewPosition"


def test_the_widget_says_where_the_image_is(changed: Path, tmp_path: Path) -> None:
    module = (changed / FRONTEND / "views/position.js").as_uri()
    text = (changed / FRONTEND / "dom/node.js").as_uri()
    program = (
        f'import {{ positionView }} from "{module}"; import {{ textOf }} from "{text}";'
        "console.log(JSON.stringify([positionView(7), positionView(undefined)].map(textOf)))"
    )
    (tmp_path / "constants.js").write_text("")
    done = subprocess.run(
        [node(), "--import", (TESTS / "hook.mjs").as_uri(), "--input-type=module", "-e", program],
        env={"FRONTEND_CONSTANTS": str(tmp_path / "constants.js")},
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == ["Row 7", "No image"], done.stderr


def test_files_and_commands_that_the_documents_name_are_there() -> None:
    texts = [CONTRIBUTING, *sorted((ROOT / ".github" / "decisions").glob("*.md"))]
    assert len(texts) >= 7
    for document in texts:
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"`((?:pipeline|review|tests|\.ci)/[\w./-]*)`", text):
            assert (ROOT / name).exists(), f"{document.name} names {name}"
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"


def test_decision_records_have_their_parts() -> None:
    records = sorted((ROOT / ".github" / "decisions").glob("*.md"))
    for number, record in enumerate(records, start=1):
        text = record.read_text(encoding="utf-8")
        assert record.name.startswith(f"{number:04d}-") and text.startswith(f"# {number:04d}: ")
        for part in ("Context", "Decision", "Consequences"):
            assert f"\n**{part}.** " in text, record.name
        assert len(text) < 2600, "half a page"


def test_the_versions_of_ci_are_those_that_the_package_asks_for() -> None:
    tomllib = pytest.importorskip("tomllib", reason="comes with Python 3.11")
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    held = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for one in map(Requirement, wanted):
        name = re.sub("[-_.]+", "-", one.name).lower()
        if name != project["name"]:  # of an extra of ours
            assert name in held, f"add {name} to .ci/constraints.txt"
            assert one.specifier.contains(held[name]), f"{one} is not {held[name]}"
