"""Embeddings and probabilities of every architecture against the model called by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from samples import CLASSES, save_checkpoint

from review_embeddings.pipeline.errors import CheckpointError, SettingsError
from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.models import device, encode
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.device import fast_half
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.heads import Head

LABELS: dict[str, Any] = {
    "id2label": dict(enumerate(CLASSES)),
    "label2id": {name: i for i, name in enumerate(CLASSES)},
}
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
PATCHES: dict[str, Any] = {"image_size": 32, "patch_size": 8}

CONFIGS: dict[str, Any] = {
    "vit": transformers.ViTConfig(**SMALL, **PATCHES, **LABELS),
    "deit": transformers.DeiTConfig(**SMALL, **PATCHES, **LABELS),
    "beit": transformers.BeitConfig(**SMALL, **PATCHES, **LABELS),
    "dinov2": transformers.Dinov2Config(**SMALL, **PATCHES, **LABELS),
    "dinov2_with_registers": transformers.Dinov2WithRegistersConfig(**SMALL, **PATCHES, **LABELS),
    "swin": transformers.SwinConfig(
        image_size=32,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1],
        num_heads=[1, 2],
        window_size=4,
        **LABELS,
    ),
    "convnext": transformers.ConvNextConfig(
        hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, image_size=32, **LABELS
    ),
    "resnet": transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], **LABELS
    ),
}
CLS = {"vit", "deit", "beit", "dinov2", "dinov2_with_registers"}


def checkpoint_of(config: Any, folder: Path) -> tuple[Any, Checkpoint]:
    torch.manual_seed(0)
    if isinstance(config, transformers.DeiTConfig):  # has two classifiers to choose from
        config.architectures = ["DeiTForImageClassification"]
    model = transformers.AutoModelForImageClassification.from_config(config).eval()
    for (
        parameter
    ) in model.parameters():  # some initialise to zeros, which would make every test pass
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return model, Checkpoint(7, str(folder))


def pixels(total: int = 5, size: int = 32) -> Pixels:
    values = np.random.default_rng(0).normal(size=(total, 3, size, size)).astype(np.float32)
    return Pixels(values, None)


def load(checkpoint: Checkpoint, pooling: str = "auto", **options: Any) -> Encoder:
    settings: dict[str, Any] = {"precision": "fp32", "device": "cpu", "with_head": True} | options
    return load_encoder(checkpoint, pooling=pooling, **settings)


def encoded(
    encoder: Encoder, images: Pixels, batch_size: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    batches = list(encode_all(encoder, images, batch_size=batch_size, name="Checkpoint 7"))
    probabilities = [batch.probabilities for batch in batches if batch.probabilities is not None]
    return np.concatenate([batch.embeddings for batch in batches]), np.concatenate(
        probabilities
    ) if probabilities else None


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_the_model_called_by_hand(name: str, tmp_path: Path) -> None:
    model, checkpoint = checkpoint_of(CONFIGS[name], tmp_path)
    images = pixels()
    embeddings, probabilities = encoded(load(checkpoint), images)
    with torch.no_grad():
        inputs = torch.from_numpy(np.asarray(images.array))
        output = model.base_model(inputs)
        expected = (
            output.last_hidden_state[:, 0] if name in CLS else output.pooler_output.flatten(1)
        )
        classes = model(inputs).logits.softmax(-1)
    np.testing.assert_allclose(embeddings, expected.numpy(), atol=1e-5)
    assert probabilities is not None
    np.testing.assert_allclose(probabilities, classes.numpy(), atol=1e-6)
    assert embeddings.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(
        encoded(load(checkpoint), images, batch_size=2)[0], embeddings, atol=1e-5
    )


def test_mean_leaves_out_the_tokens_that_are_no_patches(tmp_path: Path) -> None:
    model, checkpoint = checkpoint_of(CONFIGS["dinov2_with_registers"], tmp_path)
    images = pixels()
    embeddings, _ = encoded(load(checkpoint, "mean"), images)
    with torch.no_grad():
        tokens = model.base_model(torch.from_numpy(np.asarray(images.array))).last_hidden_state
    assert tokens.shape[1] == 1 + 4 + 16  # CLS, registers, 4 x 4 patches
    np.testing.assert_allclose(embeddings, tokens[:, 5:].mean(1).numpy(), atol=1e-5)


def test_mean_over_a_convolutional_map(tmp_path: Path) -> None:
    model, checkpoint = checkpoint_of(CONFIGS["resnet"], tmp_path)
    embeddings, _ = encoded(load(checkpoint, "mean"), pixels())
    with torch.no_grad():
        hidden = model.base_model(torch.from_numpy(np.asarray(pixels().array))).last_hidden_state
    np.testing.assert_allclose(embeddings, hidden.mean((2, 3)).numpy(), atol=1e-5)


def test_pooling_that_the_model_does_not_have(tmp_path: Path) -> None:
    _, swin = checkpoint_of(CONFIGS["swin"], tmp_path / "swin")
    with pytest.raises(CheckpointError, match="no CLS token"):
        encoded(load(swin, "cls"), pixels())
    _, vit = checkpoint_of(CONFIGS["vit"], tmp_path / "vit")
    with pytest.raises(CheckpointError, match="no pooled output"):
        encoded(load(vit, "pooled"), pixels())


def test_a_base_model_without_a_head(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, seed=3, step=0, head=False)
    embeddings, probabilities = encoded(
        load(Checkpoint(0, str(folder)), with_head=False), pixels(size=16)
    )
    assert embeddings.shape == (5, 16) and probabilities is None


def test_other_image_sizes_interpolate_the_positions(tmp_path: Path) -> None:
    _, vit = checkpoint_of(CONFIGS["vit"], tmp_path)
    assert encoded(load(vit), pixels(size=48))[0].shape == (5, 16)


def test_images_that_do_not_fit_the_model(tmp_path: Path) -> None:
    config = transformers.ViTConfig(**SMALL, **PATCHES, **LABELS, num_channels=1)
    _, grey = checkpoint_of(config, tmp_path)
    with pytest.raises(CheckpointError, match="does not take images of 3x32x32"):
        encoded(load(grey), pixels())


def test_weights_that_do_not_fit_the_configuration(tmp_path: Path) -> None:
    _, checkpoint = checkpoint_of(CONFIGS["vit"], tmp_path)
    deeper = transformers.ViTConfig(**(SMALL | {"num_hidden_layers": 3}), **PATCHES, **LABELS)
    deeper.architectures = ["ViTForImageClassification"]
    deeper.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="does not fit its own config.json"):
        load(checkpoint)


def test_a_folder_that_is_no_image_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load(Checkpoint(1, str(tmp_path)))


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model, checkpoint = checkpoint_of(CONFIGS["vit"], tmp_path)
    model.vit.layernorm.weight.data[0] = float("nan")
    model.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="not finite"):
        encoded(load(checkpoint), pixels())


def test_half_precision_is_near(tmp_path: Path) -> None:
    _, checkpoint = checkpoint_of(CONFIGS["vit"], tmp_path)
    whole, _ = encoded(load(checkpoint), pixels())
    half, _ = encoded(load(checkpoint, precision="bf16"), pixels())
    assert half.dtype == np.float32
    assert 1e-6 < np.abs(half - whole).max() < 0.1


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "avx512_fp16": False, "amx_fp16": False}, "bf16-autocast"),
        ({"avx512_fp16": True, "amx_fp16": False}, "fp16-autocast"),
        ({"avx512_bf16": True, "avx512_fp16": False, "amx_fp16": True}, "fp16-autocast"),
        ({}, None),
    ],
)
def test_the_precision_follows_from_what_the_cpu_multiplies(
    capabilities: dict[str, bool], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fast_half("cpu") == expected


@pytest.mark.parametrize(("capability", "expected"), [((6, 1), None), ((7, 0), "fp16-autocast")])
def test_the_precision_follows_from_what_the_gpu_multiplies(
    capability: tuple[int, int], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda gpu: capability)
    assert fast_half("cuda") == expected


def test_batches_shrink_until_the_memory_suffices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, checkpoint = checkpoint_of(CONFIGS["vit"], tmp_path)
    encoder = load(checkpoint)
    expected, _ = encoded(encoder, pixels(9))
    sizes: list[int] = []
    whole = encoder.encode

    def tight(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return whole(batch)

    monkeypatch.setattr(encoder, "encode", tight)
    embeddings, _ = encoded(encoder, pixels(9), batch_size=8)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    assert sizes == [8, 4, 2, 2, 2, 2, 1]


def test_an_unknown_device(tmp_path: Path) -> None:
    _, checkpoint = checkpoint_of(CONFIGS["vit"], tmp_path)
    with pytest.raises(SettingsError, match="no device"):
        load(checkpoint, device="abacus")


def test_heads_as_configurations_describe_them() -> None:
    architecture = {"architectures": ["ViTForImageClassification"]}
    assert Head.of({"architectures": ["ViTModel"]}) is None
    assert Head.of(architecture | {"id2label": {"1": "b", "0": "a", "10": "k"}}) == Head(
        ["a", "b", "k"], 3
    )
    assert Head.of(architecture | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}) == Head(None, 2)
    assert Head.of(architecture) == Head(
        None, 2
    )  # transformers does not write its default of two classes
    assert Head.of({"architecture": "resnet18", "num_classes": 1000, "pretrained_cfg": {}}) == Head(
        None, 1000
    )


def test_a_batch_for_cuda_is_complete_and_kept_when_it_is_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a stand-in for CUDA is asked, in order: another stream than the model's copies, it is
    waited for, and the memory is held for the model's."""
    asked: list[str] = []

    class Stream:
        def __init__(self, device: torch.device) -> None:
            assert device == torch.device("cuda")

        def synchronize(self) -> None:
            asked.append("waited for")

    class Values:
        def record_stream(self, stream: Any) -> None:
            asked.append(f"held for {stream}")

    class Images:
        def batch(self, start: int, stop: int, device: torch.device) -> Any:
            asked.append(f"{start} to {stop} copied {'aside' if inside else 'in turn'}")
            return Values()

    inside: list[Any] = []

    @contextmanager
    def stream(aside: Any) -> Iterator[None]:
        assert isinstance(aside, Stream)
        inside.append(aside)
        yield
        inside.pop()

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "the model")
    monkeypatch.setattr(torch.cuda, "stream", stream)
    bring = encode._bringer(torch.device("cuda"))
    assert isinstance(bring(cast(Pixels, Images()), 3, 5), Values)
    assert asked == ["3 to 5 copied aside", "waited for", "held for the model"]
