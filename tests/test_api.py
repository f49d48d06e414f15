"""What people import from Python, and that it is what the command line does."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from review_embeddings import pipeline, review
from review_embeddings.pipeline import api, errors
from review_embeddings.pipeline.api import make_request
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.review.cli.build import build_command
from tests.docs.pages import PAGES

ROOT = Path(__file__).parents[1]

ONLY_PYTHON = {"progress"}
ONLY_COMMAND = {"debug", "dry_run", "json_lines", "verify"}


@pytest.mark.parametrize("package", [pipeline, review])
def test_everything_that_is_offered_can_be_imported(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    assert list(package.__all__) == sorted(package.__all__, key=lambda name: (name.islower(), name))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


def test_all_errors_are_offered() -> None:
    own = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert own == {name for name in pipeline.__all__ if name.endswith("Error")}


def test_build_takes_the_options_of_the_command() -> None:
    parameters = inspect.signature(api.build).parameters
    defaults = build_command.make_context("build", []).params
    assert set(parameters) - ONLY_PYTHON == set(defaults) - ONLY_COMMAND
    for name in set(parameters) - {"run"}:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    for name in set(defaults) - ONLY_COMMAND - {"run"}:
        assert parameters[name].default == defaults[name], name


def test_options_become_a_request() -> None:
    asked = {"dataset": Path("data"), "split": "test", "limit": 0, "map": "umap", "device": "cpu"}
    request = make_request({**asked, "checkpoint": [0, "last"], "engine": "ray", "address": "auto"})
    dataset = {name: value for name, value in request.dataset.items() if value is not None}
    settings = {name: value for name, value in request.settings.items() if value is not None}
    assert dataset == {"source": "data", "split": "test", "limit": 0}
    assert settings == {"map": "umap"}
    assert request.wanted == ["0", "last"]
    assert (request.device, request.engine, request.address) == ("cpu", "ray", "auto")


@pytest.mark.parametrize(
    ("given", "wanted"), [((), None), ([], None), (0, ["0"]), ("last", ["last"]), ((5,), ["5"])]
)
def test_which_checkpoints_a_request_is_for(given: object, wanted: list[str] | None) -> None:
    assert make_request({"checkpoint": given}).wanted == wanted
    assert make_request({}).wanted is None


def test_a_run_is_built_by_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[RunFolder, Request]] = []
    stages = importlib.import_module("review_embeddings.pipeline.stages.build")
    monkeypatch.setattr(stages, "build", lambda run, request, **_: calls.append((run, request)))
    for run in (tmp_path, str(tmp_path), RunFolder(tmp_path)):
        pipeline.build(run, map="umap")
    assert [run.path for run, _ in calls] == [tmp_path] * 3
    assert all(request == make_request({"map": "umap"}) for _, request in calls)


def test_a_run_is_built_as_the_command_builds_it(built_run: Path) -> None:
    built = pipeline.build(built_run)
    assert built.seconds == {} and built.manifest.steps == [10, 20, 100]
    assert len(pipeline.read_table(built.run)) == 3 * len(built.images)


def shown_imports() -> list[str]:
    """What the pages of documentation import of us."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return sorted({*re.findall(r"^from review_embeddings\S* import .+$", text, re.MULTILINE)})


SHORT = (
    "from pipeline import EmbeddingCallback",
    "from pipeline import table",
    "from pipeline.table import read",
    "from review import animate, draw_frame",
)
"""What earlier versions of the pages showed."""


def test_the_imports_of_the_pages_work_by_both_names() -> None:
    shown = shown_imports()
    assert len(shown) >= 2
    lines = [*shown, *(line.replace("review_embeddings.", "") for line in shown), *SHORT]
    subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], check=True, cwd=ROOT / "tests" / "data"
    )


def test_importing_the_packages_loads_nothing_else() -> None:
    program = """
import sys
from review_embeddings import pipeline, review
dir(pipeline), dir(review)
print(*({"numpy", "pandas", "click", "rich", "torch"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == []


BRANCH = re.compile(r"^([│ ]*)[├└]── (\w+)", re.MULTILINE)


def drawn_tree() -> dict[str, str]:
    """The name of each error in the drawing, with that of the one above it."""
    above = ["ReviewError"]
    parents = {}
    for stem, name in BRANCH.findall(errors.__doc__ or ""):
        del above[len(stem) // 4 + 1 :]
        parents[name] = above[-1]
        above.append(name)
    return parents


def real_tree(root: type[BaseException]) -> dict[str, str]:
    found: dict[str, str] = {}
    for child in root.__subclasses__():
        if child.__module__.startswith("review_embeddings."):
            found |= {child.__name__: root.__name__, **real_tree(child)}
    return found


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    for path in (*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "review").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        if "plugin" not in parts and re.search(r"^class \w+\(\w+Error\)", text, re.MULTILINE):
            importlib.import_module(".".join(("review_embeddings", *parts)))
    assert drawn_tree() == real_tree(errors.ReviewError)
    assert len(drawn_tree()) >= 10
