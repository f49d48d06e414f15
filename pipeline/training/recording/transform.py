"""Preprocesses images by a function of the person's that turns a PIL image into a tensor, and tells
two such functions apart by what they make of a few fixed pictures. Knows no data set and no
model."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, SettingsError, reason_of
from review_embeddings.pipeline.images.normalisation import Normalisation
from review_embeddings.pipeline.images.pixels import Preprocessor
from review_embeddings.pipeline.models.processor import Processor, load_processor
from review_embeddings.pipeline.stages.keys import ProcessorSource
from review_embeddings.pipeline.training.recording.undisturbed import random_numbers_kept

if TYPE_CHECKING:
    from PIL import Image

PROBE_SIZES = ((320, 213), (180, 260), (96, 40), (65, 64), (33, 97))
"""Width and height of the pictures by which a transform is known: landscape, portrait, large, small
and nearly square."""

REPEATS = 12
"""How often each of them is transformed to see whether it always gives the same."""

MORE_REPEATS = 300
"""How often the smallest one is, where random numbers were drawn."""

VALUES = ("pixel_values", "image", "images")
"""Names under which a transform may give its tensor."""


class Transform:
    """A person's transform as what preprocesses images: float32, exactly as it gives them."""

    normalisation: Normalisation | None = None

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def prepare(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """RGB images to float32 of shape (N, ...). Raises SettingsError where it gives no tensor,
        several for an image, or tensors of different shapes."""
        tensors = [self(image) for image in images]
        other = next((one for one in tensors if one.shape != tensors[0].shape), None)
        if other is not None:
            raise SettingsError(
                f"The transform gives tensors of different sizes ({_shape(tensors[0])} and "
                f"{_shape(other)}). Let it resize or crop to one size, such as Resize(256) and "
                "CenterCrop(224)."
            )
        return np.stack(tensors)

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """One image."""
        try:
            result = self._function(image)
        except Exception as error:
            raise SettingsError(
                f"The transform does not take an RGB image of PIL: {type(error).__name__}: "
                f"{reason_of(error)} Give the one of the evaluation, from PIL image to tensor."
            ) from error
        return _values_of(result)


def _shape(values: NDArray[Any]) -> str:
    return "x".join(map(str, values.shape))


def _values_of(result: Any) -> NDArray[np.float32]:
    """What a transform gave as one array. Raises SettingsError."""
    import torch

    if isinstance(result, Mapping):
        result = next((result[name] for name in VALUES if name in result), result)
    if isinstance(result, (list, tuple)) and len(result) == 1:
        result = result[0]
    if isinstance(result, (list, tuple)):
        raise _several(f"{len(result)} results")
    if not isinstance(result, (torch.Tensor, np.ndarray)):
        raise SettingsError(
            f"The transform gives a {type(result).__name__}, not a tensor. Add ToTensor() (or "
            "ToImage() and ToDtype(torch.float32, scale=True)) and a normalisation."
        )
    tensor = torch.as_tensor(result).detach().to("cpu", torch.float32)
    if tensor.ndim > 3 and tensor.shape[0] == 1:  # a batch of this image
        tensor = tensor[0]
    if tensor.ndim > 3:
        raise _several(f"{tensor.shape[0]} results")
    return tensor.contiguous().numpy()


def _several(what: str) -> SettingsError:
    return SettingsError(
        f"The transform gives {what} for one image. Give the one of the evaluation, which always "
        "gives the same tensor."
    )


def processor_of(transform: Any, processor: Any) -> ProcessorSource:
    """What preprocesses the images: a transform, or an image processor of transformers (or the
    folder or Hub name of one).

    Its digest is that of the tensors that it makes of fixed pictures. Raises SettingsError where
    none or both are given, and where it gives two results for one image.
    """
    if (transform is None) == (processor is None):
        raise SettingsError(
            "A Recorder needs what prepares the images. Give transform= (a function from PIL image "
            "to tensor, such as that of the evaluation) or processor= (an image processor of "
            "transformers)."
        )
    given: Preprocessor = Transform(transform) if processor is None else _loaded(processor)
    with random_numbers_kept():
        tensors = _always_the_same(given)
    return ProcessorSource([], _digest(tensors), given=given)


def _loaded(processor: Any) -> Processor:
    if isinstance(processor, str) or hasattr(processor, "__fspath__"):
        return load_processor([processor])
    if not callable(processor):
        raise SettingsError(
            f"processor= is a {type(processor).__name__}, no image processor of transformers."
        )
    return Processor(processor)


def _always_the_same(given: Preprocessor) -> list[NDArray[Any]]:
    """What is made of each probe. Raises SettingsError where it is not always the same."""
    call = given.prepare if isinstance(given, Transform) else given
    try:
        first = [np.asarray(call([picture])) for picture in probes()]  # type: ignore[operator]  # of transformers: a Processor is called
    except CheckpointError as error:
        raise SettingsError(str(error)) from error
    if not isinstance(given, Transform):
        return first
    drawn = _draws_random_numbers(given)
    smallest = min(range(len(first)), key=lambda at: probes()[at].width * probes()[at].height)
    again = [at for at in range(len(first)) for _ in range(REPEATS)]
    for number, at in enumerate(again + [smallest] * (MORE_REPEATS if drawn else 0)):
        _seed(number)
        if not np.array_equal(given.prepare([probes()[at]])[:1], first[at], equal_nan=True):
            raise _several("different results, by chance,")
    return first


def _draws_random_numbers(transform: Transform) -> bool:
    before = _random_state()
    transform(probes()[0])
    return before != _random_state()


def _random_state() -> tuple[Any, ...]:
    import torch

    of_numpy: Any = np.random.get_state()
    of_torch = bytes(torch.get_rng_state().numpy())
    return random.getstate(), bytes(of_numpy[1]), of_numpy[2], of_torch


def _seed(number: int) -> None:
    import torch

    random.seed(number)
    np.random.seed(number)
    torch.default_generator.manual_seed(number)


@cache
def probes() -> tuple[Any, ...]:
    """The fixed pictures: a gradient, stripes and a disc, each channel another. Made of whole
    numbers only, so that they are the same everywhere."""
    from PIL import Image

    made = []
    for number, (width, height) in enumerate(PROBE_SIZES):
        y, x = np.mgrid[0:height, 0:width].astype(np.int64)
        stripes = ((x * (number + 2) + y) // 7 % 2) * 90
        disc = ((2 * x - width) ** 2 + (2 * y - height) ** 2 < min(width, height) ** 2) * 70
        red = x * 255 // width
        green = (y * 200 // height + stripes) % 256
        blue = (x * y % 251 + disc) % 256
        made.append(Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8)))
    return tuple(made)


def _digest(tensors: Sequence[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str((tensor.shape, tensor.dtype)).encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()[:32]
