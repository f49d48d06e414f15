"""Families of timm, small where they can be, one variant of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SHALLOW: dict[str, Any] = {"img_size": 64, "depth": 2}
NARROW: dict[str, Any] = {**SHALLOW, "embed_dim": 96, "num_heads": 3}
NARROW_14: dict[str, Any] = {**NARROW, "img_size": 56}
WINDOWS: dict[str, Any] = {"embed_dim": 24, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 4, 8]}


@dataclass(frozen=True)
class TimmFamily:
    """A variant with what makes it small."""

    side: int = 64
    """Of the images, in pixels."""
    settings: dict[str, Any] = field(default_factory=dict)
    pooling: str = "pooled"
    """What ``auto`` takes."""
    untrained: str = ""
    """What ``finetune`` says where it refuses it."""


SHARED = "uses some of its tensors in several layers"

FAMILIES: dict[str, TimmFamily] = {
    "test_vit": TimmFamily(64, {"img_size": 64}, "cls"),
    "deit_tiny_distilled_patch16_224": TimmFamily(64, SHALLOW, "cls"),
    "vit_small_patch14_reg4_dinov2": TimmFamily(56, NARROW_14, "cls"),
    "vit_base_patch16_siglip_224": TimmFamily(64, NARROW),
    "eva02_tiny_patch14_224": TimmFamily(56, {"img_size": 56, "depth": 2}, "cls"),
    "vit_small_patch16_dinov3": TimmFamily(64, NARROW, "cls"),
    "beit_base_patch16_224": TimmFamily(64, NARROW, "cls"),
    "vit_relpos_small_patch16_224": TimmFamily(64, SHALLOW),
    "swin_tiny_patch4_window7_224": TimmFamily(56, {**WINDOWS, "img_size": 56, "window_size": 2}),
    "swinv2_tiny_window8_256": TimmFamily(256, WINDOWS),
    "convnext_atto": TimmFamily(),
    "resnet18": TimmFamily(),
    "efficientnet_lite0": TimmFamily(),
    "mobilenetv3_small_050": TimmFamily(),
    "regnetx_002": TimmFamily(),
    "levit_128s": TimmFamily(64, {"img_size": 64}),
    "levit_conv_128s": TimmFamily(64, {"img_size": 64}),
    "tiny_vit_5m_224": TimmFamily(
        224,
        {"embed_dims": [16, 16, 32, 32], "num_heads": [1, 1, 2, 2], "depths": [1, 1, 1, 1]},
    ),
    "efficientformerv2_s0": TimmFamily(64, {"img_size": 64}),
    "efficientformer_l1": TimmFamily(224, {"depths": [1, 1, 2, 2], "embed_dims": [24, 24, 48, 48]}),
    "efficientvit_m0": TimmFamily(224),
    "efficientvit_b0": TimmFamily(),
    "efficientvim_m1": TimmFamily(),
    "mobilevit_xxs": TimmFamily(),
    "xcit_nano_12_p16_224": TimmFamily(64, {"img_size": 64}, "cls"),
    "cait_xxs24_224": TimmFamily(64, SHALLOW, "cls"),
    "crossvit_tiny_240": TimmFamily(240, {"depth": [[1, 1, 0], [1, 1, 0]]}),
    "convit_tiny": TimmFamily(64, {"img_size": 64}, "cls"),
    "mixer_s32_224": TimmFamily(64, {"img_size": 64}),
    "pvt_v2_b0": TimmFamily(),
    "visformer_tiny": TimmFamily(64, {"img_size": 64}),
    "resmlp_12_224": TimmFamily(64, {"img_size": 64}),
    "ghostnet_100": TimmFamily(),
    "maxvit_rmlp_pico_rw_256": TimmFamily(256, {"embed_dim": [32, 32, 32, 32]}),
    "poolformer_s12": TimmFamily(),
    "repvgg_a0": TimmFamily(),
    "densenet121": TimmFamily(),
    "fastvit_t8": TimmFamily(),
    "mambaout_femto": TimmFamily(),
    "davit_tiny": TimmFamily(
        64,
        {
            "embed_dims": [16, 16, 32, 32],
            "num_heads": [1, 1, 2, 2],
            "depths": [1, 1, 1, 1],
        },
    ),
    "volo_d1_224": TimmFamily(64, {"img_size": 64}, "cls"),
    "edgenext_xx_small": TimmFamily(),
    "hiera_tiny_224": TimmFamily(224, {"stages": [1, 1, 1, 1], "embed_dim": 24}),
    "nextvit_small": TimmFamily(),
    "inception_v3": TimmFamily(96),
    "sequencer2d_s": TimmFamily(),
    "pit_ti_224": TimmFamily(64, {"img_size": 64}, "cls"),
    "pit_ti_distilled_224": TimmFamily(64, {"img_size": 64}, "cls"),
    "coat_tiny": TimmFamily(64, {"img_size": 64}, untrained=SHARED),
    "coat_lite_tiny": TimmFamily(64, {"img_size": 64}, "cls", SHARED),
    "mvitv2_tiny": TimmFamily(224),
    "tnt_s_patch16_224": TimmFamily(64, SHALLOW, "cls"),
    "samvit_base_patch16_224": TimmFamily(224, {"embed_dim": 96, "num_heads": 3, "depth": 2}),
    "hieradet_small": TimmFamily(224),
    "focalnet_tiny_srf": TimmFamily(),
    "nest_tiny_jx": TimmFamily(64, {"img_size": 64}),
    "hgnetv2_b0": TimmFamily(),
    "vgg11": TimmFamily(),
}
"""By timm's name of the variant."""
