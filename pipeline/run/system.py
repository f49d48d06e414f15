"""Owns what differs between operating systems: locks of files, links that are not followed, rights
and owners of files, processes, signals, and which names and paths a system takes.

Nothing else here asks which system it is on, or imports a module that only POSIX has. Each function
has its Windows way beside the other, chosen when it is called; what Windows has not is said.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from review_embeddings.pipeline.errors import StorageError

# -- opening files

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
"""Refuses a link in the place of a file; 0 where a system cannot, and it is looked at before."""

NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""So that a pipe in the place of a file is refused and not waited for."""

BINARY = getattr(os, "O_BINARY", 0)
"""So that Windows changes no line ends."""

CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)

LINK_ERRORS = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}
"""What systems say of a link that is not followed."""

REPLACE_SECONDS = 2.0
"""How long it is tried on Windows to replace a file that another program has open: virus scanners
and indexers let go of it soon."""

REPLACE_WAIT = 0.05
"""Seconds between two tries."""

MAX_WINDOWS_PATH = 259
"""Characters of a path without the setting for long ones."""

RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"]
)
"""Names that Windows takes for devices, with any ending, in any folder."""


def is_windows() -> bool:
    """Whether this is Windows."""
    return os.name == "nt"


def is_mac() -> bool:
    """Whether this is macOS."""
    return sys.platform == "darwin"


def can_open_in_folder() -> bool:
    """Whether a file can be opened by its name in an open folder, so that nobody can exchange the
    folders above it meanwhile."""
    return os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY")


def open_folder(folder: Path | str, inside: int | None = None) -> int:
    """Open a folder, by its name in another open folder, where no link is followed; the
    descriptor."""
    follow = 0 if inside is None else NO_FOLLOW
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | follow, dir_fd=inside)


def open_file_in(folder: int, name: str, flags: int, mode: int) -> int:
    """Open a file by its name in an open folder, no link followed; the descriptor."""
    return os.open(name, flags | NO_FOLLOW | NO_WAIT, mode, dir_fd=folder)


def numbered_file(descriptor: int) -> Path | None:
    """The path under which Linux shows an open file by its number; None elsewhere."""
    path = Path(f"/proc/self/fd/{descriptor}")
    return path if path.exists() else None


def replace(temporary: Path, path: Path) -> None:
    """Put a file in the place of another. Raises OSError; on Windows StorageError where another
    program keeps that one open."""
    if not is_windows():
        temporary.replace(path)
        return
    until = time.monotonic() + REPLACE_SECONDS
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError as error:
            if not path.is_file() or not os.access(path, os.W_OK):
                raise
            if time.monotonic() >= until:
                raise StorageError(
                    f"{path} cannot be replaced: another program has it open. Close what shows or "
                    f"reads it, then start the same command again."
                ) from error
            time.sleep(REPLACE_WAIT)


# -- names and paths


def is_reserved(name: str) -> bool:
    """Whether Windows takes the name of a file for a device, or drops its end."""
    stem = name.split(".")[0].rstrip(" ").upper()
    return stem in RESERVED or name.endswith((" ", "."))


def plain_separators(path: str) -> str:
    """A path with ``/`` between its parts and without its drive, to look at its characters."""
    if not is_windows():
        return path
    parts = PureWindowsPath(path)
    return parts.as_posix()[len(parts.drive) :]


def check_path(path: Path) -> None:
    """Raise StorageError for a path at which Windows cannot have a file: a reserved name, a colon,
    or too long."""
    if not is_windows():
        return
    odd = _odd_part(PureWindowsPath(str(path)))
    if odd is not None:
        raise StorageError(
            f"{path} cannot be used: Windows has no file of the name {odd!r}. Use another name."
        )
    length = len(str(path.absolute()))
    if length > MAX_WINDOWS_PATH and not _takes_long_paths():
        raise StorageError(
            f"{path} is {length} characters long, and this Windows takes {MAX_WINDOWS_PATH}. Use a "
            f"shorter folder, or allow long paths (LongPathsEnabled in the registry)."
        )


def _odd_part(path: PureWindowsPath) -> str | None:
    """The part of a path that can be no name of a file."""
    if path.drive and not path.root:  # of the folder that the drive is in, or a stream of a file
        return str(path)
    names = path.parts[1:] if path.anchor else path.parts
    return next((one for one in names if one != ".." and (is_reserved(one) or ":" in one)), None)


def _takes_long_paths() -> bool:
    """Whether long paths are allowed on this Windows."""
    try:
        return bool(_library("ntdll").RtlAreLongPathsEnabled())
    except (AttributeError, OSError):
        return False


# -- locks

_held: set[int] = set()
"""Open files of the locks of this process."""


def lock(file: int, *, shared: bool) -> None:
    """Lock an open file, alone or ``shared``, without waiting; Windows has no shared ones here.
    Raises OSError where another process has it."""
    if is_windows():
        import msvcrt

        windows: Any = msvcrt
        windows.locking(file, windows.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def keep_lock(file: int) -> None:
    """Have a child that is forked let go of a lock of this process: it may live longer."""
    _held.add(file)


def unlock(file: int) -> None:
    """Let go of a lock; closing its file does that too, on Windows some time after."""
    _held.discard(file)
    if is_windows():
        import msvcrt

        windows: Any = msvcrt
        os.lseek(file, 0, os.SEEK_SET)
        windows.locking(file, windows.LK_UNLCK, 1)


def _let_go_in_child() -> None:
    for file in _held:
        os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


# -- rights and owners


def has_rights() -> bool:
    """Whether the mode of a file says who can read it; on Windows access lists do, which are not
    looked at."""
    return not is_windows()


def is_own(status: os.stat_result) -> bool:
    """Whether a file is of the person whose process this is; Windows does not say."""
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


def has_same_owner(one: Path, other: Path) -> bool:
    """Whether two files have one owner."""
    return one.stat().st_uid == other.stat().st_uid


def shared_group(number: int) -> str:
    """The name of a group that has more than one member; empty for people's own."""
    if not has_rights():
        return ""
    import grp
    import pwd

    try:
        group = grp.getgrgid(number)
        own = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
    is_private = number == 0 or (group.gr_name == own and set(group.gr_mem) <= {own})
    return "" if is_private else group.gr_name


def keep_rights(temporary: Path, path: Path) -> None:
    """Give a file the rights of the one that it is going to replace; a new one follows the umask.
    Raises OSError."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        temporary.chmod(stat.S_IMODE(mode))


# -- processes

NO_SUCH_PROCESS = 87
"""What Windows says of a number that no process has."""

WINDOWS_SYNCHRONIZE = 0x0010_0000
"""The right to wait for a process."""

WINDOWS_RUNNING = 0x0000_0102
"""What waiting gives while it runs."""


def is_alive(process: int) -> bool:
    """Whether there is such a process on this machine."""
    if is_windows():  # where signal 0 would end it
        return _is_alive_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_alive_on_windows(process: int) -> bool:
    kernel = _library("kernel32")
    handle = kernel.OpenProcess(WINDOWS_SYNCHRONIZE, False, process)
    if not handle:
        return bool(kernel.GetLastError() != NO_SUCH_PROCESS)
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == WINDOWS_RUNNING)
    finally:
        kernel.CloseHandle(handle)


def _library(name: str) -> Any:
    """A library of Windows."""
    windows: Any = ctypes
    return windows.WinDLL(name)


def child_of(parent: int) -> Callable[[], bool]:
    """Tells whether the process that started this one still runs."""
    if is_windows():  # which keeps the number of a parent that has ended
        return lambda: is_alive(parent)
    return lambda: os.getppid() == parent


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def passed_socket(descriptor: int) -> dict[str, Any] | None:
    """Options of ``subprocess.Popen`` that give a child an open socket; None where it has to make
    its own."""
    return None if is_windows() else {"pass_fds": (descriptor,)}


NEW_PROCESS_GROUP = 0x200
"""``subprocess.CREATE_NEW_PROCESS_GROUP``, which only Windows has."""


def apart_from_interrupts() -> dict[str, Any]:
    """Options of ``subprocess.Popen`` by which Ctrl-C, or the interrupt of a notebook's cell, ends
    no child: it goes to all processes of a group."""
    if is_windows():
        return {"creationflags": NEW_PROCESS_GROUP}
    return {"start_new_session": True}


# -- signals

KILL = int(getattr(signal, "SIGKILL", 9))
HANGUP = int(getattr(signal, "SIGHUP", 1))
BROKEN_PIPE = int(getattr(signal, "SIGPIPE", 13))
"""Numbers of signals, also where a system does not have them: of exit codes."""

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end a command; SIGBREAK is Ctrl-Break of Windows, which has no SIGHUP."""


def ending_signals() -> list[int]:
    """Numbers of those that this system has; SIGHUP not where it is ignored: that is what nohup
    asks for."""
    numbers = [int(getattr(signal, name)) for name in ENDING if hasattr(signal, name)]
    has_hangup = hasattr(signal, "SIGHUP")
    if has_hangup and signal.getsignal(HANGUP) is signal.SIG_IGN:
        numbers.remove(HANGUP)
    return numbers
