"""The families that ever gave wrong values, and some others each day, against plain forward passes.

All of them: ``python -m tests.architectures``, a check of ``.ci/long``.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import need, write_splits

from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.models.encoder import load_encoder
from review_embeddings.pipeline.models.libraries import hide_broken_torchvision, import_transformers
from tests.architectures.loop import check_checkpoints, check_finetuning, images_of, save_family
from tests.architectures.of_timm import FAMILIES
from tests.architectures.of_transformers import CLASSIFIERS, TOWERS
from tests.architectures.table import made_table, written_outcomes

ONCE_WRONG = (
    "levit",
    "clip",
    "siglip",
    "siglip2",
    "metaclip_2",
    "hgnet_v2",
    "pp_lcnet",
    "cvt",
    "perceiver",
    "pvt",
    "imagegpt",
    "ViTMAEForPreTraining",
    "CLIPModel",
    "CLIPVisionModel",
    "SiglipVisionModel",
    "DINOv3ViTModel",
    "DINOv3ConvNextModel",
    "VJEPA2Model",
)
ONCE_WRONG_OF_TIMM = (
    "levit_128s",
    "swin_tiny_patch4_window7_224",
    "mambaout_femto",
    "pit_ti_224",
    "crossvit_tiny_240",
    "efficientvim_m1",
    "coat_lite_tiny",
    "volo_d1_224",
)

A_DAY = 2
"""Other families that are tried on each day."""

SLOW = {"resmlp_12_224", "mixer_s32_224", "vgg11", "nextvit_small", "swinv2_tiny_window8_256"}
"""Left to ``.ci/long``."""


def of_today(families: Mapping[str, Any], always: tuple[str, ...]) -> list[str]:
    """The families that are tried in any case, and the next ones of the rest."""
    others = [name for name in families if name not in {*always, *SLOW}]
    start = A_DAY * date.today().toordinal()
    return [*always, *(others[(start + offset) % len(others)] for offset in range(A_DAY))]


def timm_loads() -> bool:
    hide_broken_torchvision()
    try:
        importlib.import_module("timm")
    except (ImportError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("name", of_today({**CLASSIFIERS, **TOWERS}, ONCE_WRONG))
def test_an_architecture_of_transformers_has_its_own_values(name: str, tmp_path: Path) -> None:
    outcome = check_checkpoints({**CLASSIFIERS, **TOWERS}[name], name, tmp_path)
    assert written_outcomes()[name] == outcome, "pipeline/README.md: python -m tests.architectures"


@pytest.mark.parametrize("name", ["clip", "levit", "pvt"])
def test_fine_tuning_embeds_with_the_values_of_what_it_saves(name: str, tmp_path: Path) -> None:
    data = write_splits(tmp_path / "data", train=3)
    shutil.rmtree(data / "train" / "red")  # one class less than the model has
    check_finetuning(CLASSIFIERS[name], name, tmp_path, data)


@pytest.mark.parametrize("name", of_today(FAMILIES, ONCE_WRONG_OF_TIMM))
def test_a_family_of_timm_has_its_own_values(name: str, tmp_path: Path) -> None:
    need(timm_loads(), "timm with a torchvision that fits torch (pip install '.[timm]')")
    outcome = check_checkpoints(FAMILIES[name], name, tmp_path)
    assert written_outcomes()[name] == outcome, "pipeline/README.md: python -m tests.architectures"


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "mambaout_femto"])
def test_the_mean_of_a_timm_model_with_channels_last(name: str, tmp_path: Path) -> None:
    need(timm_loads(), "timm with a torchvision that fits torch (pip install '.[timm]')")
    import torch

    family = FAMILIES[name]
    model, images = save_family(family, name, tmp_path, 0), images_of(family.side)
    encoder = load_encoder(
        Checkpoint(1, str(tmp_path)), pooling="mean", precision="fp32", device="cpu", with_head=True
    )
    batches = encode_all(encoder, Pixels(images, None), batch_size=None, name="Checkpoint 1")
    with torch.inference_mode():
        hidden = model.timm_model.forward_features(torch.from_numpy(images))
    assert hidden.shape[1] == hidden.shape[2] != hidden.shape[3]
    vectors = np.concatenate([batch.embeddings for batch in batches])
    np.testing.assert_allclose(vectors, hidden.mean((1, 2)).numpy(), atol=1e-5)


def test_the_table_is_made_of_every_family() -> None:
    names = {*CLASSIFIERS, *TOWERS, *FAMILIES}
    assert names <= set(written_outcomes())
    assert made_table(written_outcomes()) == made_table(dict(written_outcomes()))


def test_enough_architectures_work() -> None:
    outcomes = written_outcomes()
    refused = [name for name in CLASSIFIERS if outcomes[name].reason]
    assert len(CLASSIFIERS) + 1 - len(refused) >= 38  # and timm's wrapper
    assert sum(not outcomes[name].reason for name in FAMILIES) >= 40
    known = import_transformers().models.auto.modeling_auto
    assert len(known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES) >= len(CLASSIFIERS)
