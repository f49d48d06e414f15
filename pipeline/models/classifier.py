"""Loads an image classifier for fine-tuning: any backbone with a head of the right size and the
names of the classes.

Weights come from safetensors, no remote code is run. Trains nothing.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError, SettingsError, reason_of
from review_embeddings.pipeline.hub import looked_up
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.config import is_timm
from review_embeddings.pipeline.models.forms.pretrained import conversion_command
from review_embeddings.pipeline.models.forms.stored import WEIGHTS_INDEX
from review_embeddings.pipeline.models.inputs import check_takes_images
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    require_timm,
)
from review_embeddings.pipeline.run.folder import WEIGHTS

if TYPE_CHECKING:
    import torch

LOCAL_FORMS = (
    "a model folder (config.json, model.safetensors, preprocessor_config.json), such as "
    "save_pretrained writes, "
    "a checkpoint of another run, or a Hub model downloaded before with `hf download NAME "
    "--local-dir FOLDER`"
)


def load_classifier(
    name: str,
    classes: list[str],
    *,
    processor: str | None = None,
    image_size: int | None = None,
    seed: int = 0,
) -> tuple[Any, Any]:
    """The model with a new head for ``classes`` where its own does not fit, and its image
    processor; both of transformers.

    ``name`` is a model folder, a Hub name, or a Hub name of timm; ``processor`` another model whose
    image processor is used. With ``image_size`` the processor gives square images of so many pixels
    a side. The head's weights come from ``seed``. Raises CheckpointError where it cannot be loaded
    or is no image model.
    """
    transformers = import_transformers()
    config = _config_for(name, classes, has_own_size=image_size is not None)
    transformers.set_seed(seed)
    try:
        with quiet_transformers(), looked_up(name, "Getting {name} from the Hub"):
            model = transformers.AutoModelForImageClassification.from_pretrained(
                name,
                config=config,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="float32",
            )
        with quiet_transformers(), looked_up(processor or name):
            image_processor = transformers.AutoImageProcessor.from_pretrained(
                processor or name, backend="pil"
            )
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        raise _load_error(name, config, error) from error
    _check_can_be_saved(model, name)
    if image_size is not None:
        set_image_size(model, image_processor, image_size)
    return model, image_processor


def _check_can_be_saved(model: Any, name: str) -> None:
    """Raise CheckpointError where a timm model has one tensor under several names: transformers,
    which does not know of it, saves no such model."""
    if not hasattr(model, "timm_model"):
        return
    tensors = [value for value in model.state_dict().values() if value.numel()]
    if len({value.data_ptr() for value in tensors}) < len(tensors):
        raise CheckpointError(
            f"The model {name} uses some of its tensors in several layers, and transformers cannot "
            f"save it. Give another timm model, or train it with a script of timm's and review its "
            f"checkpoints."
        )


def _config_for(name: str, classes: list[str], *, has_own_size: bool) -> Any:
    """A model's configuration with a head for ``classes``; with ``has_own_size``, its images may
    have another size than it was made for."""
    config = read_model_config(name)
    check_takes_images(
        {**config.to_dict(), "architectures": ["ImageClassification"]}, name=f"The model {name}"
    )
    config.num_labels = len(classes)  # PVT keeps the number beside the names
    config.id2label = dict(enumerate(classes))
    config.label2id = {label: index for index, label in enumerate(classes)}
    config.problem_type = "single_label_classification"
    if is_timm(config.to_dict()):
        require_timm(name)
        config.label_names = classes
        if has_own_size and _takes_dynamic_size(config):
            config.model_args = {**(config.model_args or {}), "dynamic_img_size": True}
    return config


def load_saved(folder: Path) -> Any:
    """A classifier that was saved here. Raises CheckpointError where its folder is damaged.

    The Trainer's own way to load the weights of a training that goes on leaves those out that
    transformers saves under other names than the model has (a ViT's, in transformers 5), without a
    word.
    """
    try:
        with quiet_transformers():
            return import_transformers().AutoModelForImageClassification.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype="float32"
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"The training cannot go on: {folder} is damaged: {reason_of(error)} Delete that "
            f"folder to begin again at step 0."
        ) from error


def _takes_dynamic_size(config: Any) -> bool:
    """Whether a timm architecture has position embeddings that it can interpolate: a Vision
    Transformer has."""
    import timm
    import torch

    try:
        with torch.device("meta"):
            timm.create_model(config.architecture, pretrained=False, dynamic_img_size=True)
    except (TypeError, RuntimeError):
        return False
    return True


def read_model_config(name: str) -> Any:
    """The configuration of a model folder or Hub name. Raises CheckpointError where there is
    none."""
    path = Path(name).expanduser()
    if not path.exists() and (path.is_absolute() or name.startswith((".", "~"))):
        raise CheckpointError(f"The model {name} is not there. Give {LOCAL_FORMS}; or a Hub name.")
    if path.is_dir() and not (path / "config.json").is_file():
        raise CheckpointError(
            f"The folder {name} holds no model: it has no config.json. Give {LOCAL_FORMS}; or a "
            f"Hub name."
        )
    away = None
    try:
        with quiet_transformers(), looked_up(name) as away:
            return import_transformers().AutoConfig.from_pretrained(name, trust_remote_code=False)
    except ImportError as error:
        if "timm" in str(error):
            require_timm(name)
        raise CheckpointError(f"The model {name} cannot be loaded: {reason_of(error)}") from error
    except (OSError, ValueError, KeyError) as error:
        if path.exists():
            raise_unavailable(error, path)
            raise CheckpointError(
                f"The model {name} cannot be loaded: {reason_of(error)} Give {LOCAL_FORMS}; or a "
                f"Hub name."
            ) from error
        raise CheckpointError(
            f"The model {name} is no folder here and cannot be had from the Hub: "
            f"{f'{away}.' if away else reason_of(error)} "
            f"Check the name and the network, or give {LOCAL_FORMS}."
        ) from error


def _load_error(name: str, config: Any, error: Exception) -> CheckpointError:
    raise_unavailable(error, name)
    folder = Path(name)
    text = str(error)
    if "Unrecognized configuration class" in text:
        return CheckpointError(
            f"The model {name} is a {config.model_type} model, which cannot classify images. Give "
            f"one of an image model."
        )
    if "image processor" in text.lower() or "preprocessor_config" in text:
        return CheckpointError(
            f"The model {name} has no image processor (preprocessor_config.json). Name a model "
            f"that has one with --processor."
        )
    has_weights = any((folder / file).is_file() for file in (WEIGHTS, WEIGHTS_INDEX))
    if not has_weights and (folder / "pytorch_model.bin").is_file():
        return CheckpointError(
            f"The weights of {name} are pickled, and loading a pickle runs code. Convert them "
            f"with: {conversion_command(folder)}"
        )
    return CheckpointError(
        f"The model {name} cannot be loaded: {reason_of(error)} Give {LOCAL_FORMS}; or a Hub name."
    )


def set_image_size(model: Any, processor: Any, pixels: int) -> None:
    """Make ``processor`` give square images of ``pixels`` x ``pixels``, cropping and resizing in
    the way it did before.

    timm's processor is saved as a part of the model's configuration, which is therefore changed as
    well.
    """
    if hasattr(processor, "data_config"):
        import timm

        processor.data_config["input_size"] = (3, pixels, pixels)
        processor.val_transforms = timm.data.create_transform(
            **processor.data_config, is_training=False
        )
        model.config.pretrained_cfg["input_size"] = [3, pixels, pixels]
        return
    for name in ("size", "crop_size"):
        if setting := getattr(processor, name, None):
            setattr(processor, name, _resized(dict(setting), pixels))


def _resized(setting: dict[str, Any], pixels: int) -> dict[str, int]:
    sides = {
        key: pixels for key, value in setting.items() if value is not None and key != "longest_edge"
    }
    return sides or {"height": pixels, "width": pixels}


def logits_of(output: Any) -> Any:
    """The logits in what a classifier of transformers gives; None where there are none. PP-LCNet
    calls them its last hidden state."""
    found = getattr(output, "logits", None)
    return getattr(output, "last_hidden_state", None) if found is None else found


def size_options(model: Any, pixels: torch.Tensor) -> dict[str, Any]:
    """What a model's forward pass must be told about images (B, 3, height, width) of another size
    than it was made for."""
    if hasattr(model, "get_base_model"):  # of peft, which passes on what its base model takes
        model = model.get_base_model()
    vision = getattr(model.config, "vision_config", model.config)
    size = getattr(vision, "image_size", None)
    native = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
    if size is None or tuple(pixels.shape[-2:]) == native or not _interpolates(model):
        return {}
    return {"interpolate_pos_encoding": True}


def _interpolates(model: Any) -> bool:
    """Whether a model of transformers, or the vision tower in it, takes images of any size."""
    modules = [model, getattr(model, "vision_model", model)]
    signatures = [inspect.signature(type(module).forward) for module in modules]
    return any("interpolate_pos_encoding" in one.parameters for one in signatures)


def check_fits(model: Any, pixels: torch.Tensor, *, name: str) -> None:
    """Raise SettingsError where the model does not take images (B, 3, height, width) like these."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            logits = logits_of(model(pixel_values=pixels, **size_options(model, pixels)))
    except (RuntimeError, ValueError, AssertionError) as error:
        shape = "x".join(map(str, pixels.shape[-2:]))
        raise SettingsError(
            f"The model {name} does not take images of {shape} pixels: {reason_of(error)} "
            "Use another --image-size, or leave it out for the model's own."
        ) from error
    finally:
        model.train(was_training)
    if logits is None or logits.ndim != 2 or logits.shape[1] != model.config.num_labels:
        given = None if logits is None else tuple(logits.shape)
        raise CheckpointError(
            f"The model {name} gives values of shape {given}, not one for each class. Give one "
            f"that classifies images."
        )
