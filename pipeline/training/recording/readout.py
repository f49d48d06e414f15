"""Where any module of torch has an image's embedding and its logits, found by hooks during a
forward pass, and the reading of both. Knows no data set, no file and no library of models.

An embedding is by default the input of the last linear layer, the one whose output is the module's
output. Logits are the output itself, its ``logits``, or one of several outputs. Where the output is
the softmax of a linear layer's output, the logits are that layer's; what no linear layer gives and
has rows that are never negative and sum to 1 are probabilities, and taken as they are. Values from
0 to 1 that do not sum to 1 are neither, and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.training.recording.modules import linear_layers, named, placement

if TYPE_CHECKING:
    import torch

MAX_ERROR = 1e-3
"""By how much sums and values may differ that are the same."""

HALF_ERROR = 4.0
"""The same in half precision, in units of its own rounding."""

CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
"""How libraries name the parameter of the CLS token."""

Features = Callable[[Any, Any], Any]
"""A person's function: module and batch to embeddings, or to embeddings and logits."""


@dataclass(frozen=True)
class _Call:
    """One layer at work; what it took and gave are copies, which nothing changes afterwards."""

    layer: Any
    input: Any
    output: Any
    storage: Any
    """What it gave, which the module may since have changed in place."""


@dataclass(frozen=True)
class Logits:
    """Where the logits are."""

    position: int | None
    """Of the tensors that the module gives; None for the output of the linear layer."""
    are_probabilities: bool = False
    """Whether it gives these instead."""


class Readout:
    """Reads embeddings and probabilities of a module, always in the same way; like `Encoder` it is
    what `encode_all` takes."""

    def __init__(
        self, model: Any, *, layer: str | None, features: Features | None, classes: int | None
    ) -> None:
        """``classes`` is the number of classes, where it is known; the module is evaluating
        already."""
        self._model = model
        self._features = features
        self._classes = classes
        self.device, self.dtype = placement(model)
        self._layer = None if layer is None else named(model, layer)
        self._head: Any = None
        self._is_input = layer is None
        self._output_is_embedding = False
        self._logits: Logits | None = None
        self.count: int | None = None
        """Number of logits; None where there are none."""
        self.unclear = False
        """Whether the output is neither logits nor probabilities of classes that exclude each
        other."""
        self.rivals: str | None = None
        """What a person should hear of several outputs that fit the classes and differ."""

    @property
    def pooling(self) -> str:
        """What is kept beside embeddings of where they come from."""
        return self.layer

    @property
    def layer(self) -> str:
        """Where embeddings are read, for people and fingerprints."""
        if self._features is not None:
            return "features"
        if self._output_is_embedding:
            return "output"
        return f"{'input' if self._is_input else 'output'} of {self._name(self._layer)}"

    def _name(self, layer: Any) -> str:
        names = {id(module): name for name, module in self._model.named_modules()}
        return str(names.get(id(layer), ""))

    # -- looking once

    def look(self, batch: torch.Tensor) -> None:
        """Find out, with two images, where everything is. Raises CheckpointError."""
        batch = self._moved(_doubled(batch))
        if self._features is not None:
            self._look_at_features(batch)
            return
        calls, tensors = self._forward(batch, linear_layers(self._model))
        head = self._find_logits(calls, tensors)
        if self._layer is None:
            self._find_layer(head, tensors)

    def _look_at_features(self, batch: torch.Tensor) -> None:
        assert self._features is not None
        result = self._features(self._model, batch)
        if isinstance(result, (tuple, list)):
            given = result[1] if len(result) > 1 else None
            if given is not None and _is_logits(given, len(batch)):
                self._take_as_given(0, given)
            return
        try:
            calls, tensors = self._forward(batch, linear_layers(self._model))
        except Exception:  # a module that is no classifier need not take a batch
            return
        self._find_logits(calls, tensors)

    def _find_logits(self, calls: Sequence[_Call], tensors: Sequence[Any]) -> _Call | None:
        """Keep where the logits are; the linear layer that gives them, if one does."""
        fitting = [at for at, one in enumerate(tensors) if one.shape[1] == self._classes]
        found = self._find_among(calls, tensors, fitting)
        if _differ([tensors[at] for at in fitting]):
            taken = "the first" if self._head is None else f"that of {self._name(self._head)}"
            self.rivals = (
                f"The model gives {len(fitting)} outputs that fit the {self._classes} classes: "
                f"{taken} is taken. For another give features=, as lambda model, batch: "
                "(embeddings, logits)."
            )
        return found

    def _find_among(
        self, calls: Sequence[_Call], tensors: Sequence[Any], fitting: Sequence[int]
    ) -> _Call | None:
        others = [at for at in range(len(tensors)) if at not in fitting]
        for is_same, is_layer in ((_is_output, False), (_is_softmax, True), (_is_log, False)):
            for position in [*fitting, *others]:
                for call in reversed(calls):
                    if is_same(call, tensors[position]):
                        self._logits = Logits(None if is_layer else position)
                        self._head = call.layer
                        self.count = tensors[position].shape[1]
                        return call
        if not tensors:
            return None
        position = [*fitting, *others][0]
        self._take_as_given(position, tensors[position])
        if changed := next((one for one in calls if _is_stored(one, tensors[position])), None):
            return changed
        if self._classes == self.count or self._logits is None or self._logits.are_probabilities:
            return next((one for one in reversed(calls) if _width(one) == self.count), None)
        return None

    def _take_as_given(self, position: int, tensor: Any) -> None:
        """Take a tensor that no linear layer gives."""
        rows = tensor.reshape(len(tensor), -1).float()
        are_probabilities = _sums_to_one(rows, _tolerance(tensor))
        self._logits = Logits(position, are_probabilities)
        self.count = rows.shape[1]
        in_range = bool(((rows >= 0) & (rows <= 1)).all())
        self.unclear = in_range and not are_probabilities and bool((rows != 0).any())

    def _find_layer(self, head: _Call | None, tensors: Sequence[Any]) -> None:
        if head is not None:
            self._layer = head.layer
        elif tensors and self._classes is not None and self.count != self._classes:
            self._output_is_embedding = True  # a module without a head gives embeddings
        else:
            self._check_not_scripted()
            raise CheckpointError(
                f"No linear layer of {type(self._model).__name__} gives its output, so where its "
                "embeddings are is not known. Name a layer with layer=, or give a function "
                "with features=."
            )

    def _check_not_scripted(self) -> None:
        import torch

        if isinstance(self._model, torch.jit.ScriptModule):
            raise CheckpointError(
                "The layers of a scripted module cannot be looked into. Give a function with "
                "features=, as lambda model, batch: (embeddings, logits)."
            )

    # -- reading

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images (B, ...) to embeddings (B, D) and logits (B, C) or None; both float32. Where the
        module gives probabilities, logits are their logarithms."""
        batch = self._moved(_doubled(pixels))
        if self._features is not None:
            embeddings, calls, tensors = self._by_function(batch)
        else:
            calls, tensors = self._forward(batch, self._read_layers())
            embeddings = self._embeddings(calls, tensors, len(batch))
        logits = self._logits_of(calls, tensors)
        count = len(pixels)
        return (
            embeddings[:count].float(),
            None if logits is None else logits[:count],
        )

    def _forward(self, batch: torch.Tensor, layers: Sequence[Any]) -> tuple[list[_Call], list[Any]]:
        """The calls of some layers, and of what the module gives all that may be logits."""
        calls: list[_Call] = []
        with _listening(layers, calls):
            tensors = _tensors(self._model(batch))
        return calls, [one for one in tensors if _is_logits(one, len(batch))]

    def _read_layers(self) -> list[Any]:
        found = (self._layer, self._head)
        return list({id(one): one for one in found if one is not None}.values())

    def _by_function(self, batch: torch.Tensor) -> tuple[Any, list[_Call], list[Any]]:
        assert self._features is not None
        calls: list[_Call] = []
        tensors: list[Any] = []
        result = self._features(self._model, batch)
        if isinstance(result, (tuple, list)):
            embeddings, tensors = result[0], list(result[1:2])
        else:
            embeddings = result
            if self._logits is not None:
                calls, tensors = self._forward(batch, self._read_layers())
        shape = tuple(getattr(embeddings, "shape", ()))
        if len(shape) != 2 or shape[0] != len(batch):
            raise CheckpointError(
                f"The function of features= gives {shape or type(embeddings).__name__}, not one "
                f"vector for each of {len(batch)} images."
            )
        return embeddings, calls, tensors

    def _embeddings(self, calls: Sequence[_Call], tensors: Sequence[Any], count: int) -> Any:
        if self._output_is_embedding:
            assert self._logits is not None and self._logits.position is not None
            return tensors[self._logits.position]
        calls = [call for call in calls if call.layer is self._layer]
        if not calls:
            self._check_not_scripted()
            raise CheckpointError(
                f"The layer {self.layer} takes no part in the forward pass. Name another with "
                "layer=."
            )
        found = calls[-1].input if self._is_input else calls[-1].output
        channels = _channels(self._layer, self._is_input)
        return _one_vector(found, count, channels, self._has_class_token(), self.layer)

    def _logits_of(self, calls: Sequence[_Call], tensors: Sequence[Any]) -> Any:
        if self._logits is None or self.count is None:
            return None
        position = self._logits.position
        given = [call.output for call in calls if call.layer is self._head]
        found = given[-1] if position is None else tensors[position]
        tolerance = _tolerance(found)
        found = found.reshape(len(found), -1).float()
        if not self._logits.are_probabilities:
            return found
        if not _sums_to_one(found, tolerance):
            raise CheckpointError(
                "The output of the model were probabilities for some images and are none for "
                "others. Give the logits with features=, as lambda model, batch: (embeddings, "
                "logits)."
            )
        return found.log()

    def leave_out_probabilities(self) -> None:
        """Read embeddings only."""
        if not self._output_is_embedding:
            self._logits = None
        self.count = None

    def _has_class_token(self) -> bool:
        names = (name.rpartition(".")[2] for name, _ in self._model.named_parameters())
        return self._is_input is False and any(name in CLASS_TOKENS for name in names)

    def _moved(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.to(self.device, self.dtype)


@contextmanager
def _listening(layers: Sequence[Any], calls: list[_Call]) -> Iterator[None]:
    """Add what goes in and out of some layers to ``calls``, but for scripted ones, which take no
    hooks; the hooks are gone afterwards."""
    import torch

    def note(layer: Any, inputs: Any, output: Any) -> None:
        given = _main_tensor(output)
        calls.append(_Call(layer, _copied(inputs[0] if inputs else None), _copied(given), given))

    open_layers = [one for one in layers if not isinstance(one, torch.jit.ScriptModule)]
    handles = [layer.register_forward_hook(note) for layer in open_layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# -- tensors


def _copied(value: Any) -> Any:
    """A tensor as it is now."""
    import torch

    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _doubled(batch: torch.Tensor) -> torch.Tensor:
    """At least two images: with one some modules give a tensor of another shape."""
    return batch if len(batch) > 1 else batch.repeat(2, *([1] * (batch.ndim - 1)))


def _tensors(output: Any) -> list[Any]:
    """The tensors that a module gives, its logits only where it names them."""
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    logits = output.get("logits") if isinstance(output, Mapping) else None
    logits = getattr(output, "logits", logits)
    if isinstance(logits, torch.Tensor):
        return [logits]
    values = output.values() if isinstance(output, Mapping) else output
    if not isinstance(values, (list, tuple)) and not isinstance(output, Mapping):
        return []
    found: list[Any] = []
    for value in values:
        found += _tensors(value) if isinstance(value, (torch.Tensor, list, tuple)) else []
    return found


def _is_logits(tensor: Any, count: int) -> bool:
    """Whether a tensor has a row of values for each image."""
    shape = tuple(getattr(tensor, "shape", ()))
    is_row = len(shape) >= 2 and all(size == 1 for size in shape[2:])
    return is_row and shape[0] == count and bool(tensor.is_floating_point())


def _tolerance(tensor: Any) -> float:
    import torch

    return max(MAX_ERROR, HALF_ERROR * torch.finfo(tensor.dtype).eps)


def _sums_to_one(rows: Any, tolerance: float) -> bool:
    off = (rows.sum(dim=-1) - 1).abs()
    return bool(rows.shape[1] > 1 and (rows >= 0).all() and (off < tolerance).all())


def _differ(tensors: Sequence[Any]) -> bool:
    """Whether logits or probabilities say different things."""
    import torch

    rows = [one.reshape(len(one), -1).float() for one in tensors]
    tolerances = [_tolerance(one) for one in tensors]
    likely = [
        one if _sums_to_one(one, tolerance) else one.softmax(dim=-1)
        for one, tolerance in zip(rows, tolerances, strict=True)
    ]
    return any(
        not torch.allclose(likely[0], one, atol=max(tolerances), equal_nan=True)
        for one in likely[1:]
    )


def _width(call: _Call) -> Any:
    """How many values a linear layer gives."""
    return getattr(call.layer, "out_features", getattr(call.layer, "out_channels", None))


def _is_output(call: _Call, tensor: Any) -> bool:
    """Whether a tensor is a layer's output, also seen in another shape."""
    return _is_stored(call, tensor) and _equal(call.output, tensor.reshape(call.output.shape))


def _is_stored(call: _Call, tensor: Any) -> bool:
    """Whether a tensor lies where a layer's output was."""
    return (
        hasattr(call.storage, "data_ptr")
        and call.storage.numel() == tensor.numel()
        and call.storage.data_ptr() == tensor.data_ptr()
    )


def _equal(one: Any, other: Any) -> bool:
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _is_softmax(call: _Call, tensor: Any) -> bool:
    """Whether a tensor is the softmax of a layer's output."""
    return _same_rows(call.output, tensor, lambda rows: rows)


def _is_log(call: _Call, tensor: Any) -> bool:
    """Whether a tensor has the same softmax as a layer's output, as its logarithm or a copy has."""
    return _same_rows(call.output, tensor, lambda rows: rows.softmax(dim=-1))


def _same_rows(output: Any, tensor: Any, of: Callable[[Any], Any]) -> bool:
    import torch

    if not _comparable(output, tensor) or tensor.shape[1] < 2:
        return False
    expected = output.reshape(len(output), -1).float().softmax(dim=-1)
    rows = of(tensor.reshape(len(tensor), -1).float())
    tolerance = _tolerance(tensor)
    return torch.allclose(rows, expected, rtol=tolerance, atol=tolerance / rows.shape[1])


def _comparable(output: Any, tensor: Any) -> bool:
    return (
        hasattr(output, "numel")
        and output.numel() == tensor.numel()
        and len(output) == len(tensor)
        and bool(output.is_floating_point())
    )


def _main_tensor(output: Any) -> Any:
    """The tensor of a layer's output that has its features."""
    for name in ("last_hidden_state", "x_norm_clstoken"):
        value = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if hasattr(value, "shape"):
            return value
    return output[0] if isinstance(output, (list, tuple)) and output else output


def _channels(layer: Any, is_input: bool) -> tuple[int | None, bool | None]:
    """How many features a layer takes or gives, and whether these come last; None where its type
    does not say."""
    side = "in" if is_input else "out"
    if width := getattr(layer, f"{side}_features", None):
        return int(width), True
    if width := getattr(layer, f"{side}_channels", None):
        return int(width), False
    if shape := getattr(layer, "normalized_shape", None):
        return int(shape[-1]), None
    width = getattr(layer, "num_features", None)
    return (int(width), None) if isinstance(width, int) else (None, None)


def _one_vector(
    tensor: Any, count: int, channels: tuple[int | None, bool | None], has_cls: bool, layer: str
) -> Any:
    """One vector for each image: of tokens the CLS token, else their mean; of a map its mean.
    Raises CheckpointError where it is not known which axis has the features."""
    shape = tuple(getattr(tensor, "shape", ()))
    if not 2 <= len(shape) <= 4 or shape[0] != count:
        raise CheckpointError(
            f"The {layer} has shape {shape or type(tensor).__name__}, which is not one vector, or "
            f"tokens, for each of {count} images. Give a function with features=."
        )
    if len(shape) == 2:
        return tensor
    last = _is_last(shape, *channels)
    if last is None:
        raise CheckpointError(
            f"The {layer} has shape {shape}, and which axis has the features is not known. Give "
            "a function with features= that takes one vector for each image."
        )
    if len(shape) == 3 and last:
        return tensor[:, 0] if has_cls else tensor.mean(dim=1)
    inner = tuple(range(1, len(shape) - 1)) if last else tuple(range(2, len(shape)))
    return tensor.mean(dim=inner)


def _is_last(shape: Sequence[int], width: int | None, declared: bool | None) -> bool | None:
    """Whether the features come last in a tensor of three or four axes; None where that is not
    known."""
    if declared is not None:
        return declared
    if width is not None and (shape[1] == width) != (shape[-1] == width):
        return shape[-1] == width
    if len(shape) == 3:
        return True if width is None or shape[-1] == width else None
    first_two, last_two = shape[1] == shape[2], shape[2] == shape[3]  # maps of square images
    return first_two if first_two != last_two else None
