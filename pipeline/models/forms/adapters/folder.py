"""What a folder with an adapter of PEFT says: its configuration, its tensors' shapes, and the base
model to which it belongs. Loads no tensors but those of a pickled file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.forms.adapters.hub import HubModel
from review_embeddings.pipeline.models.forms.pretrained import PretrainedFolder, files_of
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import parse_json, read_json_file, safetensors_header
from review_embeddings.pipeline.run.folder import ADAPTER_WEIGHTS, WEIGHTS

if TYPE_CHECKING:
    import torch

ADAPTER_CONFIG = "adapter_config.json"
PICKLED_ADAPTER = "adapter_model.bin"
"""How PEFT wrote adapters before safetensors; read with torch's restricted reader."""

BASE_ENTRY = "base_model_name_or_path"
"""The entry of an adapter's configuration that names its base model."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Names and shapes of tensors."""


@dataclass(frozen=True)
class AdapterFolder:
    """A folder with an adapter, and the base model to which it is put."""

    path: Path
    content: Mapping[str, Any]
    """Its ``adapter_config.json``."""
    base: str | None
    """A folder, or a Hub name with its revision; None where it is not known or gone."""

    @staticmethod
    def read(path: Path, named: str | None = None) -> AdapterFolder:
        """The adapter in a folder of checkpoints; ``named`` is the base model where the one that
        its own configuration names is not on this machine. Raises CheckpointError."""
        folder = adapter_in(path)
        if folder is None:
            raise CheckpointError(f"{path} has no {ADAPTER_CONFIG}.")
        try:
            content = read_json_file(folder / ADAPTER_CONFIG)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"its {ADAPTER_CONFIG} cannot be read: {reason_of(error)}"
            ) from error
        if not isinstance(content, dict) or not isinstance(content.get("peft_type"), str):
            raise CheckpointError(f"its {ADAPTER_CONFIG} does not say which kind of adapter it is")
        return AdapterFolder(folder, content, find_base(content, folder, named))

    @property
    def kind(self) -> str:
        """LORA, IA3, ...; with DoRA, RSLoRA and so on a flag of LORA."""
        return str(self.content["peft_type"])

    @property
    def trained_class(self) -> tuple[str, str]:
        """Name and library of the class of the model that was trained; empty where PEFT did not
        write it down."""
        mapping = self.content.get("auto_mapping") or {}
        library = str(mapping.get("parent_library") or "").partition(".")[0]
        return str(mapping.get("base_model_class") or ""), library

    @property
    def weights(self) -> Path:
        """Its file of tensors."""
        file = self.path / ADAPTER_WEIGHTS
        pickled = self.path / PICKLED_ADAPTER
        return pickled if not storage.exists(file) and storage.exists(pickled) else file

    @property
    def base_folder(self) -> Path | None:
        """The base model's folder; None for one of the Hub."""
        return Path(self.base) if self.base is not None and Path(self.base).is_dir() else None

    def base_config(self) -> dict[str, Any]:
        """The base model's ``config.json``; empty where it has no name, for a model that was never
        saved. Raises CheckpointError where it cannot be had."""
        if self.base is None:
            return {}
        if self.base_folder is not None:
            return read_config(self.base)
        return dict(_hub_config(self.base))

    @property
    def saved_config(self) -> dict[str, Any]:
        """The ``config.json`` beside the adapter, where the training has saved one of the base
        model's architecture, or the base model is not known; else empty."""
        try:
            saved = read_config(str(self.path))
        except ValueError:
            return {}
        base = saved if self.base is None else self.base_config()
        name = "architecture" if is_timm(base) else "model_type"
        return saved if saved.get(name) == base.get(name) else {}

    def base_problem(self) -> str | None:
        """Why the base model cannot be used, with what helps; None where it can."""
        named = self.content.get(BASE_ENTRY)
        if self.base is None:
            what = f"{named}, is not there" if named else "is not named in it"
            return f"its base model{', ' if named else ' '}{what}. Name the folder with --base"
        if self.base_folder is None:
            try:
                self.base_config()
            except CheckpointError as error:
                return (
                    f"its base model, {self.base}, cannot be had ({error}). Name a folder that "
                    f"holds it with --base"
                )
            return None
        problem = PretrainedFolder().problem(self.base_folder)
        if adapter_in(self.base_folder) is not None:
            problem = "it is an adapter itself; merge it and save that"
        return f"its base model {self.base} cannot be used: {problem}" if problem else None


def adapter_in(path: Path) -> Path | None:
    """The folder with the adapter's configuration: the folder itself, or the one folder in a
    checkpoint that has the name of the adapter; None where there is none."""
    if (path / ADAPTER_CONFIG).is_file():
        return path
    if not path.name.startswith("checkpoint-") or storage.exists(path / WEIGHTS):
        return None
    inside = [file.parent for file in path.glob(f"*/{ADAPTER_CONFIG}")]
    return inside[0] if len(inside) == 1 else None


def find_base(content: Mapping[str, Any], folder: Path, named: str | None) -> str | None:
    """The base model of an adapter: a folder as an absolute path, or a Hub name.

    The one that its own configuration names, if it is on this machine: a path may be relative to
    one of the folders that the adapter lies in, or to the working directory. Else ``named``; else
    its own Hub name, which has to be fetched.
    """
    if named is not None and Path(named).is_dir():
        named = str(Path(named).resolve())
    text = str(content.get(BASE_ENTRY) or "")
    if not text:
        return named
    for candidate in _candidates(text, folder):
        if _is_model(candidate):
            return str(candidate.resolve())
    if Path(text).is_absolute() or text.startswith((".", "~")):
        return named
    model = HubModel(text, content.get("revision") or None)
    if named is not None and model.cached_file("config.json") is None:
        return named
    return str(model)


def _candidates(text: str, folder: Path) -> Iterator[Path]:
    path = Path(text).expanduser()
    if path.is_absolute():
        yield path
        return
    absolute = folder.absolute()
    for parent in (absolute, *absolute.parents, Path.cwd()):
        yield parent / path


def _is_model(folder: Path) -> bool:
    return PretrainedFolder().matches(folder) or (folder / ADAPTER_CONFIG).is_file()


@lru_cache(maxsize=64)
def _hub_config(name: str) -> Mapping[str, Any]:
    """The ``config.json`` of a model of the Hub. Raises CheckpointError."""
    content: dict[str, Any] = read_json_file(HubModel.of(name).file("config.json"))
    return content


def adapter_shapes(adapter: AdapterFolder) -> Shapes:
    """Names and shapes of an adapter's tensors."""
    path = storage.fetched(adapter.weights)
    return _read_shapes(path, *storage.stamp_of(path))


def base_names(adapter: AdapterFolder) -> set[str]:
    """Names of the tensors in the files of the base model as far as they are on this machine; of
    one of the Hub, in one file."""
    folder = adapter.base_folder
    if folder is not None:
        files = files_of(folder)
    else:
        cached = HubModel.of(adapter.base).cached_file(WEIGHTS) if adapter.base else None
        files = [] if cached is None else [cached]
    here = [file for file in files if file.suffix == ".safetensors" and file.is_file()]
    return {name for file in here for name, _ in _read_shapes(file, *storage.stamp_of(file))}


@lru_cache(maxsize=256)
def _read_shapes(file: Path, size: int, changed: int) -> Shapes:
    if file.suffix != ".safetensors":
        tensors = read_tensors(file, str(file))
        return tuple((name, tuple(tensor.shape)) for name, tensor in tensors.items())
    try:
        header = parse_json(safetensors_header(file))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file.name} cannot be read: {reason_of(error)}") from error
    return tuple(
        (name, tuple(entry["shape"])) for name, entry in header.items() if name != "__metadata__"
    )


def read_tensors(file: Path, title: str) -> dict[str, torch.Tensor]:
    """The tensors of an adapter's file, without running code from it. Raises CheckpointError."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{title} cannot be read: {reason_of(error)}") from error
