"""The kinds of embeddings that earlier versions computed wrongly: which stored results are of such
a kind, and why they are stale.

A kind that is mended is one entry here: from then on the fingerprints of the results it applies to
hold its name, so that those of before are stale, with its reason. Whatever it does not apply to
stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from review_embeddings.pipeline.models.preprocessing import ProcessorSettings, given_settings
from review_embeddings.pipeline.registry import Registry


@dataclass(frozen=True)
class EmbeddingMethod:
    """By what a checkpoint is embedded."""

    config: Mapping[str, Any]
    """The model's ``config.json``; empty where it is not known."""
    processor: ProcessorSettings | None
    """None where they are not known."""
    pooling: str

    @property
    def model_type(self) -> str:
        """Of transformers; empty for a model of timm."""
        return str(self.config.get("model_type") or "")

    def is_timm(self, *prefixes: str) -> bool:
        """Whether it is one of timm's architectures with such names."""
        return str(self.config.get("architecture") or "").startswith(prefixes)


@dataclass(frozen=True)
class Fault:
    """A kind of embeddings that earlier versions computed wrongly."""

    name: str
    """In fingerprints; never changed."""
    reason: str
    """What is wrong with them, as a clause for people."""
    applies: Callable[[EmbeddingMethod], bool]
    """Whether results may be of this kind."""


FAULTS: Registry[Fault] = Registry("fault", lambda fault: fault.name)
"""All that are known and mended."""


def faults_of(method: EmbeddingMethod, checked: Sequence[str] = ()) -> list[Fault]:
    """The kinds that results of a method are of, but for those that were mended (``checked``, by
    name) when they were computed."""
    return [fault for fault in FAULTS if fault.name not in checked and fault.applies(method)]


CACHING = ("levit", "tiny_vit", "efficientformer", "efficientvit_m")
"""Architectures of timm that keep attention biases after their first forward pass."""

CHANNELS_LAST = (
    "swin_",
    "swinv2_",
    "mambaout_",
    "test_mambaout",
    "sequencer2d_",
    "sam2_hiera_",
    "hieradet_",
    "deepseek_vit_",
    "qwen3_vit_",
)
"""Architectures of timm whose feature maps have the shape (B, height, width, C)."""

NOT_CHANNELS_LAST = ("swinv2_cr_",)

UNCOUNTED_CLS = ("volo_", "pit_", "coat_lite_")
"""Architectures of timm that have a CLS token and do not say how many tokens stand before the
patches."""

CLASS_EMBEDDING = frozenset(
    {
        "altclip_vision_model",
        "blip_2_vision_model",
        "blip_vision_model",
        "bridgetower_vision_model",
        "chinese_clip_vision_model",
        "clip_vision_model",
        "clipseg_vision_model",
        "git_vision_model",
        "idefics_vision",
        "instructblip_vision_model",
        "kosmos_2_vision_model",
        "metaclip_2_vision_model",
        "mlcd_vision_model",
        "owlv2_vision_model",
        "owlvit_vision_model",
        "xclip_vision_model",
    }
)
"""Vision towers of transformers whose CLS token is called ``class_embedding``."""

UNFINISHED = frozenset({"dinov3_vit", "dinov3_convnext", "sapiens2"})
"""Models of transformers whose inner model ends before the last normalisation."""

RIGHT_BY_CROP = frozenset({"ConvNextImageProcessor", "PoolFormerImageProcessor"})
"""Image processors that were never drawn by Pillow alone, for their ``crop_pct``."""

RIGHT_BY_ARITHMETIC = frozenset({"EfficientNetImageProcessor"})
"""Image processors whose arithmetic showed at every image that Pillow alone was not enough."""

ODD_MODEL_TYPES = ("levit", "mobilevit", "mobilevitv2", "perceiver")
"""Models whose image processors do more than resize and crop, where the file names no class."""


def _masks(method: EmbeddingMethod) -> bool:
    return method.model_type == "vit_mae" and method.config.get("mask_ratio", 1) != 0


def _is_channels_last(method: EmbeddingMethod) -> bool:
    if method.pooling != "mean":
        return False
    named = method.is_timm(*CHANNELS_LAST) and not method.is_timm(*NOT_CHANNELS_LAST)
    return named or method.model_type == "dinat"


def _passed_over_cls(method: EmbeddingMethod) -> bool:
    return method.pooling == "auto" and method.model_type in {"cvt", "pixio", *CLASS_EMBEDDING}


def _counts_cls(method: EmbeddingMethod) -> bool:
    is_uncounted = method.model_type in {"pixio", *CLASS_EMBEDDING}
    has_uncounted = is_uncounted or method.is_timm(*UNCOUNTED_CLS)
    return method.pooling == "mean" and has_uncounted


def _has_unproven_pixels(method: EmbeddingMethod) -> bool:
    """Whether the pixels were taken from Pillow alone for a processor that does more than that,
    where the first image of a batch did not show it."""
    processor = method.processor
    if processor is None or processor.is_plain or processor.class_name in RIGHT_BY_ARITHMETIC:
        return False
    name, settings = processor.class_name, given_settings(processor.settings)
    if name.startswith("of ") and name.removeprefix("of ") not in ODD_MODEL_TYPES:
        return False
    if name.startswith("MobileViT") and settings.get("do_flip_channel_order") is False:
        return False
    return name not in RIGHT_BY_CROP and not {"crop_pct", "do_pad"} & settings.keys()


for _fault in (
    Fault(
        "cached-biases",
        "attention biases that the model keeps were those of another checkpoint",
        lambda method: method.model_type == "levit" or method.is_timm(*CACHING),
    ),
    Fault(
        "random-masking",
        "the masked autoencoder hid random patches: other values each time",
        _masks,
    ),
    Fault(
        "channels-last",
        "the mean was taken over the wrong axes of a channels-last feature map",
        _is_channels_last,
    ),
    Fault(
        "cls-passed-over",
        "another vector was taken than that of the CLS token, which the model has",
        _passed_over_cls,
    ),
    Fault(
        "unfinished",
        "the embeddings were taken before the model's last normalisation",
        lambda method: method.model_type in UNFINISHED,
    ),
    Fault("cls-in-mean", "the mean over the patches counted the CLS token in", _counts_cls),
    Fault(
        "unproven-pixels",
        "the pixels may be wrong: a gray or blank first image did not show that the image "
        "processor does more than resize and crop, such as swap red and blue",
        _has_unproven_pixels,
    ),
):
    FAULTS.add(_fault)
