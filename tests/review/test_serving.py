"""Where a page is served and who else can read it: TLS files, ports that stay, rights of files, and
servers that do not start. What is wrong is told before anything is loaded."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from review_embeddings.pipeline.errors import ReviewError, SettingsError
from review_embeddings.pipeline.run.files import write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.locks import locked
from review_embeddings.review.page.address import Address, check_tls
from review_embeddings.review.page.ports import FIRST_PORT, PORTS, ports_of, remember_port
from review_embeddings.review.page.process import (
    PatientListener,
    SpotlightProcess,
    last_line,
    server_environment,
)
from review_embeddings.review.page.rights import open_to_others, printed_to_others, readers_of
from review_embeddings.review.page.spotlight import (
    CACHE_VARIABLE,
    SETTINGS_VARIABLE,
    cache_environment,
    cache_somewhere,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")


# -- TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair (a), another key (b), an encrypted key, files that are none."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    folder = tmp_path_factory.mktemp("tls")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 2 -subj /CN=localhost",
        "genrsa -out b.key 2048",
        "ecparam -genkey -name prime256v1 -noout -out ec.key",
        "rsa -aes128 -passout pass:secret -in a.key -out locked.key",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    (folder / "none.pem").write_bytes(b"\xff garbage")
    (folder / "empty.pem").write_text("")
    whole = (folder / "a.pem").read_text()
    (folder / "cut.pem").write_text(whole[: len(whole) // 2])
    whole = (folder / "a.key").read_text()
    (folder / "cut.key").write_text(whole[: len(whole) // 2])
    return folder


def test_a_pair_of_tls_files_is_taken(tls: Path) -> None:
    check_tls(str(tls / "a.pem"), str(tls / "a.key"))
    check_tls(None, None)


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        ("none.pem", "a.key", "--tls-cert .*none.pem is no PEM certificate"),
        ("empty.pem", "a.key", "--tls-cert .*empty.pem is no PEM certificate"),
        ("a.key", "a.key", "--tls-cert .*a.key is no PEM certificate"),
        ("a.pem", "none.pem", "--tls-key .*none.pem is no private key"),
        ("a.pem", "a.pem", "--tls-key .*a.pem is no private key"),
        ("a.pem", "b.key", "does not belong to the certificate"),
        ("a.pem", "ec.key", "does not belong to the certificate"),
        ("a.pem", "locked.key", "passphrase.*openssl pkey"),
        ("cut.pem", "a.key", "cannot be used.*damaged"),
        ("a.pem", "cut.key", "cannot be used.*damaged"),
        ("gone.pem", "a.key", "--tls-cert .*gone.pem is not there"),
        (".", "a.key", "--tls-cert .* cannot be read"),
    ],
)
def test_tls_files_that_no_server_can_use_are_named(
    tls: Path, certificate: str, key: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason):
        Address(certificate=str(tls / certificate), key=str(tls / key)).check()


def test_without_tls_it_is_said_what_that_means() -> None:
    assert not Address().warning and not Address("::1").warning
    assert "take over the review" in Address("0.0.0.0", insecure=True).warning
    assert not Address("0.0.0.0", certificate="a", key="b").warning
    with pytest.raises(SettingsError, match="can take over the review.*--insecure.*tunnel"):
        Address("0.0.0.0").check()


def test_names_under_which_it_is_asked_for() -> None:
    assert Address().hosts == ["127.0.0.1", "localhost", "::1"]
    assert "hub.example.org" in (Address(proxies=("Hub.Example.org",)).hosts or ())
    assert Address("0.0.0.0", insecure=True).hosts is None
    assert Address("::1").url(20000) == "http://[::1]:20000/"


# -- ports


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_run_keeps_its_port(run: RunFolder) -> None:
    first = ports_of(run)
    assert first == ports_of(run) and len(set(first)) == len(first) > 10
    assert all(FIRST_PORT <= port < FIRST_PORT + PORTS for port in first)
    assert [(port - first[0]) % PORTS for port in first] == list(range(len(first)))
    remember_port(run, first[3])  # what came before was taken
    assert ports_of(run)[:3] == [first[3], first[0], first[1]]
    remember_port(run, first[0])  # a second review of the run, while the first one is open
    assert ports_of(run)[0] == first[3], "the first one stays"
    assert ports_of(RunFolder(run.path / "other"))[0] != first[0]


def test_a_copy_of_a_run_has_the_port_of_its_id(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = SimpleNamespace(id="0" * 32, unknown={})
    monkeypatch.setattr(RunFolder, "read_info", lambda _: info)
    before = ports_of(run)
    assert before == ports_of(RunFolder(run.path / "copy"))
    info.id = "1" * 32
    assert before[0] != ports_of(run)[0]


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": 1}', "\xff", '{"WHO": "22"}'])
def test_what_stands_wrongly_in_the_file_does_not_matter(run: RunFolder, content: str) -> None:
    expected = ports_of(run)
    run.port.write_text(content, encoding="latin-1")
    assert ports_of(run) == expected


@pytest.mark.parametrize("port", [0, -1, 22, 65536, 2.5, True, None, "20000", [20000]])
def test_a_stranger_chooses_no_port_that_is_none(run: RunFolder, port: object) -> None:
    expected = ports_of(run)
    remember_port(run, 1)
    (whose,) = (name for name in json.loads(run.port.read_text()) if "@" in name)
    write_json(run.port, {whose: port})
    assert ports_of(run) == expected


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with Address().listen_to_one([taken, taken]) as bound:
            assert bound.getsockname()[1] not in {0, taken}
        with pytest.raises(SettingsError, match=f"Port {taken} on 127.0.0.1 is in use"):
            Address(port=taken).check()


@pytest.mark.parametrize("host", ["no.such.example.invalid", "192.0.2.1", "a" * 70, "\ud800"])
def test_a_host_that_cannot_be_served_is_named(host: str) -> None:
    with pytest.raises(SettingsError, match="--host"):
        Address(host, insecure=True).check()


# -- rights


@posix
def test_who_can_read_goes_by_all_folders_above(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b"
    file.parent.mkdir()
    file.write_text("")
    above = [one for one in file.parents if one.stat().st_mode & 0o001 == 0]
    for mode, folder, expected in (
        (0o644, 0o755, "other users of this machine"),
        (0o600, 0o755, ""),
        (0o640, 0o755, ""),
        (0o644, 0o700, ""),
        (0o644, 0o744, ""),
        (0o604, 0o711, "other users of this machine"),
    ):
        file.chmod(mode)
        file.parent.chmod(folder)
        assert readers_of(file) == ("" if above else expected), (oct(mode), oct(folder))
    assert readers_of(tmp_path / "none") == ""


@posix
def test_the_command_that_is_named_keeps_them_out(run: RunFolder) -> None:
    import shlex

    run.images.write_text("")
    run.path.chmod(0o755)
    said = open_to_others(run)
    if readers_of(run.images):  # not where a folder above keeps them out already
        assert len(said) == 1 and "decisions and images" in said[0]
        subprocess.run(shlex.split(said[0].partition("keep them out: ")[2]), check=True)
    assert open_to_others(run) == []


@posix
def test_an_address_in_a_file_of_others_is_told(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc")
    tmp_path.chmod(0o755)
    with (tmp_path / "out.txt").open("w") as output:
        Path(output.name).chmod(0o644)
        expected = bool(readers_of(Path(output.name)))
        assert bool(printed_to_others(output)) == expected
        Path(output.name).chmod(0o600)
        assert printed_to_others(output) == ""
    assert printed_to_others(io.StringIO()) == "", "no file at all"


@posix
def test_a_file_that_is_replaced_keeps_its_rights(tmp_path: Path) -> None:
    import os

    file, before = tmp_path / "a.json", os.umask(0o027)
    try:
        write_json(file, {})
        assert file.stat().st_mode & 0o777 == 0o640, "a new one follows the umask"
        for mode in (0o600, 0o664, 0o400):
            file.chmod(mode)
            write_json(file, {"a": mode})
            assert file.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


@posix
def test_a_lock_can_be_opened_by_those_who_can_write_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for rights, expected in ((0o755, 0o600), (0o775, 0o660), (0o777, 0o666)):
            tmp_path.chmod(rights)
            lock = tmp_path / f"{rights}.lock"
            with locked(lock, ""):
                assert lock.stat().st_mode & 0o777 == expected
    finally:
        os.umask(before)


# -- servers that do not start


def test_a_home_that_cannot_be_written_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(SETTINGS_VARIABLE, str(tmp_path / "settings"))
    assert cache_environment(tmp_path) == {}
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert cache_environment(tmp_path) == {CACHE_VARIABLE: str(tmp_path)}
    monkeypatch.setenv(SETTINGS_VARIABLE, str(tmp_path / "file" / "below"))
    assert set(cache_environment(tmp_path)) == {CACHE_VARIABLE, SETTINGS_VARIABLE}
    with cache_somewhere():
        assert Path(os.environ[CACHE_VARIABLE]).is_dir()
    assert os.environ[CACHE_VARIABLE] == str(tmp_path / "file")


@pytest.fixture
def started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[SpotlightProcess, Any]]:
    """A process that runs a line of Python in place of the server, and how to start it."""
    process = SpotlightProcess(Address(), tmp_path)

    def start(line: str) -> None:
        monkeypatch.setattr(process, "_command", lambda bound: [sys.executable, "-c", line])
        process.start(None, Address().listen(0), {})

    yield process, start
    process.stop()


def test_a_server_imports_nothing_of_the_folder_that_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger, session = tmp_path / "run", tmp_path / "session"
    for folder in (stranger, stranger / "lib", session):
        folder.mkdir()
    for name in ("uvicorn", "http", "click", "renumics"):
        (stranger / f"{name}.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w')")
    (stranger / "lib" / "uvicorn.py").write_text("raise SystemExit('of the path')")
    monkeypatch.chdir(stranger)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("", "lib", "")))
    process = SpotlightProcess(Address(), session)
    try:
        with pytest.raises(ReviewError, match="of the path"):  # a relative path stays right
            environment = server_environment(tmp_path / "none", {})
            process.start(None, Address().listen(0), environment)
    finally:
        process.stop()
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("raise OSError(28, 'No space left on device')", "OSError: .*No space left on device"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory runs out.*--rows"),
        ("raise SystemExit('cannot')", "could not start: cannot"),
        ("raise SystemExit(3)", "could not start"),
    ],
)
def test_a_server_that_cannot_start_says_why_at_once(
    started: tuple[SpotlightProcess, Any], line: str, reason: str
) -> None:
    process, start = started
    with pytest.raises(ReviewError, match=reason):
        start(line)
    with pytest.raises(ReviewError, match="ended by itself"):
        process.check()


def test_a_page_that_is_refused_says_why(started: tuple[SpotlightProcess, Any]) -> None:
    """Spotlight sends the error, and then that it is done, which hides it."""
    client = """
import multiprocessing.connection as c, os
one = c.Client(("127.0.0.1", int(os.environ["CONNECTION_PORT"])),
               authkey=os.environ["CONNECTION_AUTHKEY"].encode())
one.send({"kind": "startup"}); one.recv()
one.send({"kind": "update_complete", "error": ValueError("no such column")})
one.send({"kind": "update_complete"})
one.recv()
"""
    with pytest.raises(ReviewError, match="cannot show the review .no such column"):
        started[1](client)


def test_another_user_who_connects_first_keeps_nobody_waiting() -> None:
    import threading
    from multiprocessing.connection import Client

    listener = PatientListener(b"key")
    silent = socket.create_connection(listener.address)
    wrong = socket.create_connection(listener.address)
    wrong.sendall(b"\x00\x00\x00\x04none")
    clients = []

    def connect() -> None:
        clients.append(Client(listener.address, authkey=b"key"))

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    with silent, wrong, listener.accept() as accepted:
        thread.join(10)
        clients[0].send("here")
        assert accepted.recv() == "here"
    clients[0].close()
    listener.close()


def test_the_last_line_of_a_log_is_that_of_the_exception(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"x" * 20_000 + b"\nTraceback\n  File\na.b.RunError: Run r has no images.\n\n")
    assert last_line(log) == "RunError: Run r has no images"
