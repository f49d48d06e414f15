"""What differs between operating systems, here with stand-ins for Windows: nothing of this was
tried on a real one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

from review_embeddings.pipeline.errors import BusyError, StorageError
from review_embeddings.pipeline.images import plainpath
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.files import read_json, whole_file, write_json
from review_embeddings.pipeline.run.inside import is_within, open_inside
from review_embeddings.pipeline.run.locks import locked
from review_embeddings.review.exchange.folderform import safe_name
from review_embeddings.review.page.rights import readers_of

ROOT = Path(__file__).parents[2]


class FakeMsvcrt(types.ModuleType):
    """Locks by file, as ``msvcrt.locking`` does them."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.taken: dict[tuple[int, int], int] = {}

    def locking(self, file: int, mode: int, length: int) -> None:
        """EACCES where another open file has the lock, and where one is let go that is not held."""
        status = os.fstat(file)
        key = (status.st_dev, status.st_ino)
        if mode == self.LK_UNLCK:
            if self.taken.get(key) != file:
                raise PermissionError(errno.EACCES, "not locked")
            del self.taken[key]
        elif key in self.taken:
            raise PermissionError(errno.EACCES, "Permission denied")
        else:
            self.taken[key] = file


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMsvcrt]:
    """This system, taken for Windows: without flags and calls that it has not."""
    fake = FakeMsvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(system, "is_windows", lambda: True)
    monkeypatch.setattr(system, "can_open_in_folder", lambda: False)
    monkeypatch.setattr(system, "NO_FOLLOW", 0)
    monkeypatch.setattr(system, "_takes_long_paths", lambda: False)
    yield fake
    assert not fake.taken, "a lock was not let go of"


def test_a_lock_is_taken_once_and_let_go_of(tmp_path: Path, windows: FakeMsvcrt) -> None:
    lock = tmp_path / ".lock"
    with locked(lock, "busy"):
        with pytest.raises(BusyError, match="busy"), locked(lock, "busy", seconds=0.01):
            pass
        with pytest.raises(BusyError), locked(lock, "busy", shared=True):
            pass  # there are no shared ones
    with locked(lock, "busy", shared=True):
        pass


def test_a_link_is_refused_where_it_has_to_be_looked_at(
    tmp_path: Path, windows: FakeMsvcrt
) -> None:
    run = tmp_path / "run"
    (run / "inner").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    outside = tmp_path / "outside"
    outside.write_text("as it was")
    (run / "decisions.jsonl").symlink_to(outside)
    (run / "table").symlink_to(tmp_path, target_is_directory=True)
    for name in ("decisions.jsonl", "table/outside"):
        with pytest.raises(StorageError, match="is a link in a run folder"):
            open_inside(run / name, os.O_WRONLY | os.O_APPEND)
    os.close(open_inside(run / "inner" / "new", os.O_WRONLY | os.O_CREAT))
    assert outside.read_text() == "as it was" and (run / "inner" / "new").is_file()


def test_a_file_is_replaced_once_others_have_closed_it(
    tmp_path: Path, windows: FakeMsvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tries = tmp_path / "table.json", []
    write_json(path, {"a": 1})
    replace = Path.replace

    def denied_twice(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "used by another process")
        return replace(self, target)

    monkeypatch.setattr(system, "REPLACE_WAIT", 0.0)
    monkeypatch.setattr(Path, "replace", denied_twice)
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2} and len(tries) == 3


def test_a_file_that_stays_open_elsewhere_is_named(
    tmp_path: Path, windows: FakeMsvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"before")

    def denied(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "used by another process")

    monkeypatch.setattr(system, "REPLACE_SECONDS", 0.0)
    monkeypatch.setattr(Path, "replace", denied)
    with (
        pytest.raises(StorageError, match=r"film\.mp4 cannot be replaced: another program has it"),
        whole_file(path) as temporary,
    ):
        temporary.write_bytes(b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("CON", True),
        ("nul.csv", True),
        ("Com1.tar.gz", True),
        ("aux .txt", True),
        ("list.", True),
        ("list ", True),
        ("console", False),
        ("com10", False),
        ("a.con", False),
        ("", False),
    ],
)
def test_names_that_windows_takes_for_devices(name: str, reserved: bool) -> None:
    assert system.is_reserved(name) is reserved


def test_files_that_windows_cannot_have_are_refused_before_they_are_written(
    tmp_path: Path, windows: FakeMsvcrt
) -> None:
    for name in ("nul.csv", "a:b.csv", "con/list.csv"):
        for path in (tmp_path / name, Path(name)):
            with pytest.raises(StorageError, match="Windows has no file of the name"):
                system.check_path(path)
    with pytest.raises(StorageError, match=r"characters long, and this Windows takes 259"):
        system.check_path(tmp_path / ("a" * 250) / "list.csv")
    system.check_path(tmp_path / "list.csv")
    system.check_path(Path("../list.csv"))


def test_a_drive_is_no_colon_in_a_name(windows: FakeMsvcrt) -> None:
    """A drive and a share, as paths of Windows have them."""
    for path in (r"C:\data\x", r"\\host\share\x"):
        system.check_path(PureAbsolute(path))  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="'b:c'"):
        system.check_path(PureAbsolute(r"C:\a\b:c"))  # type: ignore[arg-type]


class PureAbsolute(PureWindowsPath):
    """A path of Windows that is absolute already."""

    def absolute(self) -> PureAbsolute:
        """Itself."""
        return self


def test_names_in_a_run_are_those_of_every_system() -> None:
    assert is_within("table/000010.parquet")
    for name in (r"table\000010.parquet", "C:/x", "c:x", "../x", "/x", r"\\host\x", "a:stream"):
        assert not is_within(name)


def test_names_of_exported_files_are_those_of_every_system() -> None:
    names = {"CON": "_CON", "nul.png": "_nul.png", "a:b": "a_b", "cat.": "cat", "...": "_"}
    assert {name: safe_name(name) for name in names} == names


def test_a_drive_and_backslashes_ask_for_no_link(windows: FakeMsvcrt) -> None:
    """People may not make links on Windows."""
    assert not plainpath._is_odd(r"C:\Users\a b\photos\1.png")
    assert not plainpath._is_odd(r"\\host\share\1.png")
    assert plainpath._is_odd(r"C:\photos[1]") and plainpath._is_odd(r"C:\a*b")


def test_a_process_of_windows_is_asked_and_not_ended(
    windows: FakeMsvcrt, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kernel:
        def OpenProcess(self, right: int, inherit: bool, process: int) -> int:  # noqa: N802
            return process if process in {7, 8} else 0

        def WaitForSingleObject(self, handle: int, milliseconds: int) -> int:  # noqa: N802
            return system.WINDOWS_RUNNING if handle == 7 else 0

        def CloseHandle(self, handle: int) -> None:  # noqa: N802
            pass

        def GetLastError(self) -> int:  # noqa: N802
            return system.NO_SUCH_PROCESS

    def killed(process: int, number: int) -> None:
        pytest.fail("os.kill ends a process on Windows")

    monkeypatch.setattr(system, "_library", lambda name: Kernel())
    monkeypatch.setattr(os, "kill", killed)
    assert [system.is_alive(process) for process in (7, 8, 9)] == [True, False, False]
    assert system.child_of(7)() and not system.child_of(8)()


def test_rights_and_sockets_are_not_claimed_where_there_are_none(
    tmp_path: Path, windows: FakeMsvcrt
) -> None:
    (tmp_path / "file").write_text("")
    assert readers_of(tmp_path / "file") == "" and system.shared_group(0) == ""
    assert system.passed_socket(3) is None


def test_signals_that_a_system_has_not_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGTERM, raising=False)
    assert signal.SIGINT in system.ending_signals() and system.HANGUP not in system.ending_signals()


def test_every_module_is_imported_without_what_only_posix_has() -> None:
    """What is a class of a library's, and imports it, is looked through by `test_rooms`."""
    program = """
import importlib, os, pathlib, signal, sys, threading, multiprocessing, webbrowser, getpass
import click, numpy, PIL.Image, rich.console, yaml, fsspec, subprocess, uuid, socketserver
root = pathlib.Path(sys.argv[1])
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty"):
    sys.modules[name] = None
for owner, names in (
    (os, "O_NOFOLLOW O_DIRECTORY O_NONBLOCK O_CLOEXEC getuid geteuid fork register_at_fork uname"
         " sched_getaffinity killpg setsid mkfifo statvfs fchmod sysconf"),
    (signal, "SIGHUP SIGKILL SIGPIPE SIGUSR1 SIGUSR2 SIGALRM"),
):
    for name in names.split():
        delattr(owner, name)
late = {"callback", "trainer", "drawing", "plugin", "__main__"}
count = 0
for room in ("pipeline", "review"):
    for file in sorted((root / room).rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if not late & set(parts):
            name = ".".join(("review_embeddings", *parts))
            importlib.import_module(name.removesuffix(".__init__"))
            count += 1
print(count)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def test_a_forked_child_lets_go_of_locks(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with locked(lock, "busy"):
        child = os.fork()
        if child == 0:
            os._exit(len(system._held))
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("name", ["keep_lock", "unlock"])
def test_a_lock_is_let_go_whatever_fails_while_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fails(file: int) -> None:
        raise MemoryError

    monkeypatch.setattr(system, "_held", set())
    with monkeypatch.context() as patch:
        patch.setattr(system, name, fails)
        with pytest.raises(MemoryError), locked(tmp_path / ".lock", "busy"):
            pass
    with locked(tmp_path / ".lock", "busy"):  # raises BusyError where it is still held
        pass
