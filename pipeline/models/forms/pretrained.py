"""Model folders as ``save_pretrained`` of transformers writes them: a configuration and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.hub import looked_up
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.config import (
    CLASSIFIERS,
    CONFIG,
    is_timm,
    read_config,
    read_object,
)
from review_embeddings.pipeline.models.forms.form import Form, LoadedModel
from review_embeddings.pipeline.models.forms.looks import safetensors_header
from review_embeddings.pipeline.models.forms.prefixes import without_wrappers
from review_embeddings.pipeline.models.forms.stored import (
    WeightFiles,
    config_folder,
    further_models,
    problem_with_files,
    stored_weights,
)
from review_embeddings.pipeline.models.inputs import check_takes_images, model_class
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.commandline import quoted
from review_embeddings.pipeline.run.folder import WEIGHTS
from review_embeddings.pipeline.text import is_number

OTHER_LIBRARIES = (
    ("tf_model.h5", "TensorFlow", "from_tf"),
    ("flax_model.msgpack", "Flax", "from_flax"),
)
"""Weights of other libraries: name, library and the option by which transformers 4 reads them."""


HEAD_BIASES = ("classifier.bias", "classifier.1.bias", "head.bias", "head.fc.bias", "fc.bias")
"""How the names of the vectors end that have one number for each output of a head."""


class PretrainedFolder(Form):
    """A folder with ``config.json`` and weights, or a model of the Hub."""

    name = "transformers"

    def matches(self, path: Path) -> bool:
        """Whether the folder has a configuration or weights."""
        return (path / CONFIG).is_file() or _has_weights(path)

    def problem(self, path: Path) -> str | None:
        """What is missing, incomplete, or not what it should be."""
        return _problem_with(path)

    def notes(self, path: Path) -> list[str]:
        """Which of several models is taken, and a head that the configuration hides."""
        weights = stored_weights(path)
        if weights is None:
            return []
        others = further_models(path)
        taken = f"{weights.files[0].name} is taken; {', '.join(others)} beside it is not read"
        hidden = _hidden_head(self.config(path), weights)
        return [*([taken] if others else []), *([hidden] if hidden else [])]

    def weight_files(self, path: Path) -> list[Path]:
        """The file, or the files that its index names."""
        return files_of(path)

    def config(self, path: Path) -> dict[str, Any]:
        """Its ``config.json``, or that of the folder above."""
        return read_config(str(config_folder(path)))

    def exchange_file(self, path: Path) -> Path | None:
        """The file, where it is one."""
        weights = stored_weights(path)
        return path / WEIGHTS if weights is None else weights.single

    def load(self, path: Path, title: str, *, with_head: bool) -> LoadedModel:
        """Without remote code. Raises CheckpointError where the weights do not fit."""
        if is_timm(self.config(path)):
            require_timm(title)
        weights = stored_weights(path) if path.is_dir() else None
        if weights is not None and not _is_loaded_by_name(path, weights):
            return _load_tensors(path, weights.read(title), title, with_head=with_head)
        loaded, gap = _load_model(str(path), title, with_head=with_head)
        if gap is None:
            return loaded
        tensors = weights.read(title) if weights is not None else {}
        return _without_wrappers(path, tensors, title, gap, with_head=with_head)


def _hidden_head(config: Mapping[str, Any], weights: WeightFiles) -> str | None:
    """What is said where the weights have a head, and the configuration names a model without one:
    that of a base model that was loaded for fine-tuning does."""
    named = ", ".join(map(str, config.get("architectures") or ()))
    if not named or any(one.strip().endswith(CLASSIFIERS) for one in named.split(",")):
        return None
    headers = map(safetensors_header, weights.files)
    head = next((name for header in headers for name in header or () if name in HEAD_BIASES), None)
    if head is None:
        return None
    return (
        f"its weights hold a head ({head}) that is not used, because architectures in config.json "
        f"names {named}. Write the class that was trained there, such as …ForImageClassification, "
        f"for its probabilities"
    )


def files_of(folder: Path) -> list[Path]:
    """The files that hold the weights of a model folder."""
    weights = stored_weights(folder)
    return list(weights.files) if weights else [folder / WEIGHTS]


def conversion_command(folder: Path) -> str:
    """The command line that turns pickled weights into safetensors, without running code of
    theirs."""
    return (
        'python -c "import glob, sys, torch, safetensors.torch as s; p = sys.argv[1]; '
        "w = {k: v.clone().contiguous() for f in sorted(glob.glob(p + '/pytorch_model*.bin')) "
        "for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}; "
        "s.save_file(w, p + '/model.safetensors', {'format': 'pt'})\" "
        f"{quoted(folder)}"
    )


def _has_weights(folder: Path) -> bool:
    try:
        return stored_weights(folder) is not None
    except CheckpointError:
        return True  # an index that cannot be read


def _is_loaded_by_name(folder: Path, weights: WeightFiles) -> bool:
    """Whether transformers finds configuration and weights by itself; it asks an index for
    ``metadata``, which not all have."""
    named = weights.files[0].name == WEIGHTS
    if weights.index is not None:
        named = "metadata" in read_object(weights.index)
    return named and not weights.is_pickled and config_folder(folder) == folder


# -- what is wrong


def _problem_with(folder: Path) -> str | None:
    """Why a folder cannot be used as a checkpoint; None where it can."""
    try:
        weights = stored_weights(folder)
    except CheckpointError as error:
        return f"still being written, or damaged: {error}"
    if weights is None:
        return _without_weights(folder)
    return _problem_with_config(folder) or problem_with_files(weights)


def _without_weights(folder: Path) -> str:
    for name, library, flag in OTHER_LIBRARIES:
        if storage.exists(folder / name):
            return (
                f"{name} holds weights of {library}, which transformers reads up to version 4. "
                f"With that, load it with from_pretrained(…, {flag}=True) and write it with "
                f"save_pretrained."
            )
    if any(storage.exists(folder / f"adapter_model.{end}") for end in ("safetensors", "bin")):
        return "it holds an adapter only; merge it into its base model and save that"
    if (folder / WEIGHTS).is_dir():
        return f"{WEIGHTS} is a folder and not a file of weights"
    return f"no weights yet ({WEIGHTS} is missing)"


def _problem_with_config(folder: Path) -> str | None:
    """What keeps ``config.json`` from describing a model."""
    file = config_folder(folder) / CONFIG
    if not file.is_file():
        return f"it has no {CONFIG}"
    try:
        config = read_object(file)
    except CheckpointError as error:
        return str(error)
    if not isinstance(config.get("model_type"), str) and not is_timm(config):
        return f"its {CONFIG} is of no model: it has no model_type"
    architectures = config.get("architectures") or []
    if not (isinstance(architectures, list) and all(isinstance(one, str) for one in architectures)):
        return f"its {CONFIG} does not name its architecture"
    names = config.get("id2label", {"0": ""})
    if not (names and isinstance(names, dict) and all(map(is_number, names))):
        return f"its {CONFIG} has an id2label that does not number classes"
    return None


# -- loading


def _load_model(source: str, name: str, *, with_head: bool) -> tuple[LoadedModel, str | None]:
    """The module with its weights as transformers reads them, and what does not fit."""
    return _from_pretrained(source, source, name, with_head=with_head, use_safetensors=True)


def _load_tensors(
    folder: Path, tensors: Mapping[str, Any], name: str, *, with_head: bool
) -> LoadedModel:
    """The module of a configuration with tensors; prefixes of wrappers are taken off. Raises
    CheckpointError where they do not fit."""
    loaded, gap = _load_state(folder, tensors, name, with_head=with_head)
    if gap is None:
        return loaded
    return _without_wrappers(folder, tensors, name, gap, with_head=with_head)


def _without_wrappers(
    folder: Path, tensors: Mapping[str, Any], name: str, gap: str, *, with_head: bool
) -> LoadedModel:
    """The module with tensors whose names have prefixes; raises CheckpointError with what does not
    fit where none of them helps."""
    for renamed in without_wrappers(tensors):
        loaded, left = _load_state(folder, renamed, name, with_head=with_head)
        if left is None:
            return loaded
    raise CheckpointError(f"{name} {gap}")


def _load_state(
    folder: Path, tensors: Mapping[str, Any], name: str, *, with_head: bool
) -> tuple[LoadedModel, str | None]:
    described = str(config_folder(folder))
    return _from_pretrained(described, None, name, with_head=with_head, state_dict=dict(tensors))


def _from_pretrained(
    described: str, source: str | None, name: str, *, with_head: bool, **options: Any
) -> tuple[LoadedModel, str | None]:
    """A module by the configuration in ``described`` with the weights in ``source``, or those in
    the options."""
    import torch

    try:
        with quiet_transformers(), looked_up(described, "Getting {name} from the Hub"):
            kind, config = _class_for(described, name, with_head=with_head)
            model, report = kind.from_pretrained(
                source,
                config=config,
                dtype=torch.float32,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are said below
                **options,
            )
    except CheckpointError:
        raise
    except Exception as error:  # what a wrong configuration raises has no common base class
        raise_unavailable(error, described)
        raise CheckpointError(_cannot_load(name, error)) from error
    return LoadedModel(model, set(report["missing_keys"])), _gap(report)


def _class_for(source: str, name: str, *, with_head: bool) -> tuple[Any, Any]:
    """The class of a model and its configuration. Raises CheckpointError for one that takes no
    images."""
    transformers = import_transformers()
    config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    check_takes_images(config.to_dict(), name=name)
    found = model_class(config, with_head=with_head)
    if found is not None:
        return found.kind, found.config
    kind = transformers.AutoModelForImageClassification if with_head else transformers.AutoModel
    return kind, config


def _cannot_load(name: str, error: Exception) -> str:
    return (
        f"{name} cannot be loaded: {reason_of(error, lines=2)} Check that the folder is complete "
        f"and of an image model."
    )


def _gap(report: Mapping[str, Any]) -> str | None:
    """How weights do not fit, and what helps; a pooler that was never trained may be missing."""
    misfit = "does not fit its own config.json: it"
    if mismatched := sorted(report.get("mismatched_keys") or ()):
        return _other_shapes(mismatched) or (
            f"{misfit} has weights of other shapes ({_shapes_of(*mismatched[0])}). Check that both "
            f"were saved together."
        )
    gaps = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if not gaps:
        return None
    return f"{misfit} lacks {gaps[0]} (of {len(gaps)}). Check that the folder was saved whole."


def _shapes_of(key: str, stored: Sequence[int], wanted: Sequence[int]) -> str:
    shapes = (" x ".join(map(str, shape)) or "one number" for shape in (stored, wanted))
    return "{}: {} for {}".format(key, *shapes)


def _other_shapes(mismatched: Sequence[tuple[str, Sequence[int], Sequence[int]]]) -> str | None:
    """What is said where only a head has more or fewer outputs; None for anything else."""
    heads = [(stored, wanted) for key, stored, wanted in mismatched if key.endswith(HEAD_BIASES)]
    if not heads or len(mismatched) > 2 * len(heads):
        return None
    stored, wanted = heads[0]
    return (
        f"has a head of {stored[0]} outputs, and id2label in its config.json has {wanted[0]} "
        f"names. Write one for each output there."
    )
