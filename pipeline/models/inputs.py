"""Which class of transformers takes the images of a model, and what to say where none does."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.config import CLASSIFIERS, is_timm
from review_embeddings.pipeline.models.libraries import import_transformers

PIXELS = "pixel_values"

OTHER_INPUTS = {
    "input_ids": "tokens",
    "pixel_values_videos": "videos",
    "input_features": "sound",
    "input_values": "sound",
}
"""What the main inputs of other models are, by their names in transformers."""

PATCH_INPUTS = {
    "pixel_attention_mask",
    "spatial_shapes",
    "pixel_position_ids",
    "image_grid_thw",
    "grid_thw",
    "aspect_ratio_ids",
}
"""Inputs beside the pixel values of models that take images cut into patches."""

VIDEO_SETTINGS = ("num_frames", "frames_per_clip", "tubelet_size")
"""Entries of the configuration of a model that takes several images at once."""

INSTEAD = "Use a model that embeds single images, such as a ViT, DINOv2, Swin, ConvNeXt or CLIP."


@dataclass(frozen=True)
class ModelClass:
    """How a model of transformers is loaded to embed images."""

    kind: Any
    """Its class."""
    config: Any
    """Its configuration: of the vision tower, where the whole takes text as well."""
    model_type: str


def model_class(config: Any, *, with_head: bool) -> ModelClass | None:
    """The class for a configuration of transformers, with or without its classification head; None
    where transformers has none."""
    transformers = import_transformers()
    bare = _class_in(transformers.MODEL_MAPPING, config)
    classifier = _class_in(transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, config)
    tower = getattr(config, "vision_config", None)
    if with_head:
        kind = classifier
    elif bare is not None and tower is not None and "input_ids" in _inputs(bare):
        kind, config = _class_in(transformers.MODEL_MAPPING, tower) or bare, tower
    elif bare is None or (classifier and not _takes_pixels(bare) and _takes_pixels(classifier)):
        kind = classifier  # without a class of its own for what is below the head
    else:
        kind = bare
    return None if kind is None else ModelClass(kind, config, str(config.model_type))


def check_takes_images(content: dict[str, Any], *, name: str) -> None:
    """Raise CheckpointError where a model, by its ``config.json``, does not take images as pixel
    values; what is not known is left to the loading."""
    transformers = import_transformers()
    model_type = str(content.get("model_type"))
    if is_timm(content) or model_type not in transformers.CONFIG_MAPPING:
        return
    config = transformers.CONFIG_MAPPING[model_type].from_dict(content)
    classifies = any("ImageClassification" in one for one in content.get("architectures") or [])
    found = model_class(config, with_head=classifies)
    if found is not None and (reason := _refusal(found)):
        raise CheckpointError(f"{name} is of the kind {model_type}, which {reason}")


def _refusal(found: ModelClass) -> str | None:
    """Why a model cannot be given images, and what helps; None where it can."""
    inputs = _inputs(found.kind)
    if PIXELS not in inputs:
        what = OTHER_INPUTS.get(main := found.kind.main_input_name, "other data")
        return f"takes {what} ({main}), not images as pixel values. {INSTEAD}"
    if extra := sorted(PATCH_INPUTS & set(inputs)):
        return (
            f"takes images cut into patches of any aspect ratio (it needs {', '.join(extra)}), "
            f"while images are pixels of one size here. Use a model of a fixed size, of SigLIP 2 "
            f"for example google/siglip2-base-patch16-224."
        )
    if "input_ids" in inputs:
        return f"takes text beside each image (input_ids). {INSTEAD}"
    is_classifier = found.kind.__name__.endswith(CLASSIFIERS)
    if not is_classifier and any(getattr(found.config, name, None) for name in VIDEO_SETTINGS):
        return f"takes videos, not single images. {INSTEAD}"
    return None


def _class_in(mapping: Any, config: Any) -> Any | None:
    """The class for a configuration; of several the one that it names."""
    found = mapping.get(type(config), None)
    if not isinstance(found, tuple):
        return found
    named = set(getattr(config, "architectures", None) or [])
    return next((kind for kind in found if kind.__name__ in named), found[0])


def _inputs(kind: Any) -> list[str]:
    return list(inspect.signature(kind.forward).parameters)


def _takes_pixels(kind: Any) -> bool:
    return PIXELS in _inputs(kind)
