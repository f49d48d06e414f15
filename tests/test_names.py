"""The names that people import, beside modules of their own that have the names of ours: from an
installed wheel, an editable install and a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import review_embeddings

ROOT = Path(__file__).parents[1]

NAMES = (
    "EmbeddingCallback",
    "Recorder",
    "build",
    "compare",
    "read_table",
    "show",
    "unmatched_images",
)

OWN = "mine = True\n"


@dataclass(frozen=True)
class Installation:
    """A Python that finds the package in one of the ways that there are."""

    python: Path
    site: Path
    path: tuple[str, ...]
    """Of ``PYTHONPATH``."""

    def run(self, *arguments: str, cwd: Path, path: tuple[str, ...] = ()) -> str:
        """What it prints, on both streams."""
        done = subprocess.run(
            [self.python, *arguments],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([*path, *self.path])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is published."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installation(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Installation]:
    """One of a kind: ``wheel``, ``editable`` or ``checkout``."""
    made: dict[str, Installation] = {}

    def make(kind: str) -> Installation:
        folder = tmp_path_factory.mktemp(kind)
        venv.create(folder, symlinks=os.name != "nt")
        paths = {"base": str(folder), "platbase": str(folder)}
        python = Path(sysconfig.get_path("scripts", "venv", paths), "python")
        site = Path(sysconfig.get_path("purelib", "venv", paths))
        # What the package needs is behind it, without what stands there in .pth files.
        (site / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        if kind == "wheel":
            zipfile.ZipFile(wheel).extractall(site)
        if kind == "editable":
            (site / "_review_embeddings.pth").write_text(f"{ROOT / '.package'}\n")
        return Installation(python, site, (str(ROOT / ".package"),) * (kind == "checkout"))

    def of(kind: str) -> Installation:
        if kind not in made:
            made[kind] = make(kind)
        return made[kind]

    return of


KINDS = ("wheel", "editable", "checkout")

PROJECTS = {
    "a module and a package": ("pipeline.py", "review/__init__.py"),
    "a package and a namespace": ("pipeline/__init__.py", "review/utils.py"),
    "namespaces, one of packages": ("pipeline/steps/__init__.py", "review/utils.py"),
}
"""Files of a person's own project."""

SCRIPT = """
import multiprocessing
{imports}

def check():
    import review_embeddings.pipeline.table, review_embeddings.review.decisions.kinds
    own = [{own}]
    assert all(module.mine for module in own), own
    for name, module in (("pipeline", pipeline), ("review", review)):
        assert module is not getattr(review_embeddings, name)
    return review_embeddings.__file__

if __name__ == "__main__":
    found = check()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(check) == found
    print(found)
"""


def script_of(files: tuple[str, ...], *, ours_first: bool) -> str:
    """A script that imports these modules of its own and ours, in one of the two orders."""
    own = [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files]
    ours = "import review_embeddings, review_embeddings.pipeline, review_embeddings.review"
    theirs = f"import {', '.join(own)}"
    lines = [ours, theirs] if ours_first else [theirs, ours]
    return SCRIPT.format(imports="\n".join(lines), own=", ".join(own))


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_script_has_its_own_modules_and_ours(
    kind: str, ours_first: bool, installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    for number, files in enumerate(PROJECTS.values()):
        project = tmp_path / str(number)
        for file in files:
            (project / file).parent.mkdir(parents=True, exist_ok=True)
            (project / file).write_text(OWN)
        (project / "train.py").write_text(script_of(files, ours_first=ours_first))
        python = installation(kind)
        found = python.run("train.py", cwd=project, path=(".",) * ours_first)
        expected = python.site if kind == "wheel" else ROOT / ".package"
        assert Path(found.strip()).is_relative_to(expected)


def test_a_module_that_is_found_behind_ours_comes_first(
    installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    """A script that puts a folder of modules at the end of the path."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pipeline.py").write_text(OWN)
    program = "import sys; sys.path.append('lib'); import pipeline; assert pipeline.mine; " + (
        "import review.decisions.kinds as kinds; print(kinds.__name__)"
    )
    for kind in KINDS:
        printed = installation(kind).run("-c", program, cwd=tmp_path)
        assert printed.strip() == "review_embeddings.review.decisions.kinds"


LOADER = """
import torch
import pipeline, review
from review_embeddings import build

class Images(torch.utils.data.Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        from review_embeddings.pipeline.settings import Settings
        return torch.tensor([index, pipeline.mine, review.mine, len(Settings().map)])

if __name__ == "__main__":
    loader = torch.utils.data.DataLoader(
        Images(), num_workers=1, multiprocessing_context="spawn"
    )
    print([batch.tolist() for batch in loader])
"""


def test_workers_of_a_loader_have_both(
    installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    (tmp_path / "pipeline.py").write_text(OWN)
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "utils.py").write_text("")
    (tmp_path / "review" / "__init__.py").write_text(OWN)
    (tmp_path / "train.py").write_text(LOADER)
    printed = installation("wheel").run("train.py", cwd=tmp_path)
    assert printed.splitlines()[-1] == "[[[0, 1, 1, 3]], [[1, 1, 1, 3]]]"


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_starts_as_a_program(
    kind: str, installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    printed = installation(kind).run("-m", "review_embeddings", "build", "--help", cwd=tmp_path)
    assert printed.startswith("Usage: review-embeddings build")


def test_a_file_of_another_distribution_in_place_of_ours_is_told_once(
    installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    python = installation("wheel")
    site = shutil.copytree(python.site, tmp_path / "site")
    (site / "review.py").write_text(OWN)
    (tmp_path / "train.py").write_text(script_of(("pipeline.py", "review.py"), ours_first=True))
    (tmp_path / "pipeline.py").write_text(OWN)
    printed = python.run("train.py", cwd=tmp_path, path=(str(site),))
    assert printed.splitlines() == [
        f"{site / 'review.py'} is of another distribution: `import review` gives that. "
        "Import review_embeddings.review instead.",
        str(site / "review_embeddings" / "__init__.py"),
    ]


def test_the_wheel_says_that_it_has_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("review_embeddings", "review_embeddings/pipeline", "review_embeddings/review")
    assert {f"{package}/py.typed" for package in packages} <= names
    tops = {name.split("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {
        "review_embeddings",
        "pipeline.py",
        "review.py",
    }


def test_mypy_takes_the_types_of_an_installed_wheel(
    installation: Callable[[str], Installation], tmp_path: Path
) -> None:
    """Looks at no file of ours: whether there are types is said before."""
    file = tmp_path / "user.py"
    file.write_text(
        "import review_embeddings\n"
        "from review_embeddings.pipeline import table\n"
        "from review_embeddings.review import decisions\n"
    )
    python = installation("wheel").python
    options = ["--strict", "--follow-imports=skip", "--config-file=", "--cache-dir", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--python-executable", str(python), str(file)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_names_are_offered_and_load_nothing_before() -> None:
    assert set(NAMES) <= set(review_embeddings.__all__) <= set(dir(review_embeddings))
    program = """
import sys, review_embeddings
from review_embeddings import build, read_table
print(*({"torch", "transformers", "pandas", "renumics"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == []


USER = """
from pathlib import Path
from typing_extensions import assert_type

import pandas as pd

from review_embeddings import EmbeddingCallback, Recorder, Review, build, compare, read_table, show
from review_embeddings.pipeline import Built


def review(run: Path) -> int:
    callback = EmbeddingCallback("data", split="test", limit=100)
    assert_type(callback, EmbeddingCallback)
    recorder = Recorder(run, "data", split="test", transform=lambda image: image)
    assert_type(recorder, Recorder)
    built = build(run, dataset="data", checkpoint=["first", 20])
    assert_type(built, Built)
    assert_type(built.manifest.steps, list[int])
    assert_type(read_table(run, "last", columns=["label", "decision"]), pd.DataFrame)
    assert_type(compare(run, run, checkpoints=["first", 20], columns="label"), pd.DataFrame)
    with show(run, checkpoint="last", browser=False, split="test") as opened:
        assert_type(opened, Review)
        assert_type(opened.url, str)
    return len(opened.address)


show("run", datset="data")
read_table("run", columns=3)
Recorder("run", "data", splitt="test")
build("run", checkpoint=2.5)
EmbeddingCallback()
from review_embeddings import nothing
"""


def test_types_reach_the_file_of_a_user(tmp_path: Path) -> None:
    """By the settings and the cache of the project's own check, without which it takes a minute."""
    file = tmp_path / "user.py"
    file.write_text(USER)
    mypy = [sys.executable, "-m", "mypy", "--strict", str(file)]
    done = subprocess.run(mypy, cwd=ROOT, capture_output=True, text=True)
    kinds = [line.rpartition("[")[2] for line in done.stdout.splitlines() if ": error:" in line]
    expected = ["call-arg]", "arg-type]", "call-arg]", "arg-type]", "call-arg]", "attr-defined]"]
    assert kinds == expected, done.stdout
