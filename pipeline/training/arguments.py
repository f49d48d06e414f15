"""Makes Hugging Face's ``TrainingArguments`` from what a person wrote: ``key=value`` texts and a
YAML file.

Names are checked against the fields that the installed version has, and values by its own parser.
Starts no training.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import SettingsError, reason_of
from review_embeddings.pipeline.models.device import has_bf16
from review_embeddings.pipeline.models.libraries import import_transformers
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.text import nearest_name

OWN_OPTIONS = {
    "output_dir": "--run",
    "save_strategy": "--save-steps or --frames",
    "save_steps": "--save-steps",
    "save_total_limit": "--keep",
    "save_only_model": "--keep (the newest full state is kept beside the checkpoints)",
    "load_best_model_at_end": "--load-best",
    "resume_from_checkpoint": "--resume",
    "max_steps": "--steps",
    "num_train_epochs": "--epochs",
    "seed": "--seed",
}
"""Fields that an option of ours decides."""

FIXED = {
    "remove_unused_columns": "the images come from columns that the model does not name",
    "auto_find_batch_size": "a batch that does not fit the memory is halved anyway, and gradients "
    "are accumulated to make up for it",
    "eval_on_start": "the evaluation at step 0 is always made",
}
"""Fields that cannot be changed, and why."""

MAX_LOADING_PROCESSES = 8
"""Processes that read images while an accelerator trains."""

EMBEDDING_SECONDS = 4 * 3600
"""How long the other processes of a distributed training wait while one embeds."""

MAX_MESSAGE = 300
"""Characters of a parser's message that are shown."""

DEFAULTS = {
    "max_steps": 1,
    "learning_rate": 5e-5,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "logging_steps": 10,
    "per_device_eval_batch_size": 64,
    "label_names": ["labels"],
    "report_to": "none",
    "disable_tqdm": True,
    "log_level": "error",
    "logging_nan_inf_filter": False,
    "ddp_timeout": EMBEDDING_SECONDS,
    "save_strategy": "no",
    "save_only_model": True,
    "remove_unused_columns": False,
}
"""Fields whose defaults are not those of TrainingArguments."""


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """``["learning_rate=2e-4", …]`` as a dict of texts. Raises SettingsError for one without
    ``=``."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise SettingsError(
                f"--set {pair} is not of the form key=value, such as --set learning_rate=2e-4."
            )
        values[name.strip().replace("-", "_")] = value.strip()
    return values


def read_file(path: Path) -> dict[str, Any]:
    """Fields from a YAML file (JSON is YAML too). Raises SettingsError where it is none or does not
    hold named values."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"--args {path} cannot be read: {reason_of(error)} Give a YAML file with lines like "
            f"learning_rate: 2e-4"
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            f"--args {path} holds {type(content).__name__}, not names with values. Write lines "
            f"like learning_rate: 2e-4"
        )
    return {str(name): value for name, value in content.items()}


def check_names(values: Mapping[str, Any]) -> None:
    """Raise SettingsError for a name that is no field of TrainingArguments, with the nearest one,
    and for those we decide."""
    known = [
        field.name
        for field in dataclasses.fields(import_transformers().TrainingArguments)
        if field.init
    ]
    for name in values:
        if name in OWN_OPTIONS:
            raise SettingsError(
                f"--set {name}: this has an option of its own here. Use {OWN_OPTIONS[name]}."
            )
        if name in FIXED:
            raise SettingsError(f"--set {name} cannot be changed: {FIXED[name]}. Leave it out.")
        if name not in known:
            near = nearest_name(name, known)
            hint = (
                f"Did you mean {near}?"
                if near
                else "The fields are listed in the documentation of transformers.TrainingArguments."
            )
            raise SettingsError(f"--set {name}: TrainingArguments has no such field. {hint}")


def parse_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the types that TrainingArguments wants; numbers may be written as text (YAML
    reads 2e-4 as one).

    Raises SettingsError for a value of another type, with what its parser says.
    """
    check_names(values)
    transformers = import_transformers()
    parser = transformers.HfArgumentParser(
        transformers.TrainingArguments, exit_on_error=False, allow_abbrev=False, add_help=False
    )
    return {name: _parse(parser, name, value) for name, value in values.items()}


def _parse(parser: Any, name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "report_to" and isinstance(value, list):
        return [str(item) for item in value]  # one text or several; the parser knows only one
    if name == "report_to" and "," in str(value):
        return [item.strip() for item in str(value).split(",")]
    texts = [_text(item) for item in value] if isinstance(value, list) else [_text(value)]
    arguments = [f"--{name}={texts[0]}"] if len(texts) == 1 else [f"--{name}", *texts]
    try:
        found, rest = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise _refusal(str(error)) from error
    if rest:
        raise SettingsError(f"--set {name}: {value!r} is a list, and it takes one value.")
    return getattr(found, name)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refusal(message: str) -> SettingsError:
    """``argument --learning_rate/--learning-rate: invalid float value: 'abc'`` as one of our
    sentences."""
    names, _, reason = message.removeprefix("argument ").partition(": ")
    name = names.split("/")[0].lstrip("-")
    text = reason if len(reason) < MAX_MESSAGE else reason[:MAX_MESSAGE] + " …"
    return SettingsError(
        f"--set {name}: {text or message}. Give a value of the type that TrainingArguments wants."
    )


def own_defaults(values: Mapping[str, Any], device: str | None = None) -> dict[str, Any]:
    """Our defaults on this hardware, given the parsed values and the named device."""
    import torch

    on_cpu = values.get("use_cpu") is True or (device or "").split(":")[0] == "cpu"
    cuda = torch.cuda.is_available() and not on_cpu
    accelerated = cuda or (torch.backends.mps.is_available() and not on_cpu)
    processes = min(MAX_LOADING_PROCESSES, system.cores())
    return {
        **DEFAULTS,
        "bf16": not values.get("fp16") and has_bf16(on_cpu),
        "use_cpu": not accelerated,
        "dataloader_pin_memory": cuda,
        "dataloader_num_workers": processes if accelerated else 0,
    }


def make(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Any:
    """``TrainingArguments`` from parsed values on top of defaults. Raises SettingsError for values
    that do not go together."""
    try:
        return import_transformers().TrainingArguments(**{**defaults, **values})
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise SettingsError(
            f"These training arguments do not go together: {reason_of(error)} Change or leave out "
            f"one of them."
        ) from error
