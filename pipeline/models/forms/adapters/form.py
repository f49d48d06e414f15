"""Adapters as PEFT writes them (LoRA and its kin): a few small tensors, and the name of the base
model to which they belong.

The base model is loaded once, and each checkpoint's tensors are merged into a copy of it. What a
folder says is read here without torch; `merging` computes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.config import CLASSIFIERS, UNWRITTEN_CLASSES, is_timm
from review_embeddings.pipeline.models.forms.adapters.folder import (
    BASE_ENTRY,
    AdapterFolder,
    adapter_in,
    adapter_shapes,
    base_names,
)
from review_embeddings.pipeline.models.forms.adapters.merging import (
    MergingBase,
    head_size,
    plain_name,
)
from review_embeddings.pipeline.models.forms.form import Form, LoadedModel
from review_embeddings.pipeline.models.forms.pretrained import files_of
from review_embeddings.pipeline.models.forms.stored import problem_with_file
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import ADAPTER_WEIGHTS

INSTALL_PEFT = "pip install 'review-embeddings[peft]'"

VOLATILE_ENTRIES = {
    BASE_ENTRY,
    "revision",
    "auto_mapping",
    "inference_mode",
    "lora_dropout",
    "peft_version",
    "task_type",
}
"""Entries of an adapter's configuration that do not change what it computes from its tensors."""

PROMPT_KINDS = {
    "ADAPTION_PROMPT",
    "CARTRIDGE",
    "CPT",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
    "XLORA",
}
"""Kinds that cannot be merged into weights: all but one put tokens before a text."""

STATISTICS = "running_mean"
"""The end of the name of a tensor that each batch norm has."""

BASE_STATISTICS = (
    "its base model has batch norms whose running statistics the adapter does not hold: those of "
    "the base model are taken, which is not the model that was trained unless they were frozen "
    "(modules_to_save saves batch norms with the adapter)"
)
"""A note of adapters; which of the two holds for a training is in no file."""

LIBRARIES = ("transformers", "timm")
"""Packages whose classes can be built from a base model's own configuration."""


class PeftAdapter(Form):
    """A folder with ``adapter_config.json`` and the tensors of an adapter.

    A folder that holds whole weights as well counts as the adapter, as for PEFT and transformers:
    the weights beside it may be those of its base model.
    """

    name = "adapter"

    def __init__(self, named: str | None = None) -> None:
        self._named = named

    def on(self, base: str | None) -> Form:
        """For adapters whose own base model is gone."""
        return PeftAdapter(base)

    def matches(self, path: Path) -> bool:
        """Whether there is an adapter's configuration or its tensors."""
        return adapter_in(path) is not None or storage.exists(path / ADAPTER_WEIGHTS)

    def problem(self, path: Path) -> str | None:
        """What is missing: of the adapter, of its base model, or the package peft."""
        try:
            adapter = self._read(path)
        except CheckpointError as error:
            return str(error)
        return _weights_problem(adapter) or _kind_problem(adapter) or adapter.base_problem()

    def base_model(self, path: Path) -> str | None:
        """As its configuration or a person names it."""
        return self._read(path).base

    def saves_head(self, path: Path) -> bool:
        """Whether its tensors hold one."""
        return _head_size(self._read(path)) is not None

    def notes(self, path: Path) -> list[str]:
        """That running statistics of batch norms are the base model's, which the training may have
        changed."""
        adapter = self._read(path)
        in_base, own = (_count_statistics(names) for names in _tensor_names(adapter))
        return [BASE_STATISTICS] if in_base > own else []

    def weight_files(self, path: Path) -> list[Path]:
        """Those of the adapter and of its base model; one of the Hub is known by its name."""
        try:
            adapter = self._read(path)
        except CheckpointError:
            return []  # `problem` says why
        folder = adapter.base_folder
        return [adapter.weights, *([] if folder is None else files_of(folder))]

    def config(self, path: Path) -> dict[str, Any]:
        """The base model's with the head that the adapter has, and what the adapter says."""
        adapter = self._read(path)
        config = {**(adapter.saved_config or adapter.base_config())}
        config["_name_or_path"] = str(adapter.base)
        if adapter.base_folder is None:
            config["base_model"] = adapter.base
        config["adapter"] = {
            name: sorted(value) if _is_list_of_names(value) else value
            for name, value in adapter.content.items()
            if name not in VOLATILE_ENTRIES and value is not None
        }
        return _with_head(config, adapter)

    def exchange_file(self, path: Path) -> Path | None:
        """The adapter's tensors."""
        file = self._read(path).weights
        return file if file.name == ADAPTER_WEIGHTS else None

    def load(self, path: Path, title: str, *, with_head: bool) -> LoadedModel:
        """The base model with the adapter merged into it."""
        if problem := self.problem(path):
            raise CheckpointError(f"{title} cannot be loaded: {problem}.")
        adapter = self._read(path)
        base = MergingBase.load(adapter, _head_size(adapter), title, with_head=with_head)

        def exchange(other: Path) -> Mapping[str, Any]:
            state: Mapping[str, Any] = base.merged(self._read(other), str(other)).state_dict()
            return state

        return LoadedModel(base.merged(adapter, title), base.missing, exchange)

    def _read(self, path: Path) -> AdapterFolder:
        return AdapterFolder.read(path, self._named)


def is_adapted(model: Any) -> bool:
    """Whether a model in memory is one of PEFT: a base model with an adapter, which alone is
    saved."""
    return hasattr(model, "get_base_model") and hasattr(model, "peft_config")


def describe_adapter(model: Any, folder: Path) -> None:
    """Write beside a saved adapter what its base model does not know: the classes of the head.
    Nothing where a model is whole."""
    config = getattr(model.get_base_model(), "config", None) if is_adapted(model) else None
    if config is None or not hasattr(config, "save_pretrained"):
        return
    own = adapter_in(folder)
    if own is None or not _loses_head(AdapterFolder.read(own), config):
        config.save_pretrained(own or folder)


def _loses_head(adapter: AdapterFolder, config: Any) -> bool:
    """Whether neither a saved adapter nor its base model has a head of the size that the model in
    memory has, so that its configuration would describe what is not there."""
    if adapter.base is None:
        return False
    try:
        if _head_size(adapter) is not None:
            return False
        count = len(_class_names(adapter.base_config())) or UNWRITTEN_CLASSES
    except CheckpointError:
        return False
    return count != getattr(config, "num_labels", count)


def _tensor_names(adapter: AdapterFolder) -> tuple[set[str], set[str]]:
    """Names of the tensors of the base model and, as they are in it, of the adapter."""
    return base_names(adapter), {plain_name(name) for name, _ in adapter_shapes(adapter)}


def _count_statistics(names: set[str]) -> int:
    return sum(name.endswith(STATISTICS) for name in names)


def _weights_problem(adapter: AdapterFolder) -> str | None:
    file = adapter.weights
    if not storage.exists(file):
        return f"no weights yet ({ADAPTER_WEIGHTS} is missing)"
    return problem_with_file(file)


def _kind_problem(adapter: AdapterFolder) -> str | None:
    if adapter.kind in PROMPT_KINDS:
        return f"an adapter of the kind {adapter.kind} cannot be merged into its base model"
    name, library = adapter.trained_class
    if name and library not in LIBRARIES:
        return (
            f"its adapter was trained on {name}, a class of the training script, which cannot be "
            f"built from here. Merge it there (merge_and_unload) and save the model of transformers"
        )
    if importlib.util.find_spec("peft") is None:
        return f"it is an adapter, and peft is not installed. Install it: {INSTALL_PEFT}"
    return None


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# -- the head


def _with_head(config: dict[str, Any], adapter: AdapterFolder) -> dict[str, Any]:
    """A base model's configuration with the architecture and the number of classes that were
    trained; names of classes where one of the configurations has as many."""
    name, library = adapter.trained_class
    classifies = name.endswith(CLASSIFIERS) or library != "transformers"
    if not classifies:
        config["architectures"] = [name]
    size = _head_size(adapter)
    if size is None:
        return config
    config["architectures"] = [name if name.endswith(CLASSIFIERS) else CLASSIFIERS[0]]
    names = _class_names(config)
    if len(names) != size:
        names = [f"LABEL_{index}" for index in range(size)]
    config["id2label"] = {str(index): title for index, title in enumerate(names)}
    if is_timm(config):
        config |= {"num_classes": size, "label_names": names}
    return config


def _class_names(config: Mapping[str, Any]) -> list[str]:
    names = config.get("id2label")
    if isinstance(names, dict) and names:
        return [str(names[key]) for key in sorted(names, key=int)]
    return [str(name) for name in config.get("label_names") or []]


def _head_size(adapter: AdapterFolder) -> int | None:
    """The number of outputs of the head among an adapter's tensors; None where it has none."""
    shapes = adapter_shapes(adapter)
    if not shapes:
        return None
    config = adapter.base_config() or adapter.saved_config
    return head_size(config, adapter.trained_class, shapes) if config else None
