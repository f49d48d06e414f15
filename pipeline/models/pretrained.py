"""Model folders as ``save_pretrained`` of transformers writes them: a configuration and weights."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.form import Form, LoadedModel
from review_embeddings.pipeline.models.inputs import check_takes_images, model_class
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import WEIGHTS

WEIGHTS_INDEX = "model.safetensors.index.json"
"""The list of the files of weights that were written in several."""

PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.ckpt", "pytorch_model.pt")
"""Weights as pickles: loading one runs whatever code is in it, so they are refused."""


HEAD_BIASES = ("classifier.bias", "classifier.1.bias", "head.bias", "head.fc.bias", "fc.bias")
"""How the names of the vectors end that have one number for each output of a head."""


class PretrainedFolder(Form):
    """A folder with ``config.json`` and safetensors, or a model of the Hub."""

    name = "transformers"

    def matches(self, path: Path) -> bool:
        """Whether the folder has a configuration or weights."""
        return (path / "config.json").is_file() or storage.exists(path / WEIGHTS)

    def problem(self, path: Path) -> str | None:
        """What is missing, pickled or incomplete."""
        return _problem_with(path)

    def weight_files(self, path: Path) -> list[Path]:
        """The file, or the files that its index names."""
        return files_of(path)

    def config(self, path: Path) -> dict[str, Any]:
        """Its ``config.json``."""
        return read_config(str(path))

    def exchange_file(self, path: Path) -> Path | None:
        """The file, where it is one."""
        return None if (path / WEIGHTS_INDEX).is_file() else path / WEIGHTS

    def load(self, path: Path, title: str, *, with_head: bool) -> LoadedModel:
        """Without remote code. Raises CheckpointError where the weights do not fit."""
        if is_timm(self.config(path)):
            require_timm(title)
        model, report = _load_model(str(path), title, with_head=with_head)
        _check_complete(report, title)
        return LoadedModel(model, set(report["missing_keys"]))


def files_of(folder: Path) -> list[Path]:
    """The files that hold the weights of a model folder."""
    index = folder / WEIGHTS_INDEX
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        return [folder / name for name in names]
    return [folder / WEIGHTS]


def _problem_with(folder: Path) -> str | None:
    """Why a folder cannot be used as a checkpoint; None where it can."""
    if not storage.exists(folder / WEIGHTS) and not (folder / WEIGHTS_INDEX).is_file():
        if any(storage.exists(folder / name) for name in PICKLED):
            return (
                f"its weights are pickled, and loading a pickle runs code. Convert it with: "
                f"{conversion_command(folder)}"
            )
        return "no weights yet (model.safetensors is missing)"
    if not (folder / "config.json").is_file():
        return "it has no config.json"
    try:
        files = files_of(folder)
    except (json.JSONDecodeError, KeyError):
        return f"still being written ({WEIGHTS_INDEX} is incomplete)"
    incomplete = next((file.name for file in files if not is_whole(file)), None)
    return f"still being written ({incomplete} is incomplete)" if incomplete else None


def conversion_command(folder: Path) -> str:
    """The command line that turns a pickled checkpoint into safetensors, for people who trust its
    origin."""
    return (
        'python -c "import sys, torch, safetensors.torch as s; p = sys.argv[1]; '
        "w = torch.load(p + '/pytorch_model.bin', map_location='cpu', weights_only=True); "
        "s.save_file({k: v.clone().contiguous() for k, v in w.items()}, p + '/model.safetensors', "
        "{'format': 'pt'})\" "
        f"{folder}"
    )


def is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its header says. Source: the format's description,
    github.com/huggingface/safetensors."""
    if not file.is_file():
        return storage.exists(file)  # what is in a store is whole
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (header_length,) = struct.unpack("<Q", stream.read(8))
            if header_length > size:
                return False
            header = json.loads(stream.read(header_length))
    except (OSError, struct.error, ValueError):
        return False
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(size == 8 + header_length + max(ends, default=0))


def _load_model(source: str, name: str, *, with_head: bool) -> tuple[Any, dict[str, Any]]:
    """The module with its weights, and what transformers reports of them."""
    import torch
    from safetensors import SafetensorError

    transformers = import_transformers()
    options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
            check_takes_images(config.to_dict(), name=name)
            found = model_class(config, with_head=with_head)
            kind = (
                transformers.AutoModelForImageClassification
                if with_head
                else transformers.AutoModel
            )
            if found is not None:
                kind, options["config"] = found.kind, found.config
            model, report = kind.from_pretrained(
                source, dtype=torch.float32, output_loading_info=True, **options
            )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError) as error:
        if "ignore_mismatched_sizes" in str(error):
            raise CheckpointError(_other_shapes(Path(source), name)) from error
        raise CheckpointError(
            f"{name} cannot be loaded: {reason_of(error)} Check that the folder is complete and of "
            f"an image model."
        ) from error
    return model, report


def _other_shapes(folder: Path, name: str) -> str:
    """What is said of weights of other shapes than the configuration says: of a head, mostly."""
    named = len(read_config(str(folder)).get("id2label") or {})
    outputs = {
        shape[0]
        for file in files_of(folder)
        for tensor, shape in _shapes_in(file).items()
        if tensor.endswith(HEAD_BIASES)
    }
    if named and outputs and named not in outputs:
        return (
            f"{name} has a head of {max(outputs)} outputs, and id2label in its config.json has "
            f"{named} names. Write one for each output there."
        )
    return (
        f"{name} does not fit its own config.json: it has weights of other shapes. Check that both "
        f"were saved together."
    )


def _shapes_in(file: Path) -> dict[str, list[int]]:
    """The shape of each tensor of a safetensors file."""
    with file.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _check_complete(report: dict[str, Any], name: str) -> None:
    """Raise CheckpointError where weights are missing; a pooler that was never trained may be."""
    gaps = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if not gaps and not report.get("mismatched_keys"):
        return
    what = f"lacks {gaps[0]} (of {len(gaps)})" if gaps else "has weights of other shapes"
    raise CheckpointError(
        f"{name} does not fit its own config.json: it {what}. Check that the folder was saved "
        f"whole."
    )
