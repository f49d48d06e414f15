"""What the tests share: small real models, small real images, and the way to skip what a machine
lacks."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import FLAGS
from samples import CLASSES, need, picture, save_checkpoint
from serving import Serving, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from restarting import Review

    from review_embeddings.pipeline.run.folder import RunFolder

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing in the tests may depend on a network

# How long a command waits, and so what it tells meanwhile, is a matter of the machine.
os.environ.setdefault("REVIEW_EMBEDDINGS_STATUS", "off")

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup pytest` hands on that it is ignored

ROOT = Path(__file__).parents[1]
# What the tests start runs the checkout too, not a copy that may be installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT / ".package"), os.environ.get("PYTHONPATH")])
)

# Where the tests run in one of these, their pages are on this machine all the same.
for variable in (
    "CODESPACES",
    "COLAB_RELEASE_TAG",
    "JUPYTERHUB_SERVICE_PREFIX",
    "SSH_CONNECTION",
    "VSCODE_PROXY_URI",
):
    os.environ.pop(variable, None)

SHARED = ROOT.parent / "shared"

LONG = (
    "test_engines",
    "test_finetune",
    "test_soak",
    "test_neighbors",
    "test_spotlight",
    "test_unclean_ends",
    "test_finetune_command",
    "test_same_bits",
    "test_killed",
    "test_demo",
    "test_callback",
    "test_page_faults",
    "test_deciding_in_the_browser",
    "test_layout_in_the_browser",
    "test_unsaved_decisions",
)
"""Files that begin first, the longest before the others, so that no process is left alone with one
of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: first.get(item.path.stem, len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What people choose for the page is kept elsewhere than in the home of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    need((SHARED / "data").is_dir(), "the folder ../shared with real data and models")
    return SHARED


@pytest.fixture(scope="module")
def served(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A review of the first and last checkpoint of a copy of the finished run."""
    copy = shutil.copytree(built_run, tmp_path_factory.mktemp("reviewed") / "run")
    with serving("--first", "--last", "--run", copy, "--no-browser") as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> str:
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    need(path is not None, "Chromium")
    assert path is not None
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One that a module's tests open their own profiles in."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def review() -> Iterator[Review]:
    """One that a test starts, kills and starts again."""
    from restarting import Review

    found = Review()
    yield found
    found.kill()


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 images in a folder by class, 12 of each."""
    folder = tmp_path_factory.mktemp("data") / "pictures"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            picture(label, seed=100 * label + number).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def trainer_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints 10, 20 and 100, whose numeric order is not their alphabetical one."""
    folder = tmp_path_factory.mktemp("trained")
    for step in (10, 20, 100):
        save_checkpoint(folder / f"checkpoint-{step}", seed=step, step=step)
    return folder


@pytest.fixture
def run_path(trainer_output: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoints that a test may change."""
    return Path(shutil.copytree(trainer_output, tmp_path / "run"))


@pytest.fixture(scope="session")
def built_run(
    trainer_output: Path, image_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A finished run of all three checkpoints. Not to be changed: whoever reviews it takes a copy,
    since tests come in any order."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    folder = Path(shutil.copytree(trainer_output, tmp_path_factory.mktemp("built") / "run"))
    build(RunFolder(folder), Request(dataset={"source": str(image_folder), "split": "train"}))
    built = _names_in(folder)
    yield folder
    assert _names_in(folder) == built, "a test has changed the run that all share"


def _names_in(folder: Path) -> set[str]:
    """The files of a run but its locks."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if not path.name.startswith(".")}


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> RunFolder:
    """A copy of the finished run that a test may change."""
    from review_embeddings.pipeline.run.folder import RunFolder

    return RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture
def review_embeddings() -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: (exit code, standard output, standard error)."""
    from click.testing import CliRunner

    from review_embeddings.review.cli.program import cli

    def call(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(
            cli, [str(argument) for argument in arguments], prog_name="review-embeddings"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """An S3-compatible store of its own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def store_environment(endpoint: str) -> dict[str, str]:
    """Environment variables by which the store is reached."""
    names = {
        "AWS_ACCESS_KEY_ID": "reviewer",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return {"AWS_ENDPOINT_URL": endpoint, **names}


@pytest.fixture
def machine(
    store_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Takes the place of another machine: a folder of copies of its own, and nothing remembered in
    the process."""
    for name, value in store_environment.items():
        monkeypatch.setenv(name, value)

    def become(name: str) -> None:
        import fsspec

        from review_embeddings.pipeline.run import storage
        from review_embeddings.pipeline.userfolders import CACHE_VARIABLE

        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / name))
        storage._copy_at.cache_clear()
        storage._outside.clear()
        fsspec.filesystem("s3").clear_instance_cache()

    become("first")
    return become


@pytest.fixture
def bucket(machine: Callable[[str], None], tmp_path: Path) -> Any:
    """An empty bucket of its own: (the store, its name)."""
    import fsspec

    name = (
        "".join(letter if letter.isalnum() else "-" for letter in tmp_path.name.lower())[:50].strip(
            "-"
        )
        + "-bucket"
    )
    store = fsspec.filesystem("s3")
    store.mkdir(name)
    return store, name
