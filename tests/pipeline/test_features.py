"""What a model gives for images: layouts of features, state that outlives weights, chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.device import Arithmetic
from review_embeddings.pipeline.models.encoder import Encoder
from review_embeddings.pipeline.models.features import TimmReader, Tokens, UnclearLayoutError


class Plain(nn.Module):
    """Two numbers of an image, and three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 2, 4)
        self.head = nn.Linear(2, 3)

    def weight(self) -> torch.Tensor:
        return self.body.weight

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        vectors = nn.functional.conv2d(pixels, self.weight(), self.body.bias).mean((2, 3))
        logits: torch.Tensor = self.head(vectors)
        return logits


class CachedInDict(Plain):
    """Keeps what it derived in a plain dict, until it is trained again."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: dict[str, torch.Tensor] = {}

    def weight(self) -> torch.Tensor:
        return self.cache.setdefault("weight", 2 * self.body.weight)


class LazyBuffer(Plain):
    """Makes a buffer that is not saved at the first call."""

    derived: torch.Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("derived", None, persistent=False)

    def weight(self) -> torch.Tensor:
        if self.derived is None:
            self.derived = self.body.weight**2
        return self.derived


class FoldedInEval(Plain):
    """Folds its weights when it is switched to inference."""

    def train(self, mode: bool = True) -> FoldedInEval:
        super().train(mode)
        self.folded = None if mode else self.body.weight.detach() * 3
        return self

    def weight(self) -> torch.Tensor:
        return self.body.weight if self.folded is None else self.folded


class CachedBelow(Plain):
    """A module of its own that caches, as the attention of LeViT."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = CachedInDict()

    def weight(self) -> torch.Tensor:
        return self.inner.weight()


class Normalised(Plain):
    """Weights that are computed from others before each pass."""

    def __init__(self) -> None:
        super().__init__()
        nn.utils.parametrizations.weight_norm(self.body)


class NormalisedByHook(Plain):
    """The same in the old way: a hook leaves the weight behind as a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nn.utils.weight_norm(self.body)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(pixels).mean((2, 3)))
        return logits


KINDS: list[Callable[[], Plain]] = [
    Plain,
    CachedInDict,
    LazyBuffer,
    FoldedInEval,
    CachedBelow,
    Normalised,
    NormalisedByHook,
]


def made(kind: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return kind().requires_grad_(False)


def encoder_of(model: nn.Module, dtype: torch.dtype = torch.float32) -> Encoder:
    device = torch.device("cpu")
    return Encoder(
        model,
        pooling="auto",
        device=device,
        arithmetic=Arithmetic(dtype),
        name="Checkpoint 1",
        missing=set(),
    )


def images(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_old_weights_remains(kind: Callable[[], Plain]) -> None:
    shared = encoder_of(made(kind, 0))
    shared.encode(images())
    for seed in (1, 2):
        anew = encoder_of(made(kind, seed))
        shared.take(made(kind, seed).state_dict(), torch.device("cpu"), name="Checkpoint 2")
        for ours, right in zip(shared.encode(images()), anew.encode(images()), strict=True):
            assert ours is not None and right is not None and torch.equal(ours, right)


def test_a_value_is_that_of_the_model_called_by_hand() -> None:
    model: Any = made(FoldedInEval, 3).eval()
    vectors, logits = encoder_of(made(FoldedInEval, 3)).encode(images())
    expected = nn.functional.conv2d(images(), 3 * model.body.weight, model.body.bias).mean((2, 3))
    assert torch.allclose(vectors, expected, atol=1e-6)
    assert logits is not None
    assert torch.allclose(logits, model.head(expected), atol=1e-6)


def test_a_precision_that_was_tried_leaves_nothing_behind() -> None:
    class WithTable(Plain):
        table: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.full((1,), 1.0001), persistent=False)

        def weight(self) -> torch.Tensor:
            return self.body.weight * self.table

    encoder, weights = encoder_of(made(WithTable, 0)), made(WithTable, 1).state_dict()
    for precision in ("fp16", "fp32"):
        encoder.cast(precision)
        encoder.take(weights, torch.device("cpu"), name="Checkpoint 2")
        vectors, _ = encoder.encode(images())
    assert torch.equal(vectors, encoder_of(made(WithTable, 1)).encode(images())[0])


def test_a_model_that_reaches_into_its_template_takes_no_weights() -> None:
    class Holding(Plain):
        def __init__(self) -> None:
            super().__init__()

            def run(pixels: torch.Tensor) -> Any:
                return self.body(pixels).mean((2, 3))

            self.run = run

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.run(pixels))
            return logits

    encoder = encoder_of(made(Holding, 0))
    encoder.encode(images())
    assert not encoder.can_take
    with pytest.raises(CheckpointError, match="cannot be copied"):
        encoder.take(made(Holding, 1).state_dict(), torch.device("cpu"), name="Checkpoint 2")


def test_a_model_that_cannot_be_copied_is_run_itself() -> None:
    class Closed(Plain):
        def __deepcopy__(self, memo: Any) -> Closed:
            raise TypeError("no copies")

    encoder = encoder_of(made(Closed, 0))
    assert not encoder.can_take
    assert torch.equal(encoder.encode(images())[0], encoder_of(made(Plain, 0)).encode(images())[0])


def test_chance_in_inference_is_refused() -> None:
    class Masking(Plain):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().forward(pixels * (torch.rand_like(pixels) > 0.5))

    with pytest.raises(CheckpointError, match="draws random numbers"):
        encoder_of(made(Masking, 0)).encode(images())


def test_the_probe_leaves_the_random_state_alone() -> None:
    encoder = encoder_of(made(Plain, 0))
    before = torch.get_rng_state()
    encoder.encode(images())
    assert torch.equal(torch.get_rng_state(), before)


def test_images_that_change_each_other_are_refused() -> None:
    class Mixing(Plain):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().forward(pixels - pixels.mean(0))

    class FirstBatch(Plain):
        first: torch.Tensor | None = None

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if self.first is None:
                self.first = pixels.mean(0)
            return super().forward(pixels - self.first)

    for kind in (Mixing, FirstBatch):
        with pytest.raises(CheckpointError, match="beside other images"):
            encoder_of(made(kind, 0)).encode(images())


# -- layouts of timm


class Staged(nn.Module):
    """A model of timm as far as it is looked at."""

    num_classes = 0

    def __init__(self, hidden: Any, width: int, **more: Any) -> None:
        super().__init__()
        self.hidden, self.num_features = hidden, width
        for name, value in more.items():
            setattr(self, name, value)

    def forward_features(self, pixels: torch.Tensor) -> Any:
        return self.hidden

    def forward_head(self, hidden: Any, pre_logits: bool = False) -> torch.Tensor:
        return torch.zeros(1, self.num_features)


def counted(*shape: int) -> torch.Tensor:
    return torch.arange(float(np.prod(shape))).reshape(1, *shape)


def read(hidden: Any, width: int, side: int = 8, **more: Any) -> Any:
    return TimmReader(Staged(hidden, width, **more), classifies=False)(
        torch.zeros(1, 3, side, side)
    )


def token(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))


def test_a_map_is_averaged_over_its_positions_whichever_axis_has_the_channels() -> None:
    last, first = counted(2, 2, 6), counted(6, 2, 2)
    assert torch.equal(read(last, 6).vectors["mean"], last.mean((1, 2)))
    assert torch.equal(read(first, 6).vectors["mean"], first.mean((2, 3)))


def test_sizes_that_agree_are_told_apart_by_the_layout_or_by_the_image() -> None:
    square = counted(2, 2, 2)
    assert "cannot be told" in read(square, 2).absent["mean"]
    named = read(square, 2, output_fmt="NHWC").vectors["mean"]
    assert torch.equal(named, square.mean((1, 2)))
    wide = counted(4, 2, 4)  # twice as high as wide: channels last, of an image of 8 x 4
    reader = TimmReader(Staged(wide, 4), classifies=False)
    assert torch.equal(reader(torch.zeros(1, 3, 8, 4)).vectors["mean"], wide.mean((1, 2)))


def test_tokens_that_are_no_patches_are_left_out_of_the_mean() -> None:
    tokens = counted(5, 3)
    declared = read(tokens, 3, num_prefix_tokens=2, cls_token=token(1, 1, 3))
    assert torch.equal(declared.vectors["mean"], tokens[:, 2:].mean(1))
    named = read(tokens, 3, cls_token=token(1, 1, 3))
    assert torch.equal(named.vectors["cls"], tokens[:, 0])
    assert torch.equal(named.vectors["mean"], tokens[:, 1:].mean(1))
    numbered = read(tokens, 3, cls_token1=token(1, 1, 2), cls_token2=token(1, 1, 3))
    assert torch.equal(numbered.vectors["mean"], tokens[:, 1:].mean(1))


def test_tokens_that_are_no_grid_over_the_image_are_not_averaged() -> None:
    unclear = read(counted(6, 3), 3, cls_token=token(1, 1, 3))
    assert "which of them are patches" in unclear.absent["mean"] and "cls" in unclear.vectors
    alone = read(counted(1, 3), 3, cls_token=token(1, 1, 3))
    assert "class tokens alone" in alone.absent["mean"]


def test_a_class_token_of_a_pooling_by_attention_is_none_of_the_features() -> None:
    class Pool(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_token = token(1, 1, 3)

    tokens = counted(4, 3)
    found = read(tokens, 3, attn_pool=Pool())
    assert "cls" not in found.vectors
    assert torch.equal(found.vectors["mean"], tokens.mean(1))


def test_sets_of_features_are_put_one_after_the_other_or_refused() -> None:
    sets = [counted(2, 5), counted(3, 9)]
    found = read(sets, 5)
    assert torch.equal(found.vectors["mean"], torch.cat([one.mean(2) for one in sets], 1))
    branches = [counted(5, 2), counted(17, 3)]
    found = read(branches, 5, cls_token_0=token(1, 1, 2), cls_token_1=token(1, 1, 3))
    means = torch.cat([one[:, 1:].mean(1) for one in branches], 1)
    assert torch.equal(found.vectors["mean"], means)
    assert "no mean in common" in read([counted(5, 2), counted(5, 2)], 2).absent["mean"]


def test_a_sequence_of_channels_is_told_from_tokens() -> None:
    channels = counted(6, 4)
    assert torch.equal(read(channels, 6).vectors["mean"], channels.mean(2))
    assert "cannot be told" in read(counted(4, 4), 4).absent["mean"]


def test_what_a_timm_model_computes_apart_from_its_features_is_refused() -> None:
    class Apart(Staged):
        num_classes = 2

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.ones(1, 2)

        def forward_head(self, hidden: Any, pre_logits: bool = False) -> torch.Tensor:
            return torch.tensor([[1.0, 2.0]])

    with pytest.raises(CheckpointError, match="in another way"):
        TimmReader(Apart(counted(4, 2), 2), classifies=True).check(
            torch.zeros(1, 3, 8, 8), name="It"
        )


def test_counts_of_patches_are_held_against_the_configuration() -> None:
    hidden = counted(6, 3)
    assert isinstance(Tokens.after(hidden, 1, 5), Tokens)
    unclear = Tokens.after(hidden, 1, 4)
    assert isinstance(unclear, UnclearLayoutError) and "6 tokens for 4 patches" in str(unclear)
