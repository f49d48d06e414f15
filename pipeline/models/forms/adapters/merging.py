"""Merges adapters of PEFT into their base model, each into a copy of its own, so that nothing of
one checkpoint can remain in the next.

The result is that of PEFT's ``merge_and_unload`` in float32: for LoRA ``W + B A alpha / r``.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.hub import unreachable
from review_embeddings.pipeline.models.config import CLASSIFIERS, is_timm
from review_embeddings.pipeline.models.forms.adapters.folder import (
    AdapterFolder,
    Shapes,
    adapter_shapes,
    read_tensors,
)
from review_embeddings.pipeline.models.forms.adapters.hub import HubModel
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    names_in_file,
    quiet_transformers,
    random_state_kept,
    require_timm,
)

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

PREFIX = "base_model.model."
"""Before the name of each tensor in a file of PEFT."""

ADAPTER_NAME = "default"

PROBED_SIZES = (7, 11)
"""Two numbers of classes: the tensors that differ in shape between them are those of the head."""

SHARED = ("vblora_vector_bank", ".tinylora_v.", ".unilora_theta_d.")
"""Parts of names of tensors that several layers share; a file has them once, or makes them from a
seed."""

BY_MODULE = ("rank_pattern", "alpha_pattern")
"""Entries of an adapter's configuration with a value for modules by the ends of their names."""

MISFITS = (RuntimeError, ValueError, KeyError, TypeError, AttributeError, ImportError)
"""What PEFT raises where an adapter and a model do not go together."""


@dataclass(frozen=True)
class MergingBase:
    """A base model that takes one adapter after the other and keeps its own weights."""

    model: Any
    """Of transformers, float32, on the CPU; with a head of the size that the adapters have."""
    missing: set[str] = field(default_factory=set)
    """Names of tensors that its weights lack: of a pooler that was never trained."""

    @staticmethod
    def load(
        adapter: AdapterFolder, size: int | None, title: str, *, with_head: bool
    ) -> MergingBase:
        """The base model of an adapter with ``size`` classes; None for a head that is the base
        model's. Raises CheckpointError, in which the checkpoint is called ``title``."""
        if is_timm(adapter.base_config()):
            require_timm(str(adapter.base))
        model, gaps = _load_base(adapter, size, title)
        provided = {name.removeprefix(_inner_prefix(adapter)) for name in _names(adapter)}
        lacking = sorted(
            name
            for name in gaps
            if "pooler" not in name and name.removeprefix("timm_model.") not in provided
        )
        if lacking and with_head:
            raise CheckpointError(
                f"{title} cannot be loaded: neither its adapter nor its base model {adapter.base} "
                f"has {lacking[0]} (of {len(lacking)}). Name the model that it was made from with "
                f"--base."
            )
        return MergingBase(model, {name for name in gaps if "pooler" in name})

    def merged(self, adapter: AdapterFolder, title: str) -> Any:
        """A model of transformers with the adapter merged into it. Raises CheckpointError where
        they do not fit."""
        model = copy.deepcopy(self.model)
        is_inner = adapter.trained_class[1] == "timm" and hasattr(model, "timm_model")
        try:
            with random_state_kept(), _quiet():
                merged = _merge(model.timm_model if is_inner else model, adapter)
        except CheckpointError as error:
            raise CheckpointError(f"{title} cannot be loaded: {error}") from error
        except MISFITS as error:
            raise CheckpointError(
                f"{title} cannot be loaded: its adapter does not fit the base model "
                f"{adapter.base}: {reason_of(error)} Name the model that it was made from with "
                f"--base."
            ) from error
        return model if is_inner else merged


def plain_name(name: str) -> str:
    """A tensor's name in the model that was trained, as far as it is one of the model's own."""
    name = re.sub(rf"\.modules_to_save(\.{ADAPTER_NAME})?\.", ".", name.removeprefix(PREFIX))
    return name.replace(".base_layer.", ".")


def _names(adapter: AdapterFolder) -> set[str]:
    return {plain_name(name) for name, _ in adapter_shapes(adapter)}


def _inner_prefix(adapter: AdapterFolder) -> str:
    """Before the names of tensors in transformers' wrapper of a timm model."""
    return "" if adapter.trained_class[1] == "timm" else "timm_model."


@contextmanager
def _quiet() -> Iterator[None]:
    with quiet_transformers(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# -- the base model


def head_size(
    config: Mapping[str, Any], trained_class: tuple[str, str], shapes: Shapes
) -> int | None:
    """The number of outputs of the head among the tensors of an adapter for a base model with this
    ``config.json``; None where it has none."""
    found = {plain_name(name): shape for name, shape in shapes}
    plain = found.get("classifier.weight")
    if plain is not None and len(plain) == 2 and trained_class[0].endswith(CLASSIFIERS):
        return plain[0]
    axes = _head_axes(json.dumps(config, sort_keys=True), *trained_class)
    sizes = {found[name][axis] for name, axis in axes if name in found}
    return sizes.pop() if len(sizes) == 1 else None


def head_modules(config: Mapping[str, Any], name: str) -> list[str]:
    """The modules that make up the head of a model of this class, by their names in it."""
    axes = _head_axes(json.dumps(config, sort_keys=True), name, "transformers")
    return list(dict.fromkeys(title.rpartition(".")[0] for title, _ in axes))


@lru_cache(maxsize=32)
def _head_axes(config: str, name: str, library: str) -> tuple[tuple[str, int], ...]:
    """The tensors of a model's head, and which of their axes is that of the classes."""
    import torch

    content = json.loads(config)
    if is_timm(content):
        require_timm(str(content["architecture"]))
    shapes = []
    with quiet_transformers(), torch.device("meta"):
        for size in PROBED_SIZES:
            described = _described(content, size)
            state = _from_config(name, described).state_dict()
            shapes.append({title: tuple(tensor.shape) for title, tensor in state.items()})
    prefix = "timm_model." if library == "timm" else ""
    return tuple(
        (title.removeprefix(prefix), shape.index(PROBED_SIZES[0]))
        for title, shape in shapes[0].items()
        if shape != shapes[1].get(title)
    )


def _described(content: Mapping[str, Any], size: int | None) -> Any:
    """A configuration of transformers from the entries of a ``config.json``."""
    transformers = import_transformers()
    content = {name: value for name, value in content.items() if name != "architectures"}
    if is_timm(dict(content)):
        config = transformers.TimmWrapperConfig.from_dict(content)
    elif "model_type" in content:
        config = transformers.AutoConfig.for_model(**content)
    else:
        raise CheckpointError("the config.json of its base model does not say what model it is")
    config.architectures = []  # else classes of transformers with several of them cannot be chosen
    return _sized(config, size)


def _sized(config: Any, size: int | None) -> Any:
    """The configuration with so many classes."""
    if size is not None:
        names = [f"LABEL_{index}" for index in range(size)]
        config.id2label = dict(enumerate(names))
        config.label2id = {name: index for index, name in enumerate(names)}
        if hasattr(config, "architecture"):
            config.label_names = names
    return config


def _class_of(name: str) -> Any:
    """The class of transformers that was trained; the one for image classification where that is
    not known."""
    transformers = import_transformers()
    found = getattr(transformers, name, None) if name else None
    if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
        return found
    return transformers.AutoModelForImageClassification


def _from_config(name: str, config: Any) -> Any:
    kind = _class_of(name)
    return kind.from_config(config) if hasattr(kind, "from_config") else kind(config)


def _load_base(adapter: AdapterFolder, size: int | None, title: str) -> tuple[Any, set[str]]:
    """The module, and the tensors that its weights lack or have in another shape."""
    from safetensors import SafetensorError

    source = HubModel.of(adapter.base or "") if adapter.base_folder is None else None
    where = str(adapter.base) if source is None else source.name
    options: dict[str, Any] = {"trust_remote_code": False}
    if source is not None:
        options |= {"revision": source.revision, "local_files_only": unreachable() is not None}
    try:
        with _quiet(), random_state_kept():
            config = _config_of(adapter, where, options)
            model, report = _class_of(adapter.trained_class[0]).from_pretrained(
                where,
                config=_sized(config, size),
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                dtype="float32",
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{title} cannot be loaded: its base model {adapter.base} cannot be: "
            f"{reason_of(error)} Name a folder that holds it with --base."
        ) from error
    mismatched = {entry if isinstance(entry, str) else entry[0] for entry in _mismatched(report)}
    return model.eval().requires_grad_(False), set(report["missing_keys"]) | mismatched


def _config_of(adapter: AdapterFolder, where: str, options: Mapping[str, Any]) -> Any:
    """The configuration of the model that was trained, or else of its base model at ``where``."""
    read = import_transformers().AutoConfig.from_pretrained
    if adapter.saved_config:
        return read(str(adapter.path), trust_remote_code=False)
    return read(where, **options)


def _mismatched(report: Mapping[str, Any]) -> list[Any]:
    return list(report.get("mismatched_keys") or [])


# -- the adapter


def put_tensors(model: Any, folder: Path) -> None:
    """Put the tensors that were saved in a folder into a model of PEFT with the same adapter.
    Raises CheckpointError where they are damaged or not all there."""
    from peft import set_peft_model_state_dict

    adapter = AdapterFolder.read(folder)
    tensors = read_tensors(adapter.weights, str(adapter.weights))
    try:
        with _quiet():
            loaded: Any = set_peft_model_state_dict(model, tensors, adapter_name=ADAPTER_NAME)
    except MISFITS as error:
        raise CheckpointError(f"{folder} does not fit: {reason_of(error)}") from error
    _check_loaded(model.peft_config[ADAPTER_NAME], loaded, adapter)


def _check_loaded(config: Any, loaded: Any, adapter: AdapterFolder) -> None:
    """Raise CheckpointError for tensors that are left over or lacking."""
    unknown = [name for name in loaded.unexpected_keys if not _is_copy(name)]
    for names, what in ((unknown, "has"), (_lacking(config, loaded.missing_keys), "lacks")):
        if names:
            raise CheckpointError(
                f"its adapter {what} {names[0]} (of {len(names)}), unlike its base model "
                f"{adapter.base}. Name the model that it was made from with --base."
            )


def _merge(model: Any, adapter: AdapterFolder) -> Any:
    """The model itself, with the adapter merged into its weights. Raises CheckpointError where
    tensors are left over or lacking, and whatever PEFT raises where they do not fit."""
    import peft

    try:
        config = peft.PeftConfig.from_pretrained(str(adapter.path))
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"its adapter of the kind {adapter.kind} is not known to peft {peft.__version__}: "
            f"{reason_of(error)} Try a newer one: pip install -U peft"
        ) from error
    tensors = read_tensors(adapter.weights, adapter.weights.name)
    tensors = _translate(config, tensors, model)
    config.inference_mode = True
    wrapped = peft.PeftModel(model, config, adapter_name=ADAPTER_NAME)
    loaded: Any = peft.set_peft_model_state_dict(wrapped, tensors, adapter_name=ADAPTER_NAME)
    _check_loaded(config, loaded, adapter)
    if all(map(_is_plain, _adapted_layers(wrapped))):
        return wrapped.merge_and_unload()
    return wrapped.get_base_model()  # at work, not merged


def _adapted_layers(model: Any) -> Iterator[Any]:
    """The base model's layers below the adapters of a model of PEFT."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return (
        module.get_base_layer() for module in model.modules() if isinstance(module, BaseTunerLayer)
    )


def _is_plain(layer: Any) -> bool:
    """Whether a layer computes with its weights as they are. One that first standardises or
    normalises them, as BiT's convolutions do, does so with an adapter merged into them, too, which
    is another function than the one that was trained."""
    kind = type(layer)
    return kind.__module__.startswith("torch.nn.modules.") or kind.__name__ == "Conv1D"


def _is_copy(name: str) -> bool:
    """Whether a tensor is in a file twice: where biases are trained, those of a module that is
    saved whole also come under the names that they have in training."""
    return ".modules_to_save." in name or ".original_module." in name


def _lacking(config: Any, missing: list[str]) -> list[str]:
    """Those of the tensors that a file lacks which belong to the adapter and are not shared or made
    anew."""
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    mark = PEFT_TYPE_TO_PREFIX_MAPPING.get(config.peft_type) or ADAPTER_NAME
    return [
        name
        for name in missing
        if mark in name and f".{ADAPTER_NAME}" in name and not any(part in name for part in SHARED)
    ]


def _translate(config: Any, tensors: Tensors, model: Any) -> Tensors:
    """The tensors under the names that the installed transformers has for the modules of a model,
    with the configuration changed likewise.

    Transformers 5 renames modules of many models; the files of weights keep the old names, by which
    they are found here. Without older names nothing is changed.
    """
    modules = _renamed_modules(model)
    owners = {name: _owner(name, modules, model) for name in tensors}
    if not any(owners.values()):
        return tensors
    adapted = {old for name, old in owners.items() if old and not _is_own(name, old)}
    _translate_config(config, {old: modules[old] for old in adapted}, modules)
    return {
        name if not old else name.replace(f"{PREFIX}{old}.", f"{PREFIX}{modules[old]}.", 1): tensor
        for (name, old), tensor in zip(owners.items(), tensors.values(), strict=True)
    }


def _is_own(name: str, module: str) -> bool:
    """Whether a tensor is one that the model has without its adapter: a bias or one of a module
    that is saved whole."""
    rest = name.removeprefix(f"{PREFIX}{module}.")
    return rest.rpartition(".")[2] in {"weight", "bias"} and rest.count(".") == 0


def _owner(name: str, modules: Mapping[str, str], model: Any) -> str | None:
    """The module to which a tensor belongs by its old name; None where its name is not an old
    one."""
    parts = name.removeprefix(PREFIX).split(".")
    for length in range(len(parts) - 1, 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in modules and modules[prefix] != prefix:
            return prefix
        if _has_module(model, prefix):
            return None
    return None


def _has_module(model: Any, name: str) -> bool:
    try:
        model.get_submodule(name)
    except AttributeError:
        return False
    return True


def _renamed_modules(model: Any) -> dict[str, str]:
    """The name that each module with tensors of its own has now, by the one in saved files."""
    named = names_in_file(model, model.state_dict())
    return {old.rpartition(".")[0]: new.rpartition(".")[0] for old, new in named.items()}


def _translate_config(config: Any, adapted: Mapping[str, str], modules: Mapping[str, str]) -> None:
    """Name the adapted modules one by one, under the names that they have now."""
    from peft.utils.other import get_pattern_key

    for entry in BY_MODULE:
        pattern: dict[str, Any] = getattr(config, entry, None) or {}
        keys = {old: get_pattern_key(list(pattern), old) for old in adapted}
        if pattern:
            known = {adapted[old]: pattern[key] for old, key in keys.items() if key in pattern}
            setattr(config, entry, known)
    inward = getattr(config, "feedforward_modules", None)
    if inward:
        ends = [inward] if isinstance(inward, str) else list(inward)
        config.feedforward_modules = [
            new for old, new in adapted.items() if any(_ends(old, end) for end in ends)
        ]
    config.target_modules = sorted(adapted.values())
    for entry in ("layers_to_transform", "layers_pattern", "exclude_modules"):
        if hasattr(config, entry):
            setattr(config, entry, None)
    if saved := getattr(config, "modules_to_save", None):
        config.modules_to_save = [_container(name, modules) or name for name in saved]


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}") or re.fullmatch(end, name) is not None


def _container(end: str, modules: Mapping[str, str]) -> str | None:
    """The present name of the module whose old name has this end: what the present names of all
    tensors in it have in common."""
    pattern = re.compile(rf"(.*\.)?{re.escape(end)}(\.|$)")
    inside = [(old, new) for old, new in modules.items() if pattern.match(old)]
    if not inside or all(old == new for old, new in inside):
        return None
    paths = [new.replace(".", "/") for _, new in inside]
    return posixpath.commonpath(paths).replace("/", ".") or None
