"""Tiny models of every architecture of transformers that classifies images, of bare vision towers,
and what each is to give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CLASSES = ["blue", "green", "red"]
LABELS = {"id2label": dict(enumerate(CLASSES)), "label2id": {n: i for i, n in enumerate(CLASSES)}}
LAYERS = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {**LAYERS, "intermediate_size": 32}
GRID = {"image_size": 32, "patch_size": 8}
STAGES = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
TEXT = {**WIDE, "vocab_size": 50}
VISION = {**WIDE, **GRID}
WINDOWS = {"patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}

CLIP_LIKE: dict[str, Any] = {"text_config": TEXT, "vision_config": VISION, **LABELS}

TEXTNET = {
    "stem_kernel_size": 3,
    "stem_stride": 2,
    "stem_num_channels": 3,
    "stem_out_channels": 8,
    "hidden_sizes": [8, 8, 8, 16, 16],
    "conv_layer_kernel_sizes": [[[3, 3]]] * 4,
    "conv_layer_strides": [[2]] * 4,
}
HGNET = {
    "hidden_sizes": [8, 16, 16, 16],
    "embedding_size": 8,
    "depths": [1, 1, 1, 1],
    "stem_channels": [3, 8, 8],
    "stage_in_channels": [8, 8, 16, 16],
    "stage_mid_channels": [8, 8, 8, 8],
    "stage_out_channels": [8, 16, 16, 16],
    "stage_num_blocks": [1, 1, 1, 1],
    "stage_numb_of_layers": [1, 1, 1, 1],
}
HIERA = {
    "embed_dim": 8,
    "image_size": [32, 32],
    "patch_size": [7, 7],
    "patch_stride": [4, 4],
    "patch_padding": [3, 3],
    "mlp_ratio": 2.0,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "query_stride": [2, 2],
    "num_query_pool": 1,
    "masked_unit_size": [4, 4],
    "masked_unit_attention": [True, False],
}
LEVIT = {
    "image_size": 64,
    "hidden_sizes": [16, 16, 32],
    "num_attention_heads": [2, 2, 2],
    "depths": [1, 1, 1],
    "key_dim": [8, 8, 8],
    "mlp_ratio": [2, 2, 2],
    "attention_ratio": [2, 2, 2],
}
PERCEIVER = {
    "num_latents": 8,
    "d_latents": 16,
    "d_model": 16,
    "num_blocks": 1,
    "num_self_attends_per_block": 2,
    "num_self_attention_heads": 2,
    "num_cross_attention_heads": 1,
    "image_size": 32,
}
MOBILEVIT = {
    "image_size": 32,
    "hidden_sizes": [16, 16, 16],
    "neck_hidden_sizes": [8, 8, 8, 16, 16, 16, 32],
    "num_attention_heads": 2,
}
GEMMA_TEXT = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
SHIELDGEMMA = {
    "text_config": GEMMA_TEXT,
    "vision_config": VISION,
    "mm_tokens_per_image": 4,
    "boi_token_index": 51,
    "eoi_token_index": 52,
    "image_token_index": 53,
}


@dataclass(frozen=True)
class Family:
    """One architecture with a tiny configuration."""

    config: str
    """Name of the class of its configuration."""
    settings: dict[str, Any]
    pooling: str = "pooled"
    """What ``auto`` takes: ``cls``, ``pooled`` or ``mean``."""
    architecture: str = ""
    """Which of several classes; empty for the one that the configuration stands for."""
    side: int = 32
    """Of the images, in pixels."""
    refused: str = ""
    """What the sentence says that refuses it; empty where it works."""
    read: Callable[[Any, Any], Any] | None = None
    """The vector by hand, of the whole model and images, where it is not of ``base_model``."""


def of_tower(pooling: str) -> Callable[[Any, Any], Any]:
    def read(model: Any, images: Any) -> Any:
        output = model.vision_model(pixel_values=images)
        return output.last_hidden_state[:, 0] if pooling == "cls" else output.pooler_output

    return read


def before(layer: str) -> Callable[[Any, Any], Any]:
    """What enters a layer."""

    def read(model: Any, images: Any) -> Any:
        entered: list[Any] = []
        getattr(model, layer).register_forward_pre_hook(lambda _, given: entered.append(given[0]))
        model(pixel_values=images)
        return entered[-1]

    return read


def of_cvt(model: Any, images: Any) -> Any:
    return model.cvt(images).cls_token_value[:, 0]


def of_perceiver(model: Any, images: Any) -> Any:
    return model.perceiver(inputs=images).last_hidden_state.mean(1)


def of_whole(model: Any, images: Any) -> Any:
    """The class token of a CLIP that was trained with texts."""
    return model.vision_model(pixel_values=images).last_hidden_state[:, 0]


def of_all_patches(model: Any, images: Any) -> Any:
    """A masked autoencoder's class token, with every patch seen in its order."""
    import torch

    model.config.mask_ratio = 0.0
    order = torch.arange(16).expand(len(images), -1)
    return model(images, noise=order).last_hidden_state[:, 0]


CLASSIFIERS: dict[str, Family] = {
    "beit": Family("BeitConfig", VISION, "cls"),
    "bit": Family(
        "BitConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_groups": 4},
    ),
    "clip": Family("CLIPConfig", CLIP_LIKE, "cls", read=of_tower("cls")),
    "convnext": Family(
        "ConvNextConfig", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}
    ),
    "convnextv2": Family(
        "ConvNextV2Config", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}
    ),
    "cvt": Family(
        "CvtConfig",
        {"embed_dim": [8, 8, 16], "depth": [1, 2, 3], "num_heads": [1, 2, 2]},
        "cls",
        read=of_cvt,
    ),
    "data2vec-vision": Family("Data2VecVisionConfig", VISION, "cls"),
    "deit": Family("DeiTConfig", VISION, "cls", "DeiTForImageClassification"),
    "dinat": Family(
        "DinatConfig",
        {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2]},
        refused="requires the natten library",
    ),
    "dinov2": Family("Dinov2Config", {**LAYERS, **GRID}, "cls"),
    "dinov2_with_registers": Family("Dinov2WithRegistersConfig", {**LAYERS, **GRID}, "cls"),
    "donut-swin": Family("DonutSwinConfig", {"image_size": 32, **WINDOWS}),
    "efficientnet": Family(
        "EfficientNetConfig",
        {
            "image_size": 32,
            "width_coefficient": 0.25,
            "depth_coefficient": 0.25,
            "hidden_dim": 320,
            "dropout_rate": 0.0,
        },
    ),
    "focalnet": Family(
        "FocalNetConfig",
        {
            "image_size": 32,
            "patch_size": 4,
            "embed_dim": 8,
            "depths": [1, 1],
            "hidden_sizes": [8, 16],
            "focal_levels": [1, 1],
            "focal_windows": [3, 3],
        },
    ),
    "hgnet_v2": Family("HGNetV2Config", HGNET, read=before("fc")),
    "hiera": Family("HieraConfig", HIERA),
    "ijepa": Family("IJepaConfig", VISION, "mean"),
    "imagegpt": Family(
        "ImageGPTConfig",
        {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 9},
        refused="takes tokens (input_ids), not images as pixel values",
    ),
    "levit": Family("LevitConfig", LEVIT, architecture="LevitForImageClassification", side=64),
    "metaclip_2": Family("MetaClip2Config", CLIP_LIKE, "cls", read=of_tower("cls")),
    "mobilenet_v1": Family("MobileNetV1Config", {"image_size": 32, "depth_multiplier": 0.25}),
    "mobilenet_v2": Family("MobileNetV2Config", {"image_size": 32, "depth_multiplier": 0.25}),
    "mobilevit": Family("MobileViTConfig", MOBILEVIT),
    "mobilevitv2": Family(
        "MobileViTV2Config", {"image_size": 64, "width_multiplier": 0.25}, side=64
    ),
    "perceiver": Family(
        "PerceiverConfig",
        PERCEIVER,
        "mean",
        "PerceiverForImageClassificationLearned",
        read=of_perceiver,
    ),
    "poolformer": Family("PoolFormerConfig", STAGES, "mean"),
    "pp_lcnet": Family("PPLCNetConfig", {"scale": 0.25}, read=before("head")),
    "pvt": Family(
        "PvtConfig",
        {**STAGES, "image_size": 32, "num_attention_heads": [1, 1, 2, 2], "num_labels": 3},
        "cls",
    ),
    "pvt_v2": Family(
        "PvtV2Config", {**STAGES, "image_size": 32, "num_attention_heads": [1, 1, 2, 2]}, "mean"
    ),
    "regnet": Family(
        "RegNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "groups_width": 4},
    ),
    "resnet": Family(
        "ResNetConfig", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
    ),
    "segformer": Family(
        "SegformerConfig",
        {
            **STAGES,
            "image_size": 32,
            "num_attention_heads": [1, 1, 2, 2],
            "decoder_hidden_size": 16,
        },
        "mean",
    ),
    "shieldgemma2": Family(
        "ShieldGemma2Config", SHIELDGEMMA, refused="takes text beside each image"
    ),
    "siglip": Family("SiglipConfig", CLIP_LIKE, "pooled", read=of_tower("pooled")),
    "siglip2": Family(
        "Siglip2Config",
        {"text_config": TEXT, "vision_config": {**WIDE, "patch_size": 8, "num_patches": 16}},
        refused="takes images cut into patches of any aspect ratio",
    ),
    "swiftformer": Family(
        "SwiftFormerConfig",
        {"image_size": 32, "depths": [1, 1, 1, 1], "embed_dims": [8, 8, 16, 16]},
        "mean",
    ),
    "swin": Family("SwinConfig", {"image_size": 32, **WINDOWS}),
    "swinv2": Family("Swinv2Config", {"image_size": 32, **WINDOWS}),
    "textnet": Family("TextNetConfig", TEXTNET),
    "vit": Family("ViTConfig", VISION, "cls"),
    "vit_msn": Family("ViTMSNConfig", VISION, "cls"),
}
"""By transformers' name of the architecture; ``timm_wrapper``, the last of the 42, is `of_timm`."""

MORE_CLASSIFIERS: dict[str, Family] = {
    "deit with a teacher": Family(
        "DeiTConfig", VISION, "cls", "DeiTForImageClassificationWithTeacher"
    ),
    "levit with a teacher": Family(
        "LevitConfig", LEVIT, architecture="LevitForImageClassificationWithTeacher", side=64
    ),
    "perceiver (fourier)": Family(
        "PerceiverConfig",
        {**PERCEIVER, "image_size": 224},
        "mean",
        "PerceiverForImageClassificationFourier",
        224,
        read=of_perceiver,
    ),
    "perceiver (convolutions)": Family(
        "PerceiverConfig",
        PERCEIVER,
        "mean",
        "PerceiverForImageClassificationConvProcessing",
        224,
        read=of_perceiver,
    ),
}
"""Other classes of the same architectures."""

DINOV3_CONVNEXT = {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "image_size": 32}

TOWERS: dict[str, Family] = {
    "CLIPModel": Family("CLIPConfig", CLIP_LIKE, "cls", "CLIPModel", read=of_whole),
    "CLIPVisionModel": Family("CLIPVisionConfig", VISION, "cls", "CLIPVisionModel"),
    "SiglipVisionModel": Family("SiglipVisionConfig", VISION, "pooled", "SiglipVisionModel"),
    "SiglipModel": Family(
        "SiglipConfig", CLIP_LIKE, "pooled", "SiglipModel", read=of_tower("pooled")
    ),
    "DINOv3ViTModel": Family("DINOv3ViTConfig", VISION, "cls", "DINOv3ViTModel"),
    "DINOv3ConvNextModel": Family(
        "DINOv3ConvNextConfig", DINOV3_CONVNEXT, "pooled", "DINOv3ConvNextModel"
    ),
    "ViTMAEForPreTraining": Family(
        "ViTMAEConfig", VISION, "cls", "ViTMAEModel", read=of_all_patches
    ),
    "VJEPA2Model": Family(
        "VJEPA2Config",
        {
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 8,
            "crop_size": 32,
            "frames_per_clip": 2,
            "pred_hidden_size": 16,
            "pred_num_hidden_layers": 1,
            "pred_num_attention_heads": 2,
        },
        architecture="VJEPA2Model",
        refused="takes videos (pixel_values_videos)",
    ),
    "VideoMAEModel": Family(
        "VideoMAEConfig",
        {**VISION, "num_frames": 2},
        architecture="VideoMAEModel",
        refused="takes videos, not single images",
    ),
}
"""Models without a head."""
