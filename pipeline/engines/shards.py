"""Parts of a result as files in the run folder, until the whole is there.

A part is there once its ``.json`` file is, which is written last. What is there is not computed
again, whoever was killed: a worker, a machine or the program itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from review_embeddings.pipeline.engines.work import Part, Result, Work, parts_of, run_of
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.checksums import check, file_checksum
from review_embeddings.pipeline.run.files import (
    MADE_AGAIN,
    open_array,
    read_json,
    whole_file,
    write_json,
)
from review_embeddings.pipeline.run.inside import is_within, within


@dataclass(frozen=True)
class Shards:
    """The parts of one result."""

    run: str
    """`RunFolder.reference`."""
    key: str
    """Fingerprint of the whole."""

    @classmethod
    def of(cls, work: Work) -> Shards:
        """Those of some work."""
        return cls(work.run, work.key)

    @property
    def folder(self) -> Path:
        """Where they are."""
        return run_of(self.run, self.key).shards / self.key

    def path(self, part: Part, name: str) -> Path:
        """Where an array of a part is. Raises ValueError for a name that leads elsewhere."""
        return within(self.folder, f"{part[0]:09d}-{name}.npy")

    def marker(self, part: Part) -> Path:
        """What says that a part is there."""
        return self.folder / f"{part[0]:09d}.json"

    def has(self, part: Part) -> bool:
        """Whether it is there, and whole."""
        if not storage.exists(self.marker(part)):
            return False
        try:
            self._content(part)
        except RunError:
            return False
        return True

    def read(self, part: Part) -> Result:
        """The result for a part."""
        content = self._content(part)
        paths = {name: self.path(part, name) for name in content["arrays"]}
        arrays = {name: np.array(open_array(path, MADE_AGAIN)) for name, path in paths.items()}
        return Result(arrays, content["metadata"])

    def _content(self, part: Part) -> dict[str, Any]:
        """What the marker of a part says, whose arrays are whole. Raises RunError."""
        content = read_json(storage.fetched(self.marker(part)))
        if not all(is_within(str(name)) for name in content["arrays"]):
            raise RunError(f"{self.marker(part)} names files elsewhere. {MADE_AGAIN}")
        for name in content["arrays"]:
            stored = content.get("checksums", {}).get(name)
            check(storage.fetched(self.path(part, name)), stored, MADE_AGAIN)
        return content

    def verify(self, start: int) -> bool:
        """Whether the part from a row on has checksums. Raises DamagedError."""
        return bool(self._content((start, start)).get("checksums"))

    def write(self, part: Part, result: Result) -> None:
        """Keep the result for a part, whole or not at all."""
        checksums = {}
        for name, array in result.arrays.items():
            with whole_file(self.path(part, name)) as temporary:
                with temporary.open("wb") as file:
                    np.save(file, array)
                checksums[name] = file_checksum(temporary)
        content = {
            "arrays": list(result.arrays),
            "checksums": checksums,
            "metadata": dict(result.metadata),
        }
        write_json(self.marker(part), content)

    def forget(self, part: Part) -> None:
        """Let a part be computed again."""
        storage.remove(self.marker(part))

    def remove(self) -> None:
        """Let all of them go: they are part of a whole now."""
        storage.remove_folder(self.folder)


@dataclass(frozen=True)
class Stored:
    """Work whose results become files."""

    work: Work

    def __call__(self, part: Part) -> None:
        """Compute a part and keep it."""
        Shards.of(self.work).write(part, self.work(part))


def stored_results(work: Work, size: int) -> Iterator[Result]:
    """The results for all parts, computed here where they are not there yet."""
    shards = Shards.of(work)
    for part in parts_of(work.total, size):
        if not shards.has(part):
            Stored(work)(part)
        yield shards.read(part)
