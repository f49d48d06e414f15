"""What the card of a data set (``README.md``) says of its splits and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import DatasetError

CARD = "README.md"

WILDCARD = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class Card:
    """Of one configuration."""

    splits: Mapping[str, list[str]] = field(default_factory=dict)
    """Patterns of the files of each split; empty where the card names none."""
    features: Any = None
    """Names and types of the columns; None where it does not say."""
    folder: str = ""
    """The folder that the configuration is, with a ``/``, where it names no files."""

    def split_files(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Of each split its files, each with the folder that its pattern begins with; empty where
        no file is named by any."""
        listed = list(names)
        found = {
            split: {
                name: _folder_of(pattern)
                for pattern in patterns
                for name in listed
                if _matches(pattern, name)
            }
            for split, patterns in self.splits.items()
        }
        return found if any(found.values()) else {}


def read_card(folder: Path, config: str | None) -> Card:
    """The card of a folder; an empty one where there is none or it cannot be read."""
    if not (folder / CARD).is_file():
        return Card()
    try:
        return _read(folder / CARD, config)
    except DatasetError:
        raise
    except Exception:  # YAML of any shape, which is said where a builder of `datasets` reads it
        return Card()


def _read(path: Path, config: str | None) -> Card:
    from datasets.data_files import sanitize_patterns
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    data = DatasetCard.load(path).data
    configs = MetadataConfigs.from_dataset_card_data(data)
    infos = DatasetInfosDict.from_dataset_card_data(data)
    names = list(dict.fromkeys([*configs, *infos]))
    chosen = config or configs.get_default_config_name() or (names[0] if len(names) == 1 else None)
    if names and chosen not in names:
        listed = ", ".join(repr(name) for name in names)
        raise DatasetError(
            f"Data set {path.parent} has the configurations {listed}. Name one with --config."
        )
    of_config = configs.get(str(chosen)) or {}
    patterns = sanitize_patterns(of_config["data_files"]) if "data_files" in of_config else {}
    inside = str(of_config.get("data_dir") or "").strip("./")
    prefix = f"{inside}/" if inside else ""
    features = of_config.get("features") or (
        infos[str(chosen)].features if str(chosen) in infos else None
    )
    return Card(
        {
            str(split): [f"{prefix}{one.removeprefix('./')}" for one in some]
            for split, some in patterns.items()
        },
        features,
        "" if patterns else prefix,
    )


def _folder_of(pattern: str) -> str:
    """The folder of a pattern, as far as it has no wildcard."""
    return WILDCARD.split(pattern)[0].rpartition("/")[0]


def _matches(pattern: str, name: str) -> bool:
    pattern = pattern.rstrip("/")
    parts = re.split(r"(\*\*/?|\*|\?|\[[^\]]+\])", pattern)
    wild = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    regex = "".join(
        wild.get(part, part if part.startswith("[") and part.endswith("]") else re.escape(part))
        for part in parts
    )
    return re.fullmatch(f"{regex}(/.*)?", name) is not None
