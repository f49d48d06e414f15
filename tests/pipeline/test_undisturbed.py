"""A forward pass in the middle of a training leaves nothing behind."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from review_embeddings.pipeline.training.recording.undisturbed import (
    evaluating,
    full_precision,
    random_numbers_kept,
)


class Remembering(nn.Module):
    """A module that keeps things in a forward pass, as some do, and merges in ``train``."""

    seen: Any

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.frozen = nn.BatchNorm1d(3).eval()
        self.register_buffer("seen", torch.zeros(()))
        self.cache: dict[str, Any] = {}
        self.history: list[Any] = []
        self.calls = 0
        self.merged = 0

    def train(self, mode: bool = True) -> Remembering:
        self.merged += 1
        return super().train(mode)

    def forward(self, x: Any) -> Any:
        if not self.training and "bias" not in self.cache:
            self.cache["bias"] = self.linear.bias.detach().clone()
        self.calls += 1
        self.history.append(x)
        self.seen += 1
        self.latest = x
        self.register_forward_hook(lambda *_: None)
        return self.frozen(self.norm(self.linear(x))) + self.cache.get("bias", self.linear.bias)


def state_of(model: Remembering) -> list[Any]:
    modes = [one.training for one in model.modules()]
    hooks = [len(one._forward_hooks) for one in model.modules()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    kept = (dict(model.cache), list(model.history), model.calls, model.merged)
    return [modes, hooks, weights, kept, hasattr(model, "latest"), sorted(vars(model))]


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    else:
        assert one == other


@pytest.mark.parametrize("fails", [False, True])
def test_everything_in_a_module_is_as_before(fails: bool) -> None:
    model = Remembering().train()
    model.frozen.eval()
    model(torch.randn(4, 3)).sum().backward()
    gradients = [one.grad.clone() for one in model.parameters() if one.grad is not None]
    before, frozen = state_of(model), model.frozen.training
    try:
        with evaluating(model):
            assert not any(one.training for one in model.modules())
            assert not model(torch.randn(2, 3)).requires_grad
            if fails:
                raise MemoryError
    except MemoryError:
        pass
    for one, other in zip(before, state_of(model), strict=True):
        assert_same(one, other)
    after = [one.grad for one in model.parameters() if one.grad is not None]
    assert all(map(torch.equal, gradients, after)) and torch.is_grad_enabled()
    assert model.frozen.training == frozen


def test_a_cache_of_the_evaluation_does_not_outlive_new_weights() -> None:
    """LeViT keeps its biases from the first forward pass until `train` is called."""
    model = Remembering().train()
    for value in (1.0, 2.0):
        with torch.no_grad():
            model.linear.bias.fill_(value)
            model.linear.weight.zero_()
        with evaluating(model):
            assert torch.allclose(model(torch.ones(2, 3)), torch.full((2, 3), 2 * value), atol=1e-4)


class Tracking(nn.Module):
    """Changes tensors in ways that assign no attribute."""

    range: Any
    other: Any

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.center = nn.Parameter(torch.zeros(3), requires_grad=False)
        self.count, self.kept = torch.zeros(2), [torch.zeros(2)]
        self.register_buffer("range", torch.empty(0))
        self.register_buffer("other", torch.ones(2))

    def forward(self, x: Any) -> Any:
        with torch.no_grad():
            self.center.add_(1)
            self.count.add_(1)
            self.kept[0].add_(1)
            self.range.resize_(5).fill_(7)
            self.other.set_(torch.full((4,), 3.0))
            self.linear.weight.data = self.linear.weight.data * 2
        return self.linear(x)


def test_tensors_that_are_resized_or_changed_in_place_are_as_before() -> None:
    model = Tracking().train()
    tensors = [*model.parameters(), *model.buffers(), model.count, *model.kept]
    before = [(one.data_ptr(), one.clone()) for one in tensors]
    other = model.other
    with evaluating(model):
        model(torch.ones(2, 3))
        assert model.range.shape == (5,) and model.other.shape == (4,)
    assert model.other is other
    for tensor, (place, values) in zip(tensors, before, strict=True):
        assert torch.equal(tensor, values)
        assert tensor.data_ptr() == place or not tensor.numel()


@pytest.mark.filterwarnings("ignore")  # torch's own, of what it will remove
def test_observers_of_a_quantization_aware_training_have_seen_nothing() -> None:
    quantization: Any = pytest.importorskip("torch.ao.quantization")
    model: Any = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).train()
    model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    quantization.prepare_qat(model, inplace=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with evaluating(model):
        model(torch.randn(2, 3))
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_graph_that_waits_for_its_backward_pass_is_not_broken() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).train()
    twin = copy.deepcopy(model)
    x = torch.randn(4, 3)
    loss, other = model(x).sum(), twin(x).sum()
    with evaluating(model):
        model(torch.randn(2, 3))
    loss.backward()
    other.backward()
    assert all(
        torch.equal(a.grad, b.grad)  # type: ignore[arg-type]  # both are there
        for a, b in zip(model.parameters(), twin.parameters(), strict=True)
    )


def test_autocast_and_compilation_are_off_inside_and_on_again_after() -> None:
    model = torch.compile(nn.Linear(3, 3), backend="eager")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with evaluating(model):
            assert model(torch.ones(1, 3)).dtype == torch.float32
        assert model(torch.ones(1, 3)).dtype == torch.bfloat16


def test_random_numbers_and_precision_are_given_back() -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(1))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    with pytest.raises(KeyError), random_numbers_kept(), full_precision():
        random.random(), np.random.rand(), torch.rand(1)
        raise KeyError
    assert (random.random(), np.random.rand(), float(torch.rand(1))) == expected
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
