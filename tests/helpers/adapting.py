"""Adapters of PEFT on a tiny ViT, and what they are by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from samples import CLASSES

TARGETS = ["q_proj", "v_proj", "fc1"]
"""Modules of a ViT as transformers 5 names them."""

OLD_NAMES = {
    "vit.layers.": "vit.encoder.layer.",
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
"""Their names in transformers 4, with which most adapters were trained."""


def classifier_on(base: Path, classes: int = len(CLASSES)) -> Any:
    """What everybody fine-tunes: the base model with a new head."""
    from transformers import AutoModelForImageClassification

    return AutoModelForImageClassification.from_pretrained(
        base, num_labels=classes, ignore_mismatched_sizes=True
    )


def save_adapter(folder: Path, base: Path, *, seed: int, config: Any = None) -> Any:
    """An adapter with random tensors as PEFT saves it; the model in memory, for comparison."""
    import peft
    import torch

    torch.manual_seed(seed)
    config = config or lora()
    model = peft.get_peft_model(classifier_on(base), config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return model.eval()


def lora(**changes: Any) -> Any:
    import peft

    options = {"r": 4, "lora_alpha": 16, "target_modules": TARGETS}
    options["modules_to_save"] = ["classifier"]
    return peft.LoraConfig(**{**options, **changes})


def with_old_names(folder: Path, **config: Any) -> None:
    """Make a saved adapter one of transformers 4."""
    from safetensors.torch import load_file, save_file

    file = folder / "adapter_model.safetensors"
    save_file({_old(name): tensor for name, tensor in load_file(file).items()}, file)
    content = json.loads((folder / "adapter_config.json").read_text())
    content |= {"target_modules": ["query", "value", "intermediate.dense"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(content))


def _old(name: str) -> str:
    for new, old in OLD_NAMES.items():
        name = name.replace(new, old)
    return name
