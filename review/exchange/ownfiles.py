"""Remembers which files of a folder a command wrote, so that it replaces and deletes no others.

The list lies in the folder itself, with a checksum of each file: one that was changed since belongs
to whoever changed it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.checksums import checksum_of, file_checksum
from review_embeddings.pipeline.run.files import read_record, whole_file, write_json

LIST_NAME = ".review-embeddings.json"


@dataclass(frozen=True)
class _WrittenFiles:
    """The contents of `LIST_NAME`."""

    files: dict[str, str] = field(default_factory=dict)
    """Checksum of each file, by its name."""


class OwnFiles:
    """The files in a folder that this program wrote there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._list = folder / LIST_NAME
        self._before = self._read()
        self._now: dict[str, str] = {}
        self._new: list[Path] = []

    def _read(self) -> dict[str, str]:
        if not self._list.is_file() or self._list.is_symlink():
            return {}
        try:
            return read_record(self._list, _WrittenFiles).files
        except RunError:  # damaged: nothing is known to be ours
            return {}

    def is_own(self, name: str) -> bool:
        """Whether a file is there and is as it was written."""
        path, stored = self.folder / name, {**self._before, **self._now}.get(name)
        whole = Path(name).name == name and path.is_file() and not path.is_symlink()
        return whole and stored is not None and file_checksum(path) == stored

    def may_write(self, name: str, data: bytes | None = None) -> bool:
        """Whether nothing of somebody else is in the place; a file of these bytes is as good as
        ours."""
        path = self.folder / name
        if not path.exists() and not path.is_symlink():
            return True
        same = data is not None and path.is_file() and not path.is_symlink()
        return self.is_own(name) or (same and path.read_bytes() == data)

    def write(self, name: str, data: bytes) -> Path:
        """Write a file. Raises SettingsError where somebody else's is in its place."""
        path = self.folder / name
        if not self.may_write(name, data):
            raise SettingsError(
                f"{path} is there already and is not from this command. Name another place with "
                f"--out, or move it away."
            )
        if not path.exists():
            self._new.append(path)
        with whole_file(path) as temporary:
            temporary.write_bytes(data)
        self._now[name] = checksum_of(data)
        return path

    def finish(self, *, keep_earlier: bool = False) -> int:
        """Remember what was written. Earlier files that are still as they were written go, unless
        they are to be kept; how many went."""
        earlier = [name for name in self._before if name not in self._now]
        gone = [] if keep_earlier else [name for name in earlier if self.is_own(name)]
        for name in gone:
            storage.remove(self.folder / name)
        kept = {name: self._before[name] for name in earlier if keep_earlier}
        write_json(self._list, asdict(_WrittenFiles({**kept, **self._now})))
        return len(gone)

    def undo(self) -> None:
        """Remove the new files of a write that failed, and the folder if nothing else is in it."""
        for path in self._new:
            storage.remove(path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
