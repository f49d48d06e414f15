"""What a model computes for images, in one layout for all families: the CLS token, the pooled
output, the mean over the patches, and the logits.

Where the channels of an output stand and which of its tokens are no patches is taken from the model
and from sizes; what these leave open is refused, never guessed. Loads nothing and moves nothing.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.classifier import logits_of, size_options
from review_embeddings.pipeline.models.config import CLASSIFIERS

if TYPE_CHECKING:
    import torch

CLASS_TOKENS = {"cls_token", "class_embedding", "class_token"}
"""What families call the parameter of their CLS token, without the number of a branch or stage."""

DISTILLATION_TOKENS = {"dist_token", "distillation_token"}

POOLINGS = ("cls", "pooled", "mean")
"""In the order in which ``auto`` takes the first that there is."""


class UnclearLayoutError(Exception):
    """Why a vector of a model cannot be told, as the end of a sentence that names the model."""


@dataclass(frozen=True)
class Features:
    """What one forward pass gives for B images."""

    vectors: Mapping[str, torch.Tensor]
    """By `POOLINGS`, each of shape (B, D): those that the model has."""
    logits: torch.Tensor | None
    """Shape (B, C); None without a head."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why a vector is not there, by its pooling, as the end of a sentence that names the model."""

    def pick(self, pooling: str, *, name: str) -> tuple[str, torch.Tensor]:
        """The pooling that is taken, and its vectors. Raises CheckpointError where the model has
        none of this pooling."""
        wanted = POOLINGS if pooling == "auto" else (pooling,)
        for one in wanted:
            if one in self.vectors:
                return one, self.vectors[one]
        reason = self.absent[wanted[-1]]
        others = ", ".join(self.vectors)
        helps = f"Use --pooling {others} or auto" if others else "It cannot be embedded"
        raise CheckpointError(f"{name} {reason}. {helps}.")


class Reader(Protocol):
    """Takes images through a model."""

    def __call__(self, pixels: torch.Tensor) -> Features:
        """One forward pass with pixel values (B, 3, height, width)."""

    def check(self, pixels: torch.Tensor, *, name: str) -> None:
        """Raise CheckpointError where what is read is not what the model itself computes: by
        default it is, being kept in its own forward pass."""
        return


def reader_of(model: Any, missing: set[str]) -> Reader:
    """What reads a model of transformers or timm, or any other module; ``missing`` names the
    tensors that were not trained."""
    timm = getattr(model, "timm_model", model)
    if hasattr(timm, "forward_features") and hasattr(timm, "forward_head"):
        classifies = _is_classifier(model) if timm is not model else bool(timm.num_classes)
        return TimmReader(timm, classifies=classifies)
    if hasattr(model, "base_model") and hasattr(model, "config"):
        return TransformersReader(model, missing)
    return PlainReader(model)


def _is_classifier(model: Any) -> bool:
    return type(model).__name__.endswith(CLASSIFIERS)


class TransformersReader(Reader):
    """Reads a model of transformers by hooks on its inner model and on its last linear layer."""

    def __init__(self, model: Any, missing: set[str]) -> None:
        self._model = model
        self._classifies = _is_classifier(model)
        self._pooler_trained = not any("pooler" in name for name in missing)
        self._tower: Any = model
        self._output: Any = None
        self._head_input: Any = None
        base = model.base_model
        self._is_whole = base is model and self._classifies
        for module in model.children() if self._is_whole else [base]:
            if module is not model:
                module.register_forward_hook(self._keep_output)
        if self._is_whole and (last := _last_linear(model)) is not None:
            last.register_forward_pre_hook(self._keep_input)

    def _keep_output(self, module: Any, inputs: Any, output: Any) -> None:
        if getattr(output, "last_hidden_state", None) is not None:
            self._tower, self._output = module, output

    def _keep_input(self, module: Any, inputs: Any) -> None:
        self._head_input = inputs[0]

    def __call__(self, pixels: torch.Tensor) -> Features:
        """One forward pass."""
        options = {**size_options(self._model, pixels), **_unmasked(self._model, pixels)}
        output = self._model(pixel_values=pixels, **options)
        inner, entered = self._inner(output), self._head_input
        self._output = self._head_input = None
        pooled = self._pooled(inner, entered)
        logits = logits_of(output) if self._classifies else None
        return _features(self._parts(inner, pooled, pixels), pooled, logits)

    def _inner(self, output: Any) -> Any:
        """The output of what is below the head; of a model without one its own, because what it
        calls its base model may end before the last normalisation, as in DINOv3."""
        is_bare = not self._classifies and hasattr(output, "last_hidden_state")
        return output if is_bare or self._output is None else self._output

    def _pooled(self, inner: Any, entered: Any) -> torch.Tensor | None:
        pooled = getattr(inner, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1) if self._pooler_trained else None
        return entered if entered is not None and entered.ndim == 2 else None

    def _parts(self, inner: Any, pooled: torch.Tensor | None, pixels: torch.Tensor) -> Parts:
        hidden: Any = getattr(inner, "last_hidden_state", None)
        if getattr(hidden, "ndim", 0) not in {3, 4}:
            return Parts(None, UnclearLayoutError("gives no features of single patches to average"))
        tower = self._tower if self._classifies else self._model
        config = getattr(tower, "config", self._model.config)
        separate = getattr(inner, "cls_token_value", None)
        if hidden.ndim == 4:
            widths = [*_widths(config), *([] if pooled is None else [pooled.shape[1]])]
            tokens = Tokens.of_map(hidden, widths, pixels)
            return Parts(None if separate is None else separate[:, 0], tokens)
        count = _class_tokens(tower, hidden.shape[-1])
        if not count:
            summary = 1 if _starts_with(hidden, pooled) else 0
            return Parts(None, Tokens.after(hidden, summary))
        count += int(getattr(config, "num_register_tokens", 0) or 0)
        tokens = Tokens.after(hidden, count, _patches(config, pixels))
        return Parts(hidden[:, 0], tokens)


class TimmReader(Reader):
    """Reads a model of timm, through its own division into features and head."""

    def __init__(self, model: Any, *, classifies: bool) -> None:
        self._model = model
        self._classifies = classifies
        self._widths = [
            int(width)
            for name in ("num_features", "head_hidden_size")
            if isinstance(width := getattr(model, name, None), int)
        ]

    def __call__(self, pixels: torch.Tensor) -> Features:
        """One forward pass."""
        hidden = self._model.forward_features(pixels)
        pooled = self._model.forward_head(hidden, pre_logits=True)
        logits = self._model.forward_head(hidden) if self._classifies else None
        is_vector = hasattr(pooled, "ndim") and pooled.ndim == 2
        return _features(self._parts(hidden, pixels), pooled if is_vector else None, logits)

    def check(self, pixels: torch.Tensor, *, name: str) -> None:
        """Whether features and head in turn give the logits of the model's own forward pass."""
        own, logits = self._model(pixels), self(pixels).logits
        if logits is not None and not _is_near(own, logits):
            raise CheckpointError(
                f"{name} computes its classes in another way than by its features and its head "
                f"({type(self._model).__name__}), and what stands for the embedding is not known."
            )

    def _parts(self, hidden: Any, pixels: torch.Tensor) -> Parts:
        if isinstance(hidden, (list, tuple)):
            return Parts(None, Tokens.of_branches(hidden, self._widths, self._prefix()[0]))
        if not hasattr(hidden, "ndim"):
            return Parts(None, UnclearLayoutError("gives no single set of features to average"))
        if hidden.ndim == 4:
            layout = getattr(self._model, "output_fmt", None)
            return Parts(None, Tokens.of_map(hidden, self._widths, pixels, layout))
        if hidden.ndim != 3:
            return Parts(None, UnclearLayoutError("gives no features of single patches to average"))
        return self._parts_of_tokens(hidden, pixels)

    def _parts_of_tokens(self, hidden: torch.Tensor, pixels: torch.Tensor) -> Parts:
        prefix, is_declared = self._prefix()
        has_class = bool(_own_class_tokens(self._model)) and prefix > 0
        if has_class and hidden.shape[2] in self._widths:
            patches = None if is_declared else Tokens.after_in_grid(hidden, prefix, pixels)
            return Parts(hidden[:, 0], patches or Tokens.after(hidden, prefix))
        return Parts(None, Tokens.of_sequence(hidden, self._widths, prefix, is_declared))

    def _prefix(self) -> tuple[int, bool]:
        """How many tokens stand before those of the patches, and whether the model says so
        itself."""
        declared = getattr(self._model, "num_prefix_tokens", None)
        if isinstance(declared, int):
            return declared, True
        named = self._model.named_parameters(recurse=False)
        tokens = [value for name, value in named if name in DISTILLATION_TOKENS]
        tokens += _own_class_tokens(self._model)[-1:]  # a stage or branch has one of its own
        return sum(value.shape[1] for value in tokens if value.ndim == 3), False


class PlainReader(Reader):
    """Reads any module by what enters its last linear layer, which is taken for its head."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._entered: Any = None
        self._has_head = (last := _last_linear(model)) is not None
        if last is not None:
            last.register_forward_pre_hook(self._keep_input)

    def _keep_input(self, module: Any, inputs: Any) -> None:
        self._entered = inputs[0]

    def __call__(self, pixels: torch.Tensor) -> Features:
        """One forward pass."""
        output = self._model(pixels)
        entered, self._entered = self._entered, None
        vector = output if entered is None else entered
        reason = UnclearLayoutError("gives no features of single patches to average")
        logits = output if self._has_head else None
        return _features(Parts(None, reason), vector.flatten(1), logits)


@dataclass(frozen=True)
class Tokens:
    """Features of the patches of images, still as the model gives them."""

    values: tuple[torch.Tensor, ...]
    axes: tuple[int | tuple[int, ...], ...]
    """Of each, the axes that are averaged."""

    def mean(self) -> torch.Tensor:
        """Over the patches, shape (B, D)."""
        import torch

        means = [value.mean(dim=axes) for value, axes in zip(self.values, self.axes, strict=True)]
        return means[0] if len(means) == 1 else torch.cat(means, dim=1)

    @staticmethod
    def after(
        hidden: torch.Tensor, prefix: int, patches: int | None = None
    ) -> Tokens | UnclearLayoutError:
        """The tokens (B, T, D) behind the first ``prefix``; ``patches`` is how many there should
        be."""
        left = hidden.shape[1] - prefix
        if left < 1:
            return UnclearLayoutError("gives its class tokens alone and no patches to average")
        if patches not in {None, left}:
            return UnclearLayoutError(
                f"gives {hidden.shape[1]} tokens for {patches} patches, and which are no patches "
                f"is not known"
            )
        return Tokens((hidden[:, prefix:],), (1,))

    @staticmethod
    def after_in_grid(
        hidden: torch.Tensor, prefix: int, pixels: torch.Tensor
    ) -> Tokens | UnclearLayoutError:
        """The same where only the names of parameters tell the prefix: what is left has to be a
        grid over the image."""
        left = hidden.shape[1] - prefix
        if left > 0 and left not in set(_grid_sizes(*pixels.shape[2:])):
            return UnclearLayoutError(
                f"gives {hidden.shape[1]} tokens, and which of them are patches is not known"
            )
        return Tokens.after(hidden, prefix)

    @staticmethod
    def of_sequence(
        hidden: torch.Tensor, widths: Sequence[int], prefix: int, is_declared: bool
    ) -> Tokens | UnclearLayoutError:
        """Tokens (B, T, D) or a sequence of channels (B, D, T), told apart by D."""
        first, second = (size in widths for size in hidden.shape[1:])
        if second and (not first or is_declared):
            return Tokens.after(hidden, prefix)
        if first and not second:
            return Tokens((hidden,), (2,))
        shape = "x".join(map(str, hidden.shape[1:]))
        return UnclearLayoutError(
            f"gives features of {shape}, of which channels cannot be told from positions"
        )

    @staticmethod
    def of_map(
        hidden: torch.Tensor,
        widths: Sequence[int],
        pixels: torch.Tensor,
        layout: str | None = None,
    ) -> Tokens | UnclearLayoutError:
        """A map (B, D, h, w) or (B, h, w, D): told apart by what the model says, by D, and by the
        map having the proportions of the image."""
        _, first, second, third = hidden.shape
        if layout in LAYOUTS:
            return Tokens((hidden.flatten(2),), (2,)) if layout == NCHW else _last(hidden)
        options = {NCHW: first, NHWC: third}
        fitting = [one for one, size in options.items() if size in widths] or list(options)
        if len(fitting) > 1:
            grids = {NCHW: (second, third), NHWC: (first, second)}
            fitting = [one for one in fitting if _in_proportion(grids[one], pixels.shape[2:])]
        if len(fitting) != 1:
            shape = "x".join(map(str, hidden.shape[1:]))
            return UnclearLayoutError(
                f"gives a map of {shape}, of which channels cannot be told from positions"
            )
        return Tokens((hidden.flatten(2),), (2,)) if fitting == [NCHW] else _last(hidden)

    @staticmethod
    def of_branches(
        hidden: Sequence[torch.Tensor], widths: Sequence[int], prefix: int
    ) -> Tokens | UnclearLayoutError:
        """Several sets of tokens or of channels, one after the other, where they have as many
        numbers together as the model has features."""
        if all(getattr(one, "ndim", 0) == 3 for one in hidden):
            axes = [axis for axis in (1, 2) if sum(one.shape[axis] for one in hidden) in widths]
            if axes == [2]:
                return Tokens(tuple(one[:, prefix:] for one in hidden), (1,) * len(hidden))
            if axes == [1]:
                return Tokens(tuple(hidden), (2,) * len(hidden))
        return UnclearLayoutError(
            f"gives {len(hidden)} sets of features, which have no mean in common"
        )


NCHW, NHWC = "NCHW", "NHWC"
LAYOUTS = {NCHW, NHWC}
"""How timm calls the two layouts of a map."""


@dataclass(frozen=True)
class Parts:
    """What stands in the hidden state of a forward pass."""

    cls: torch.Tensor | None
    """Shape (B, D)."""
    tokens: Tokens | UnclearLayoutError


def _last(hidden: torch.Tensor) -> Tokens:
    return Tokens((hidden,), ((1, 2),))


def _features(parts: Parts, pooled: torch.Tensor | None, logits: torch.Tensor | None) -> Features:
    vectors, absent = {}, {}
    if parts.cls is None:
        absent["cls"] = "has no CLS token"
    else:
        vectors["cls"] = parts.cls
    if pooled is None:
        absent["pooled"] = "has no pooled output"
    else:
        vectors["pooled"] = pooled
    if isinstance(parts.tokens, UnclearLayoutError):
        absent["mean"] = str(parts.tokens)
    else:
        vectors["mean"] = parts.tokens.mean()
    return Features(vectors, logits, absent)


def _is_near(one: Any, other: torch.Tensor) -> bool:
    """To the noise of half precision."""
    import torch

    return isinstance(one, torch.Tensor) and torch.allclose(
        one.float(), other.float(), rtol=0.05, atol=0.05 * float(other.abs().max()), equal_nan=True
    )


def _last_linear(model: Any) -> Any | None:
    import torch

    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    return layers[-1] if layers else None


def _class_tokens(module: Any, width: int) -> int:
    """How many tokens of a class and of distillation a module of transformers puts before the
    patches; 0 where it has no class token."""
    names = {
        name.rpartition(".")[2]
        for name, value in module.named_parameters()
        if value.numel() == width
    }
    if not names & CLASS_TOKENS:
        return 0
    return 1 + bool(names & DISTILLATION_TOKENS)


def _own_class_tokens(model: Any) -> list[torch.Tensor]:
    """The class tokens of a timm model, without those of a pooling by attention."""
    named = ((*name.rpartition("."), value) for name, value in model.named_parameters())
    return [
        value
        for owner, _, name, value in named
        if name.rstrip("0123456789").rstrip("_") in CLASS_TOKENS and "pool" not in owner
    ]


def _starts_with(hidden: torch.Tensor, pooled: torch.Tensor | None) -> bool:
    """Whether the first of several tokens is the pooled output itself, as in DINOv3's ConvNeXt."""
    import torch

    if pooled is None or pooled.shape != hidden[:, 0].shape or hidden.shape[1] == 1:
        return False
    return torch.equal(hidden[:, 0], pooled)


def _widths(config: Any) -> list[int]:
    """The numbers of features that a configuration of transformers names for its last layer."""
    values = [getattr(config, name, None) for name in ("hidden_sizes", "embed_dims", "embed_dim")]
    lasts = [value[-1] for value in values if isinstance(value, (list, tuple)) and value]
    return [int(one) for one in [*lasts, getattr(config, "hidden_size", None)] if one]


def _patches(config: Any, pixels: torch.Tensor) -> int | None:
    """How many patches a configuration of transformers cuts images into; None where it does not
    say."""
    size = getattr(config, "patch_size", None)
    sides = (size, size) if isinstance(size, int) else size
    if not isinstance(sides, (list, tuple)) or len(sides) != 2:
        return None
    return math.prod(edge // int(side) for edge, side in zip(pixels.shape[2:], sides, strict=True))


def _grid_sizes(height: int, width: int) -> Iterator[int]:
    """Numbers of patches of square grids over an image."""
    for stride in range(1, min(height, width) + 1):
        yield math.ceil(height / stride) * math.ceil(width / stride)
        yield (height // stride) * (width // stride)


def _in_proportion(grid: Sequence[int], image: Sequence[int]) -> bool:
    """Whether a grid of h x w cells has the proportions of an image, to a cell."""
    (height, width), (rows, columns) = grid, image
    return abs(height * columns - width * rows) < max(rows, columns)


def _unmasked(model: Any, pixels: torch.Tensor) -> dict[str, Any]:
    """What lets an autoencoder that masks at random see all patches, in their order."""
    import torch

    if getattr(model.config, "mask_ratio", None) is None:
        return {}
    model.config.mask_ratio = 0.0
    count = _patches(model.config, pixels)
    if count is None or "noise" not in inspect.signature(type(model).forward).parameters:
        return {}
    return {"noise": torch.arange(count, device=pixels.device).expand(len(pixels), -1)}
