"""Where something that somebody wants may be written: never in the place of what a run, a model or
a data set holds, or of a file that is no earlier one of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import FORMAT
from review_embeddings.review.exchange.reports import is_cleaned

OPTION = "--out"

PAGE = ".html"
"""Ending of pages, and what a file of a name without a known ending is."""

NEW = "NAME"
"""Stands for a name that somebody has to find."""

LOOKED_AT = 1024
"""Bytes of a file by which its kind is known."""

OF_README = b"Written by review-embeddings share"
"""Stands in the first lines of a README.md of ours."""

MAGIC = (b"PAR1", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x1f\x8b", b"%PDF")
"""How files begin that are no text, whatever their names."""

KINDS: dict[str, Callable[[bytes], bool]] = {
    ".csv": lambda start: b"\0" not in start and not start.startswith(MAGIC),
    ".jsonl": lambda start: start.lstrip().startswith(b"{"),
    ".json": lambda start: start.lstrip().startswith(b"["),
    ".parquet": lambda start: start.startswith(b"PAR1"),
    ".html": lambda start: start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"),
    ".md": lambda start: OF_README in start,
    ".gif": lambda start: start.startswith(b"GIF8"),
    ".png": lambda start: start.startswith(b"\x89PNG"),
    ".webp": lambda start: start[8:12] == b"WEBP",
    ".mp4": lambda start: start[4:8] == b"ftyp",
}
"""Whether a file that begins so may be one that a command wrote, by the ending of its name."""


def check_target(run: RunFolder, path: Path, option: str = OPTION) -> None:
    """Raise SettingsError where a file must not be written at a path: among the own files of this
    run or another one (their exports excepted), in the data set, in the place of what is no file,
    or of a file that is not of the kind."""
    _check_place(run, path, option)
    _check_file(path, option)


def check_target_beside(sources: Iterable[Path], path: Path, option: str = OPTION) -> None:
    """The same for a file that is of no run, and must lie in none of the data sets or runs
    ``sources``, but in the exports of one."""
    where = path.resolve()
    for source in sources:
        exports = RunFolder(source.resolve()).exports
        if source.resolve() in {where, *where.parents} and exports not in where.parents:
            raise SettingsError(
                f"{option} {path} lies in {source}, which is never changed. Use another place."
            )
    _check_runs(path, option)
    _check_file(path, option)


def _check_file(path: Path, option: str) -> None:
    if path.is_dir():
        raise SettingsError(f"{option} {path} is a folder. Name a file in it.")
    if path.exists() and not path.is_file():
        raise SettingsError(f"{option} {path} is a device or a pipe, not a file. Name a file.")
    if path.is_file() and not _may_be_replaced(path):
        raise SettingsError(
            f"{option} {path} is there already and is no file that this command writes. Use "
            f"another name, or delete it first."
        )


def check_folder(run: RunFolder, path: Path, option: str = OPTION) -> None:
    """The same for a folder, which must be new or empty."""
    _check_place(run, path, option)
    _check_cleaned(path, option)
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise SettingsError(
            f"{option} {path} is there already. Name a new folder, or delete it first."
        )


def _check_cleaned(path: Path, option: str) -> None:
    """Raise SettingsError for a folder in a cleaned data set, which would be read as a part of
    it."""
    cleaned = next(filter(is_cleaned, path.resolve().parents), None)
    if cleaned is not None:
        raise SettingsError(
            f"{option} {path} lies in {cleaned}, a cleaned data set that `apply` wrote, and would "
            f"be read as a part of it. Use a place outside of it."
        )


def _check_place(run: RunFolder, path: Path, option: str) -> None:
    where, exports = path.resolve(), run.exports.resolve()
    if run.path.resolve() in where.parents and exports not in where.parents:
        raise SettingsError(
            f"{option} {path} {_own(where == exports)}. Use "
            f"{_among(run.exports, path)}, or a place outside the run."
        )
    source = local_source(run)
    own = exports in where.parents  # of a run inside the data set, which is no part of it
    if not own and source is not None and source in {where, *where.parents}:
        raise SettingsError(
            f"{option} {path} lies in the data set, which is never changed. Use another place."
        )
    if not own:
        _check_runs(path, option)


def _check_runs(path: Path, option: str) -> None:
    where, exports = path.resolve(), RunFolder(path).exports
    for folder in (where, *where.parents):
        if _is_other_run(folder) and folder / exports.name not in where.parents:
            raise SettingsError(
                f"{option} {path} lies among the files of the run {folder}. Use "
                f"{_among(folder / exports.name, path)}, or a place outside the run."
            )


def _own(is_exports: bool) -> str:
    return "is the folder of all exports" if is_exports else "lies among the run's own files"


def _among(exports: Path, path: Path) -> Path:
    """A place among the exports of a run for what was to be written at a path of the run."""
    return exports / (NEW if path.resolve() == exports.resolve() else path.name)


def _is_other_run(folder: Path) -> bool:
    """Whether a folder holds a run of ours."""
    file = RunFolder(folder).run_json
    if not file.is_file():
        return False
    try:
        content = read_json_file(file)
    except (OSError, ValueError):
        return RunFolder(folder).images.exists()
    return isinstance(content, dict) and FORMAT in content


def _may_be_replaced(path: Path) -> bool:
    """Whether a file is empty, or may be one that a command wrote under this name before."""
    is_kind = KINDS.get(path.suffix.lower(), KINDS[PAGE])
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    return not start or is_kind(start)


def local_source(run: RunFolder) -> Path | None:
    """Where the run's data set lies on this machine; None for one that lies elsewhere.

    A relative path in ``run.json`` is inside the run folder, never in the working directory.
    """
    info = run.read_info()
    if info is None or not info.dataset.source:
        return None
    path = run.path / info.dataset.source
    return path.resolve() if path.exists() else None
