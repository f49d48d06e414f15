"""Which files of a model folder hold its weights, and whether they are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.config import CONFIG, read_object
from review_embeddings.pipeline.models.forms.looks import (
    holds_placeholders,
    is_lfs_pointer,
    is_whole_pickle,
    lfs_answer,
    safetensors_header,
)
from review_embeddings.pipeline.models.forms.pickles import read_pickle, tensors_of
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import open_binary
from review_embeddings.pipeline.run.folder import CHECKPOINT_NAME, WEIGHTS

if TYPE_CHECKING:
    import torch

WEIGHTS_INDEX = "model.safetensors.index.json"
"""The list of the files of weights that were written in several."""

PICKLED_INDEX = "pytorch_model.bin.index.json"
"""The same of pickled weights, as transformers wrote them before safetensors."""

PICKLED = ("pytorch_model.bin", "pytorch_model_fsdp.bin", "model.ckpt", "pytorch_model.pt")
"""Pickled weights, by their names in the order of preference."""

NUMBERED = re.compile(r"(pytorch_)?model_\d+\.(safetensors|bin)")
"""Weights of the further models that accelerate was given."""

COLLECTION = "checkpoints"
"""The folder in which accelerate numbers its checkpoints, inside the one with the configuration."""


@dataclass(frozen=True)
class WeightFiles:
    """The files of the weights of one model."""

    files: tuple[Path, ...]
    index: Path | None = None
    """The file that lists them, where there is one."""

    @property
    def is_pickled(self) -> bool:
        """Whether they are pickles."""
        return any(file.suffix != ".safetensors" for file in self.files)

    @property
    def single(self) -> Path | None:
        """The safetensors file, where it is one alone."""
        return self.files[0] if len(self.files) == 1 and not self.is_pickled else None

    def read(self, title: str) -> dict[str, torch.Tensor]:
        """All tensors by name, on the CPU. Raises CheckpointError, in which the model is called
        ``title``."""
        tensors: dict[str, torch.Tensor] = {}
        for file in self.files:
            tensors |= _tensors_in(storage.fetched(file), title)
        return tensors


def _tensors_in(file: Path, title: str) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if file.suffix == ".safetensors":
        try:
            return dict(load_file(file))
        except (OSError, SafetensorError) as error:
            raise_unavailable(error, file)
            raise CheckpointError(f"{title} cannot be loaded: {reason_of(error)}") from error
    found = tensors_of(read_pickle(file, title))
    if not found:
        raise CheckpointError(f"{title} cannot be loaded: {file.name} holds no tensors by name.")
    return found


def stored_weights(folder: Path) -> WeightFiles | None:
    """The weights of a model folder: as transformers would choose them, safetensors first; None
    where there are none. Raises CheckpointError where an index cannot be read."""
    for single, index in ((WEIGHTS, WEIGHTS_INDEX), (PICKLED[0], PICKLED_INDEX)):
        if storage.exists(folder / single):
            return WeightFiles((folder / single,))
        if (folder / index).is_file():
            return WeightFiles(_listed(folder / index), folder / index)
    named = [folder / name for name in PICKLED[1:] if storage.exists(folder / name)]
    named += _numbered(folder)
    return WeightFiles((named[0],)) if named else None


def _numbered(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if NUMBERED.fullmatch(path.name))
    except OSError as error:
        raise_unavailable(error, folder)
        return []


def _listed(index: Path) -> tuple[Path, ...]:
    """The files that an index names."""
    listed = read_object(index).get("weight_map")
    names = set(listed.values()) if isinstance(listed, dict) else set()
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise CheckpointError(f"{index.name} is incomplete: it lists no files of weights.")
    return tuple(index.parent / name for name in sorted(names))


def further_models(folder: Path) -> list[str]:
    """Names of weights beside those that are taken: of other models of the same training."""
    weights = stored_weights(folder)
    if weights is None or weights.index is not None:
        return []
    return [path.name for path in _numbered(folder) if path not in weights.files]


def config_folder(folder: Path) -> Path:
    """The folder with the configuration of a model: its own, or of a checkpoint of accelerate's
    the one above."""
    above = [folder]
    if CHECKPOINT_NAME.fullmatch(folder.name):
        above.append(folder.parent)
        if folder.parent.name == COLLECTION:
            above.append(folder.parent.parent)
    return next((one for one in above if (one / CONFIG).is_file()), folder)


# -- what is wrong with them


def problem_with_files(weights: WeightFiles) -> str | None:
    """Why files of weights cannot be read; None where they are there and whole."""
    return next(filter(None, map(problem_with_file, weights.files)), None)


def problem_with_file(file: Path) -> str | None:
    """Why a file of weights cannot be read; None where it is there and whole."""
    if not file.is_file():
        if storage.exists(file):
            return None  # what is in a store is whole
        return f"still being written ({file.name} is missing)"
    if is_lfs_pointer(file):
        return lfs_answer(file)
    return next(_faults_of(file), None)


def _faults_of(file: Path) -> Iterator[str]:
    try:
        open_binary(file).close()
    except OSError as error:
        raise_unavailable(error, file)
        yield f"{file.name} cannot be read: {reason_of(error)}"
        return
    if file.suffix != ".safetensors":
        if not is_whole_pickle(file):
            yield f"still being written ({file.name} is incomplete, or no file of torch.save)"
        return
    header = safetensors_header(file)
    if header is None:
        yield f"still being written ({file.name} is incomplete)"
    elif holds_placeholders(header):
        yield (
            f"{file.name} holds placeholders of size 0, as DeepSpeed's ZeRO-3 leaves them: the "
            f"weights are in the global_step folder of the training, and its zero_to_fp32.py puts "
            f"them together; without that, save them again with "
            f"stage3_gather_16bit_weights_on_model_save"
        )
    elif not header:
        yield f"{file.name} holds no tensors"


def is_partitioned(folder: Path) -> bool:
    """Whether a folder has no weights of its own, or placeholders for such that lie elsewhere."""
    try:
        weights = stored_weights(folder)
    except CheckpointError:
        return False
    if weights is None:
        return True
    headers = [safetensors_header(file) for file in weights.files if not weights.is_pickled]
    return any(header is not None and holds_placeholders(header) for header in headers)
