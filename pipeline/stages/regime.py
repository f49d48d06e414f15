"""Whether the models of a run were trained on the images that are reviewed, and how that is known:
it decides by which rule labels are scored."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.images.sources import names_evaluation, names_training
from review_embeddings.pipeline.models.forms import form_of
from review_embeddings.pipeline.models.forms.candidates import candidates_in
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint, read_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.parquets import CheckedParquet
from review_embeddings.pipeline.settings import AUTO
from review_embeddings.pipeline.stages.stage import ONCE

IMAGE_HASH, LABEL = "image_hash", "label"
"""Columns of `RunFolder.trained_images`: SHA-256 of an image's bytes as stored, and the name of the
class that it was trained on."""

CURE = "Delete it; whether the images were trained on is told by the name of their split then."


@dataclass(frozen=True)
class Regime:
    """Which images were trained on."""

    trained_on: NDArray[np.bool_]
    """Shape (N,)."""
    why: str
    """How that is known, for people, after "not trained on: "."""
    is_known: bool = True

    @property
    def fingerprint(self) -> str | None:
        """What tells it from another one; None where no image was trained on."""
        if not self.trained_on.any():
            return None
        some = np.flatnonzero(~self.trained_on).tolist()
        return fingerprint(not_trained_on=some)

    def as_record(self) -> dict[str, Any]:
        """As it is kept beside the scores that were made by it."""
        rows: bool | str = bool(self.trained_on.any())
        if rows and not self.trained_on.all():
            rows = base64.b64encode(np.packbits(self.trained_on).tobytes()).decode()
        return {"why": self.why, "is_known": self.is_known, "trained_on": rows}

    @classmethod
    def of_record(cls, record: Mapping[str, Any], total: int) -> Regime:
        """Of a record about so many images."""
        rows = record["trained_on"]
        if isinstance(rows, str):
            packed = np.frombuffer(base64.b64decode(rows), dtype=np.uint8)
            trained = np.unpackbits(packed, count=total).astype(bool)
        else:
            trained = np.full(total, bool(rows))
        return cls(trained, str(record["why"]), bool(record["is_known"]))

    def of_image(self, row: int) -> str:
        """What is assumed of an image and why, for people."""
        trained = "trained on" if self.trained_on[row] else "not trained on"
        return f"{'' if self.is_known else 'taken as '}{trained}: {self.why}"

    @property
    def sentence(self) -> str:
        """What is assumed and why, for people."""
        count, total = int(self.trained_on.sum()), len(self.trained_on)
        if not self.is_known:
            return f"taken as not trained on: {self.why}"
        if count == total:
            return f"trained on: {self.why}"
        if count == 0:
            return f"not trained on: {self.why}"
        return f"{count:,} of {total:,} trained on, each scored as what it is: {self.why}"


def stored_regime(run: RunFolder, info: RunInfo, images: RunImages) -> Regime | None:
    """The one by which the stored label scores were made; None where they were made by a version
    that knew no difference, or there are none."""
    try:
        stored = run.result_metadata("label_fit", ONCE)
    except RunError:  # damaged, which is said where the scores are read
        return regime_of(run, info, images)
    if stored is None and not run.array("label_fit", ONCE).exists():
        return None
    if stored is None or "regime" not in stored:  # damaged, or of an earlier version
        return regime_of(run, info, images)
    return Regime.of_record(stored["regime"], len(images))


def regime_of(run: RunFolder, info: RunInfo, images: RunImages) -> Regime:
    """By ``--trained-on``; else by the hashes of the images that `finetune` trained on; else by the
    split that it trained on; else, where there was a training, by the name of the split."""
    given = info.settings.trained_on
    if given != AUTO:
        return _of_all(images, given == "yes", "--trained-on says so")
    folders = (run, RunFolder(run.checkpoint_root(info)))
    for folder in folders:
        hashes = read_trained_images(folder)
        if hashes is not None:
            mask = np.array([one in hashes for one in images.hashes], dtype=bool)
            return Regime(mask, "by the hashes of the training images")
    splits = map(_split_of_training, folders)
    trained = next((one for one in splits if one is not None), None)
    if trained is not None and _is_same(trained["dataset"], info.dataset.source):
        split = trained["train_split"]
        return _of_all(images, split == info.dataset.split, f"the training was on split {split}")
    if _is_base_alone(run, info):
        return _of_all(images, False, "there is no training, only the model before one")
    return _by_name(info, images)


def _is_base_alone(run: RunFolder, info: RunInfo) -> bool:
    """Whether the images are looked at by a model that nothing here has fine-tuned."""
    if info.base is None or any(step > 0 for step in run.steps_with("embeddings")):
        return False
    root = run.checkpoint_root(info)
    return not candidates_in(root) and not form_of(root).matches(root)


def _of_all(images: RunImages, trained: bool, why: str, *, is_known: bool = True) -> Regime:
    return Regime(np.full(len(images), trained), why, is_known)


def _split_of_training(folder: RunFolder) -> Mapping[str, Any] | None:
    """What ``training.json`` of an earlier version says of the data; None without it."""
    if not folder.training.is_file():
        return None
    request = read_json(folder.training, shared=True).get("request")
    known = isinstance(request, dict) and request.get("dataset") and request.get("train_split")
    return request if known else None


def _is_same(source: Any, other: str) -> bool:
    """Whether two data sets are the same as far as their names tell, wherever they lie now: a run
    may have been copied, its data with it."""
    return PurePath(str(source)).name == PurePath(other).name


def _by_name(info: RunInfo, images: RunImages) -> Regime:
    split = info.dataset.split or ""
    if names_training(split) or names_evaluation(split):
        return _of_all(images, names_training(split), f"the split is called {split}")
    return _of_all(images, False, "nothing tells whether they were", is_known=False)


def read_trained_images(run: RunFolder) -> frozenset[str] | None:
    """The hashes of the images that a run was trained on; None where nothing says it. Raises
    DamagedError."""
    if not storage.exists(run.trained_images):
        return None
    with CheckedParquet(storage.fetched(run.trained_images), CURE) as file:
        if IMAGE_HASH not in file.schema.names:
            return None
        return frozenset(file.read([IMAGE_HASH]).column(IMAGE_HASH).to_pylist())
