"""The card of a data set on the Hub: which files make up which split, and which files of before
belong to the same configuration. Everything else of a card stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from review_embeddings.pipeline.errors import HubError
from review_embeddings.review.exchange.formcard import DEFAULT

FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(?P<yaml>.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)

CONFIGS, INFO, FILES, CONFIG_NAME = "configs", "dataset_info", "data_files", "config_name"

DATA_WORDS = ("zip", "tar", "gz", "bz2", "xz", "zst", "lz4", "7z")


@dataclass(frozen=True)
class HubCard:
    """A card, as it can be changed."""

    metadata: dict[str, Any]
    body: str

    @staticmethod
    def read(text: str) -> HubCard:
        """Raises HubError where its metadata cannot be read: it would be lost."""
        import yaml

        found = FRONT_MATTER.match(text)
        if found is None:
            return HubCard({}, text)
        try:
            metadata = yaml.safe_load(found["yaml"]) or {}
        except yaml.YAMLError as error:
            raise HubError(
                "The README.md on the Hub has metadata that cannot be read. Mend it there first."
            ) from error
        if not isinstance(metadata, dict):
            raise HubError("The README.md on the Hub has no metadata by name. Mend it there first.")
        return HubCard(metadata, text[found.end() :])

    def with_configs(self, config: str, new: Sequence[Mapping[str, Any]]) -> str:
        """The text of the card with new configurations in the place of one. What it said of any of
        these before, sizes among it, holds no more."""
        import yaml

        gone = {config, *map(_name_of, new)}
        metadata = dict(self.metadata)
        kept = [one for one in self._configs() if _name_of(one) not in gone]
        metadata[CONFIGS] = [*map(dict, new), *kept]
        infos = [one for one in _dicts(metadata.pop(INFO, None)) if _name_of(one) not in gone]
        if infos:
            metadata[INFO] = infos
        dumped = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
        return f"---\n{dumped}---\n{self.body}"

    def data_files(self, config: str, files: Iterable[str]) -> list[str]:
        """Those of some files that make up a configuration: as the card says, else all that are
        data and in no other configuration."""
        files = list(files)
        patterns = {_name_of(one): list(_patterns(one)) for one in self._configs()}
        if patterns.get(config):
            return [name for name in files if _matches(name, patterns[config])]
        others = [pattern for name, some in patterns.items() if name != config for pattern in some]
        return [name for name in files if _is_data(name) and not _matches(name, others)]

    def _configs(self) -> list[dict[str, Any]]:
        return _dicts(self.metadata.get(CONFIGS))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _name_of(entry: Mapping[str, Any]) -> str:
    return str(entry.get(CONFIG_NAME, DEFAULT))


def _patterns(entry: Mapping[str, Any]) -> Iterator[str]:
    """The patterns of the files of a configuration, below its folder."""
    folder = str(entry.get("data_dir") or "").strip("/")
    given = entry.get(FILES)
    if given is None and folder:
        yield f"{folder}/**"
    for one in _texts(given):
        yield f"{folder}/{one}" if folder else one.removeprefix("./")


def _texts(value: Any) -> Iterator[str]:
    """The paths in what a card says of files: a path, a list, by split, or ``{split, path}``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one.get("path") if isinstance(one, dict) else one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    from fsspec.utils import glob_translate

    return any(re.match(glob_translate(pattern), name) for pattern in patterns)


def _is_data(name: str) -> bool:
    """Whether `datasets` takes a file for data where no card says so."""
    from datasets.packaged_modules import _EXTENSION_TO_MODULE

    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    ending = path.suffix.lower()
    known = ending in _EXTENSION_TO_MODULE or ending[1:] in DATA_WORDS
    return known and not hidden and ending not in {".md", ".py"}
