"""Reads the settings of image processors, and knows which classes compute the same with the same
settings. Loads no processor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.config import hub_file, is_timm
from review_embeddings.pipeline.models.forms import config_of
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.run.files import fingerprint

SETTINGS_FILE = "preprocessor_config.json"

SEVERAL_FILE = "processor_config.json"
"""Of a processor of several inputs, which may hold the settings of its image processor too."""

NESTED = "image_processor"
"""Where it does."""

CLASS_KEYS = ("image_processor_type", "feature_extractor_type")
"""Settings that name the class."""

PLAIN = "ViTImageProcessor"
"""The class that computes the common procedure with its defaults: fingerprints leave it out."""

COMMON: Mapping[str, bool | None] = {
    PLAIN: False,
    "BeitImageProcessor": False,
    "BitImageProcessor": True,
    "BlipImageProcessor": False,
    "ChineseCLIPImageProcessor": True,
    "CLIPImageProcessor": True,
    "DeiTImageProcessor": True,
    "MobileNetV1ImageProcessor": True,
    "MobileNetV2ImageProcessor": True,
    "PvtImageProcessor": False,
    "SegformerImageProcessor": None,
    "SiglipImageProcessor": False,
}
"""Classes of transformers that compute the common procedure (resize, cut out the middle, rescale,
normalise) and nothing else, and whether they cut out the middle where their settings do not say;
None where they never do. A class that is not here is never taken to compute it."""

STEPS = frozenset({"do_resize", "do_rescale", "do_normalize"})

VALUES = frozenset({"size", "resample", "rescale_factor", "image_mean", "image_std"})

CROP = frozenset({"do_center_crop", "crop_size"})

WITHOUT_EFFECT = frozenset(
    {
        *CLASS_KEYS,
        "data_format",
        "default_to_square",
        "device",
        "disable_grouping",
        "do_convert_rgb",
        "do_reduce_labels",
        "image_seq_length",
        "processor_class",
        "return_tensors",
    }
)
"""Settings that change nothing of an RGB image by the common procedure, whose size is an object."""

MARKS = STEPS | VALUES | CROP | {*CLASS_KEYS}
"""Settings one of which the file of an image processor has."""

SETTINGS = STEPS | VALUES | CROP | WITHOUT_EFFECT
"""All that the common procedure knows; any other setting that is set may be another procedure."""


@dataclass(frozen=True)
class ProcessorSettings:
    """What a folder says about its image processor."""

    content: Mapping[str, Any]
    """The file, of timm's config.json only the part that is about images."""
    class_name: str
    """As it was called before there were variants of a class; ``of <model_type>`` where the file
    does not name one; empty for timm."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of the image processor alone."""
        return _image_part(self.content)

    @property
    def digest(self) -> str:
        """Tells the settings from others, whatever the class."""
        return fingerprint(processor=_without_class(self.content))

    @property
    def class_digest(self) -> str:
        """The same with the class."""
        return fingerprint(processor=_without_class(self.content), kind=self.class_name)

    @property
    def is_plain(self) -> bool:
        """Whether the pixels follow from the settings alone, as the class `PLAIN` computes them:
        the settings are complete, and the class computes the common procedure."""
        if self.class_name in {PLAIN, ""}:
            return True
        given = given_settings(self.settings)
        crops = COMMON.get(self.class_name, None)
        if self.class_name not in COMMON or not given.keys() <= SETTINGS:
            return False
        if not given.keys() >= STEPS | VALUES or not isinstance(given["size"], dict):
            return False
        if "do_center_crop" not in given:
            return not crops
        return not given["do_center_crop"] or (crops is not None and "crop_size" in given)

    @property
    def belongs_to_class(self) -> bool:
        """Whether no other class is to be expected with these settings: they are the usual ones, or
        there are some that the common procedure does not know."""
        return self.is_plain or not given_settings(self.settings).keys() <= SETTINGS

    def gives_pixels_of(self, class_name: str) -> bool:
        """Whether a class gives the same pixels with these settings as the one that is named."""
        other = ProcessorSettings(self.content, class_name)
        return class_name == self.class_name or (self.is_plain and other.is_plain)


def given_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are set: what is null has the default of its class, and padding that is off
    is none."""
    return {
        name: value
        for name, value in settings.items()
        if value is not None and not name.startswith("_") and not (name == "do_pad" and not value)
    }


def base_name(class_name: str) -> str:
    """The name of an image processor's class without what says by which library it computes."""
    name = class_name.removesuffix("Pil").removesuffix("Fast")
    return name.replace("FeatureExtractor", "ImageProcessor")


def processor_file(folder: Path) -> Path | None:
    """The file of a model folder from which transformers takes the settings of its image
    processor."""
    if (folder / SEVERAL_FILE).is_file() and _is_nested(folder / SEVERAL_FILE):
        return folder / SEVERAL_FILE
    if folder.is_dir() and is_timm(config_of(folder)):
        return folder / "config.json"
    return folder / SETTINGS_FILE if (folder / SETTINGS_FILE).is_file() else None


def _is_nested(file: Path) -> bool:
    """Whether a file of a processor of several inputs is asked for the image processor: so is one
    that cannot be read."""
    try:
        content = read_json_file(file)
    except (OSError, ValueError, RecursionError) as error:
        raise_unavailable(error, file)
        return True
    return isinstance(content, dict) and content.get(NESTED) is not None


def hub_settings(names: Sequence[str]) -> ProcessorSettings | None:
    """The settings of the first of some models whose image processor is in the Hub's cache."""
    for name in names:
        for title in (SEVERAL_FILE, SETTINGS_FILE, "config.json"):
            if file := hub_file(name, title):
                found = processor_file(file.parent)
                if found is not None and settings_problem(found) is None:
                    return read_settings(found)
    return None


def read_settings(file: Path) -> ProcessorSettings:
    """Read the settings of an image processor. Raises CheckpointError where they are none."""
    problem = settings_problem(file)
    if problem is not None:
        raise CheckpointError(
            f"The settings of the image processor in {file.parent} cannot be used: {problem}. Copy "
            f"the file from the model that was fine-tuned, or name that model with --processor."
        )
    content = read_json_file(file)
    if "pretrained_cfg" in content:
        return ProcessorSettings({"pretrained_cfg": content["pretrained_cfg"]}, "")
    return ProcessorSettings(content, _class_name(content, file.parent))


def settings_problem(file: Path) -> str | None:
    """Why a file cannot be the settings of an image processor; None where it can."""
    try:
        content = read_json_file(file)
    except (ValueError, RecursionError):
        return f"{file.name} is {'empty' if not file.stat().st_size else 'no whole JSON file'}"
    except OSError as error:
        raise_unavailable(error, file)
        return f"{file.name} cannot be read ({error.strerror})"
    if not isinstance(content, dict):
        return f"{file.name} holds no settings, it is {json.dumps(content)[:40]}"
    inner = content.get(NESTED)
    inner = content if inner is None else inner
    if not isinstance(inner, dict):
        return f"{file.name} holds no settings of an image processor"
    classes = [inner.get(key) for key in CLASS_KEYS]
    if not all(isinstance(name, str | None) for name in classes):
        return f"{file.name} does not name a class of image processors"
    return None if "pretrained_cfg" in content else _wrong_setting(inner, file.name)


def _wrong_setting(settings: Mapping[str, Any], name: str) -> str | None:
    """What shows that a file is another one, or was damaged; None for settings that make sense."""
    if "model_type" in settings or not MARKS & set(settings):
        return f"{name} holds no settings of an image processor"
    wrong = next((key for key in sorted(settings) if not _is_setting(key, settings[key])), None)
    return f"{name} makes no sense in {wrong}: {settings[wrong]!r}" if wrong else None


def _is_setting(name: str, value: Any) -> bool:
    """Whether a value of an image processor is of the kind that its name says; None is any."""
    if value is None:
        return True
    if name.startswith("do_"):
        return isinstance(value, bool)
    if name in {"size", "crop_size"}:
        return _is_size(value)
    if name in {"image_mean", "image_std"}:
        return _is_number(value) or (isinstance(value, list) and bool(value))
    if name in {"resample", "rescale_factor"}:
        return _is_number(value)
    return name not in CLASS_KEYS or isinstance(value, str)


def _is_size(value: Any) -> bool:
    sides = value.values() if isinstance(value, dict) else value
    sides = [sides] if isinstance(value, (int, float)) else list(sides)
    given = [side for side in sides if side is not None]
    return bool(given) and all(_is_number(side) and side > 0 for side in given)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _image_part(content: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = content.get(NESTED)
    return nested if isinstance(nested, dict) else content


def _class_name(content: Mapping[str, Any], folder: Path) -> str:
    inner = _image_part(content)
    named = next((inner[key] for key in CLASS_KEYS if inner.get(key)), None)
    if named is not None:
        return base_name(named)
    kind = config_of(folder).get("model_type")
    return PLAIN if kind in {None, "vit"} else f"of {kind}"


def _without_class(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in CLASS_KEYS}
