"""Takes one architecture through what a run does with it, and holds every value against a plain
forward pass of transformers or timm."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.images.pixels import Pixels
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.encode import encode_all
from review_embeddings.pipeline.models.encoder import Encoder, load_encoder
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.models.loader import EncoderLoader
from tests.architectures.of_timm import TimmFamily
from tests.architectures.of_transformers import LABELS, Family

IMAGES, BATCH = 6, 4
TOLERANCE = 1e-5
"""Of the scale of the values; or twice what the model's own arithmetic differs from float64."""

CALIBRATIONS = 10
"""Forward passes in which batch normalisation sees the images."""

LEAST_SPREAD = 1e-4
"""Of the values, between images: less would prove nothing."""


@dataclass(frozen=True)
class Outcome:
    """What became of one architecture."""

    pooling: str
    """That was taken; empty where it is refused."""
    reason: str = ""
    """The sentence that refuses it."""


class WrongValueError(AssertionError):
    """An embedding or a probability is not that of a plain forward pass."""


def images_of(side: int) -> NDArray[np.float32]:
    """Smooth structure and noise, so that every family has something to see."""
    random = np.random.default_rng(0)
    coarse = random.normal(size=(IMAGES, 3, 4, 4)).repeat(side // 4, 2).repeat(side // 4, 3)
    noise = random.normal(size=(IMAGES, 3, side, side))
    noise[:, :, : coarse.shape[2], : coarse.shape[3]] += coarse
    return noise.astype(np.float32)


def randomise(model: Any, seed: int, images: Any) -> None:
    """Random weights that let the signal through; normalisation that has seen the images."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1 and not any(word in name for word in ("token", "pos", "class_emb")):
            parameter.data = noise * (1.5 / max(1, parameter[0].numel())) ** 0.5
        else:
            parameter.data += 0.1 * noise
    layers = [
        one for one in model.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)
    ]
    for layer in layers:
        layer.momentum = 0.5
        layer.reset_running_stats()
    model.train()
    with torch.no_grad():
        for _ in range(CALIBRATIONS if layers else 0):
            model(pixel_values=images)
    model.eval()


def save_family(family: Family | TimmFamily, name: str, folder: Path, seed: int) -> Any:
    """A checkpoint with random weights."""
    import torch

    transformers = import_transformers()
    torch.manual_seed(seed)
    model = (
        _timm_model(name, family)
        if isinstance(family, TimmFamily)
        else _model_of(transformers, family)
    )
    if not (isinstance(family, Family) and family.refused):
        randomise(model, seed, torch.from_numpy(images_of(family.side)))
    with quiet_transformers():
        state = {key: value.clone() for key, value in model.state_dict().items()}
        shared = isinstance(family, TimmFamily) and family.untrained
        model.save_pretrained(folder, **({"state_dict": state} if shared else {}))
        transformers.ViTImageProcessorPil(
            size={"height": family.side, "width": family.side}
        ).save_pretrained(folder)
    return model


def _model_of(transformers: Any, family: Family) -> Any:
    labels = {} if family.architecture.endswith("Model") else LABELS
    config = getattr(transformers, family.config)(**{**family.settings, **labels})
    if family.architecture.endswith("Model"):
        return getattr(transformers, family.architecture)(config)
    if family.architecture:
        config.architectures = [family.architecture]
        return getattr(transformers, family.architecture)(config)
    return transformers.AutoModelForImageClassification.from_config(config)


def _timm_model(name: str, family: TimmFamily) -> Any:
    import timm

    transformers = import_transformers()
    settings = timm.get_pretrained_cfg(name).to_dict()
    settings = {
        key: value
        for key, value in settings.items()
        if key not in {"test_input_size", "min_input_size", "url", "hf_hub_id", "file"}
    }
    config = transformers.TimmWrapperConfig(
        architecture=name,
        pretrained_cfg={**settings, "input_size": [3, family.side, family.side]},
        model_args=dict(family.settings) or None,
        **LABELS,
    )
    return transformers.TimmWrapperForImageClassification(config)


def expected(
    folder: Path, family: Family | TimmFamily, images: NDArray[Any], *, double: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Vectors and probabilities of a plain forward pass of a checkpoint that was loaded anew."""
    import torch

    transformers = import_transformers()
    dtype = torch.float64 if double else torch.float32
    bare = isinstance(family, Family) and family.architecture.endswith("Model")
    if bare and isinstance(family, Family):
        kind: Any = getattr(transformers, family.architecture)
    else:
        kind = transformers.AutoModelForImageClassification
    with quiet_transformers(), torch.inference_mode():
        model = kind.from_pretrained(folder, dtype=dtype).eval()
        values = torch.from_numpy(images).to(dtype)
        vectors = _read(model, family, values)
        logits = None if bare else _logits(model(pixel_values=values))
    return vectors.double().numpy(), None if logits is None else logits.softmax(-1).double().numpy()


def _logits(output: Any) -> Any:
    return output.logits if "logits" in output else output.last_hidden_state


def _read(model: Any, family: Family | TimmFamily, values: Any) -> Any:
    if isinstance(family, TimmFamily):
        hidden = model.timm_model.forward_features(values)
        if family.pooling == "cls":
            return hidden[:, 0]
        return model.timm_model.forward_head(hidden, pre_logits=True)
    if family.read is not None:
        return family.read(model, values)
    bare = family.architecture.endswith("Model")
    output = model(pixel_values=values) if bare else model.base_model(values)
    if family.pooling == "cls":
        return output.last_hidden_state[:, 0]
    if family.pooling == "pooled":
        return output.pooler_output.flatten(1)
    hidden = output.last_hidden_state
    return hidden.mean(1) if hidden.ndim == 3 else hidden.flatten(2).mean(2)


def check_checkpoints(family: Family | TimmFamily, name: str, folder: Path) -> Outcome:
    """Two checkpoints one after the other in one module, and weights that are in memory, against
    plain forward passes. Raises WrongValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(family, Family) and family.refused:
            return _refused(family, name, folder)
        return _checked(family, name, folder)


def _checked(family: Family | TimmFamily, name: str, folder: Path) -> Outcome:
    images, folders = images_of(family.side), [folder / "one", folder / "two"]
    models = [save_family(family, name, path, seed) for seed, path in enumerate(folders)]
    with_head = not (isinstance(family, Family) and family.architecture.endswith("Model"))
    settings: dict[str, Any] = {"pooling": "auto", "precision": "fp32", "with_head": with_head}
    loader = EncoderLoader("cpu")
    for path in folders:
        encoder = loader.encoder(Checkpoint(1, str(path)), **settings)
        _compare(encoder, path, family, images, f"{name} from files")
    loader.close()
    live = load_encoder(Checkpoint(1, str(folders[0])), device="cpu", **settings)
    _encode(live, images)
    if with_head:  # as a training does
        live.take(models[1].state_dict(), live.device, name="Checkpoint 2")
        _compare(live, folders[1], family, images, f"{name} from memory")
    if live.pooling != family.pooling:
        raise WrongValueError(f"{name}: {live.pooling} was taken instead of {family.pooling}")
    return Outcome(live.pooling)


def _refused(family: Family, name: str, folder: Path) -> Outcome:
    """The sentence with which it is refused, by finetune's loading as by a review's."""
    try:
        save_family(family, name, folder, 0)
    except ImportError:  # the library that transformers wants is not here: a folder without weights
        from safetensors.torch import save_file

        config = getattr(import_transformers(), family.config)(**family.settings, **LABELS)
        config.architectures = [family.config.removesuffix("Config") + "ForImageClassification"]
        config.save_pretrained(folder)
        save_file({}, folder / "model.safetensors", {"format": "pt"})
    settings: dict[str, Any] = {"pooling": "auto", "precision": "fp32", "device": "cpu"}
    try:
        load_encoder(
            Checkpoint(1, str(folder)), with_head="Model" not in family.architecture, **settings
        )
    except ReviewError as error:
        if family.refused not in str(error):
            raise WrongValueError(f"{name} is refused with another sentence: {error}") from error
        return Outcome("", family.refused)
    raise WrongValueError(f"{name} is not refused")


def _encode(encoder: Encoder, images: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    batches = list(encode_all(encoder, Pixels(images, None), batch_size=BATCH, name="Checkpoint"))
    heads = [one.probabilities for one in batches if one.probabilities is not None]
    vectors = np.concatenate([one.embeddings for one in batches])
    return vectors, np.concatenate(heads) if heads else None


def _compare(
    encoder: Encoder, path: Path, family: Family | TimmFamily, images: NDArray[Any], title: str
) -> None:
    vectors, probabilities = _encode(encoder, images)
    compare(vectors, probabilities, path, family, images, title)


def compare(
    vectors: NDArray[Any],
    probabilities: NDArray[Any] | None,
    path: Path,
    family: Family | TimmFamily,
    images: NDArray[Any],
    title: str,
) -> None:
    """Raise WrongValueError where vectors or probabilities are not those of a checkpoint."""
    right, heads = expected(path, family, images)
    if vectors.shape != right.shape:
        raise WrongValueError(f"{title}: shape {vectors.shape} instead of {right.shape}")
    scale = np.abs(right).max()
    if right.std(axis=0).mean() < LEAST_SPREAD * scale:
        raise WrongValueError(f"{title}: all images have one embedding, which proves nothing")
    if (heads is None) != (probabilities is None):
        raise WrongValueError(f"{title}: probabilities where there is no head, or none with one")
    off = np.abs(vectors - right).max() / scale
    off_heads = _distance(probabilities, heads)
    if max(off, off_heads) <= TOLERANCE:
        return
    exact, exact_heads = expected(path, family, images, double=True)
    own = np.abs(right - exact).max() / scale
    own_heads = _distance(heads, exact_heads)
    if off > max(TOLERANCE, 2 * own) or off_heads > max(TOLERANCE, 2 * own_heads):
        raise WrongValueError(
            f"{title}: off by {off:.1e} of the scale and {off_heads:.1e} in the probabilities, "
            f"while the model's own arithmetic is off by {own:.1e} and {own_heads:.1e}"
        )


def _distance(one: NDArray[Any] | None, other: NDArray[Any] | None) -> float:
    return 0.0 if one is None or other is None else float(np.abs(one - other).max())


def check_finetuning(family: Family | TimmFamily, name: str, folder: Path, data: Path) -> None:
    """``finetune --embed`` from a checkpoint, for two of the three classes, against plain forward
    passes of what it saved. Raises WrongValueError."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.training.finetune import finetune

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_family(family, name, folder / "start", 0)
        run = RunFolder(folder / "run")
        options = {"model": str(folder / "start"), "dataset": str(data), "eval_split": "none"}
        schedule = {"steps": 4, "save_steps": 2, "batch_size": 4, "embed": True, "augment": "none"}
        settings = {"precision": "fp32", "arguments": {"learning_rate": 1e-3, "use_cpu": True}}
        if isinstance(family, TimmFamily) and family.untrained:
            _check_refusal(lambda: finetune(run, {**options, **schedule, **settings}), family)
            return
        finetune(run, {**options, **schedule, **settings})
        images = _stored_pixels(run.path)
        for step in (0, 2, 4):
            vectors = np.array(run.read_array("embeddings", step))
            heads = np.array(run.read_array("probabilities", step))
            title = f"{name} fine-tuned, step {step}"
            compare(vectors, heads, run.checkpoint(step), family, images, title)


def _check_refusal(train: Callable[[], Any], family: TimmFamily) -> None:
    try:
        train()
    except ReviewError as error:
        if family.untrained in str(error):
            return
        raise WrongValueError(f"refused with another sentence: {error}") from error
    raise WrongValueError("fine-tuned, though it cannot be saved")


def _stored_pixels(run: Path) -> NDArray[np.float32]:
    """The images of a run as a plain image processor gives them to the model."""
    import io

    import pyarrow.parquet as pq
    from PIL import Image

    table = pq.read_table(run / "images.parquet")
    column = next(name for name in table.column_names if name in {"image", "bytes", "data"})
    cells = [one["bytes"] if isinstance(one, dict) else one for one in table[column].to_pylist()]
    with quiet_transformers():
        processor = import_transformers().AutoImageProcessor.from_pretrained(
            run / "checkpoint-0", backend="pil"
        )
    pictures = [Image.open(io.BytesIO(cell)).convert("RGB") for cell in cells]
    values = [processor(one, return_tensors="pt")["pixel_values"][0] for one in pictures]
    return np.stack([np.asarray(value, dtype=np.float32) for value in values])
