"""Real Spotlight, started as a person starts it: what it serves, to whom, and that it ends with
us."""

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from listing import candidates_of
from serving import Serving, ask, serving

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.page.frame import wide_frame
from review_embeddings.review.page.frontend import WIDGETS
from review_embeddings.review.page.layout import plot_title
from review_embeddings.review.page.opening import has_display


@pytest.fixture(scope="module")
def built_run(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, for a review writes into its run."""
    return Path(shutil.copytree(built_run, tmp_path_factory.mktemp("reviewed") / "run"))


@pytest.fixture(scope="module")
def page(built_run: Path) -> Iterator[Serving]:
    with serving("--first", "--last", "--run", built_run, "--no-browser") as started:
        yield started


def test_every_value_arrives_as_it_is(page: Serving, built_run: Path) -> None:
    """The traps of Spotlight's type guessing: ids stay numbers, labels categories, nothing is
    missing, no vectors."""
    columns = {column["name"]: column for column in page.get_json("api/table/")["columns"]}
    long = table.read(built_run, columns=["image_id", "checkpoint", "label", "x", "ood_score"])
    first = long[long["checkpoint"] == 10]
    assert (
        columns["image_id"]["dtype"]["name"] == "int"
        and columns["image_id"]["values"] == first["image_id"].tolist()
    )
    assert columns["x_000010"]["values"] == pytest.approx(first["x"].tolist())
    names = {code: name for name, code in columns["label"]["dtype"]["categories"].items()}
    assert [names[code] for code in columns["label"]["values"]] == first["label"].tolist()
    assert columns["image"]["dtype"]["name"] == "Image"
    assert {column["dtype"]["name"] for column in columns.values()} <= {
        "int",
        "float",
        "bool",
        "Category",
        "Image",
        "str",
    }
    assert not [
        name
        for name, column in columns.items()
        if column["dtype"]["name"] == "str" and not name.startswith("__")
    ]
    for name, column in columns.items():
        assert name.startswith("__") or None not in column["values"], name


def test_the_picture_is_the_data_sets_own(page: Serving, built_run: Path) -> None:
    import io

    import numpy as np
    from PIL import Image

    images = read_images(RunFolder(built_run))
    assert images is not None
    generation = page.get_json("api/table/")["generation_id"]
    served = page.get(f"api/table/image/7?generation_id={generation}")
    shown = np.asarray(Image.open(io.BytesIO(served)).convert("RGB"))
    np.testing.assert_array_equal(shown, np.asarray(Image.open(io.BytesIO(images.read_bytes()[7]))))


def test_the_preset_layout(page: Serving, built_run: Path) -> None:
    images = read_images(RunFolder(built_run))
    assert images is not None
    review = wide_frame(RunFolder(built_run), images, [10, 100])
    layout = json.dumps(page.get_json("api/layout/"))
    for title in (plot_title(review, 10), plot_title(review, 100)):
        assert title in layout
    assert "similaritymap" not in layout  # it would turn the aligned maps again
    shown = {column["name"] for column in page.get_json("api/table/")["columns"]}
    named = {
        value
        for value in _strings(json.loads(layout))
        if value in review.frame.columns or value.startswith(("x_", "y_", "ood_"))
    }
    assert (
        named and named <= shown
    )  # Spotlight accepts a column that is not there, and shows nothing
    assert {WIDGETS[f"map{number}"] for number in range(3)} <= set(_strings(json.loads(layout)))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from _strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _strings(entry)
    elif isinstance(value, str):
        yield value


def test_the_ready_made_lists(page: Serving, built_run: Path) -> None:
    expected = ready_made_lists(candidates_of(RunFolder(built_run), 10, 100))
    served = page.get_json("api/issues/")["issues"]
    assert {issue["title"]: issue["rows"] for issue in served} == {
        made.title: made.rows for made in expected
    }


def test_only_this_machine_and_only_our_own_page(page: Serving) -> None:
    address = page.url + "api/table/"
    assert {
        connection.laddr.ip
        for connection in page.servers()[0].net_connections("tcp")
        if connection.status == "LISTEN"
    } == {"127.0.0.1"}
    own = page.own.headers
    assert ask(address, **own)[0] == 200
    assert ask(address, **own | {"Origin": "https://evil.example"})[0] == 403
    # a name that a stranger's DNS points at this machine
    assert ask(address, **own | {"Host": "evil.example"})[0] == 403
    # Spotlight's file browser leaves its folder
    assert ask(page.url + "api/browse/..", **own)[0] == 403


def test_a_foreign_page_gets_no_websocket(page: Serving) -> None:
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect
    from websockets.typing import Origin

    address = page.url.replace("http", "ws") + "api/ws"
    cookie = {"Cookie": page.own.cookie}
    with connect(address, origin=Origin(page.url.rstrip("/")), additional_headers=cookie):
        pass
    for origin, headers in ((page.url.rstrip("/"), {}), ("https://evil.example", cookie)):
        with (
            pytest.raises(InvalidStatus),
            connect(address, origin=Origin(origin), additional_headers=headers),
        ):
            pass


def test_the_port_in_use_is_named(page: Serving, built_run: Path, review_embeddings: Any) -> None:
    port = page.url.rstrip("/").rsplit(":", 1)[1]
    code, _, err = review_embeddings("--last", "--run", built_run, "--port", port, "--no-browser")
    assert code == 2 and f"Port {port}" in err


def test_no_telemetry_and_no_chatter(page: Serving) -> None:
    assert page.servers()[0].environ()["SPOTLIGHT_OPT_OUT"] == "true"
    assert "WARNING" not in page.output and page.output.count("http") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="maps of a process")
def test_no_large_library_is_loaded_for_a_page(page: Serving) -> None:
    for process in (psutil.Process(page.process.pid), page.servers()[0]):
        mapped = {Path(one.path).name for one in process.memory_maps()}
        assert [name for name in mapped if name.startswith("libarrow")]
        assert not [name for name in mapped if name.startswith(("libtorch", "_raylet"))]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_server_ends_with_us(built_run: Path, number: signal.Signals) -> None:
    with serving("--last", "--run", built_run, "--no-browser") as started:
        servers = started.servers()
        assert servers
        started.process.send_signal(number)
        code = started.process.wait(timeout=30)
        gone, alive = psutil.wait_procs(servers, timeout=15)
    assert not alive and len(gone) == len(servers)
    assert code == (0 if number != signal.SIGKILL else -signal.SIGKILL)


def test_the_server_that_dies_is_noticed(built_run: Path) -> None:
    with serving("--long", "--run", built_run, "--no-browser") as started:
        for server in started.servers():
            server.kill()
        assert started.process.wait(timeout=30) == 2


def test_class_names_that_spotlight_would_take_for_something_else(
    trainer_output: Path, image_folder: Path, tmp_path: Path, review_embeddings: Any
) -> None:
    """Strings that look like Python, numbers or markup are labels like any other."""
    names = ["10", "None", "<b>1_0</b>"]
    source = tmp_path / "pictures"
    for name, original in zip(names, sorted(image_folder.iterdir()), strict=True):
        (source / name.replace("/", "∕")).mkdir(parents=True)
        for file in original.iterdir():
            (source / name.replace("/", "∕") / file.name).write_bytes(file.read_bytes())
    arguments = ["--run", tmp_path / "run", "--checkpoints", trainer_output, "--dataset", source]
    with serving("--first", "--last", *arguments, "--no-browser") as started:
        label = next(
            column
            for column in started.get_json("api/table/")["columns"]
            if column["name"] == "label"
        )
    assert (
        set(label["dtype"]["categories"]) == {"10", "None", "<b>1_0<∕b>"}
        and len(set(label["values"])) == 3
    )


def test_other_machines_need_tls(built_run: Path, tmp_path: Path) -> None:
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*make, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    options = ["--host", "0.0.0.0", "--tls-cert", certificate, "--tls-key", key]
    with serving("--last", "--run", built_run, "--no-browser", *options) as started:
        assert started.url.startswith("https://")
        assert started.get_json("api/table/")["columns"]


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="there is always a display")
def test_a_browser_is_opened_only_where_there_is_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()  # a text browser would take over the terminal
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()
