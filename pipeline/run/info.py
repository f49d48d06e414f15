"""The contents of ``run.json``: where the images come from, the settings, and what made the run."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.run.records import RecordError, as_json, unknown_keys
from review_embeddings.pipeline.settings import LATER, DatasetReference, Settings


@dataclass(frozen=True)
class RunInfo:
    """The contents of ``run.json``."""

    dataset: DatasetReference
    """Where the images come from."""
    classes: list[str] | None = None
    """Names of the classes in the order of the data set; None where it has no labels."""
    checkpoints: str = "."
    """Folder of the checkpoints, relative to the run folder where it lies inside it."""
    base: str | None = None
    """The model before fine-tuning, shown as step 0; None where the run has no such model."""
    settings: Settings = field(default_factory=Settings)
    """Settings that change the result."""
    recorded: str | None = field(default=None, metadata=LATER)
    """Fingerprint of the transform of the images, where a `Recorder` made the run: its steps are
    those that were recorded, and it has no weights. None for a run of checkpoints."""
    id: str | None = field(default=None, compare=False, metadata=LATER)
    """32 random hex digits that name the run, wherever its folder lies; None for a run of an
    earlier version (`identity.run_id`)."""
    new_classes: tuple[str, ...] = field(default=(), compare=False, metadata=LATER)
    """Classes that people added in a review, to which images may be relabelled
    (`RunFolder.add_class`)."""
    packages: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that made the run folder."""
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version wrote beside all this."""

    def checked(self) -> RunInfo:
        """The same. Raises RecordError for a relative path that leads out of the run folder, or
        one that no file can have: we write none."""
        paths = {"dataset.source": self.dataset.source, "checkpoints": self.checkpoints}
        for key, path in paths.items():
            if not _is_path(path):
                raise RecordError("is no path", key)
            relative = not Path(path).is_absolute() and "://" not in path
            if relative and ".." in re.split(r"[/\\]", path):
                raise RecordError("leads out of the run folder", key)
        return self

    @property
    def added_classes(self) -> list[str]:
        """The `new_classes` that the data set does not have."""
        known = self.classes or []
        return [name for name in self.new_classes if name not in known]

    def with_source(self, source: str) -> RunInfo:
        """The same run on another data set, to which nothing applies that was known of the old
        one."""
        unknown = {name: value for name, value in self.unknown.items() if name != "dataset"}
        return replace(self, dataset=DatasetReference(source), classes=None, unknown=unknown)


def _is_path(text: str) -> bool:
    """Whether a file can be called so: with no half a character but one that stands for a byte."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def derived_id(info: RunInfo) -> str:
    """The id of a run whose ``run.json`` has none: the same as long as it says the same."""
    content = json.dumps({**as_json(info), "packages": {}, "id": None}, sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def package_versions() -> dict[str, str]:
    """Versions of the packages whose results the run folder holds."""
    from importlib import metadata

    names = (
        "review-embeddings",
        "torch",
        "transformers",
        "datasets",
        "cleanlab",
        "scikit-learn",
        "scipy",
        "numpy",
        "pillow",
    )
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions
