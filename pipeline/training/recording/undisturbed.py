"""Gives back a process and a module as they were before a forward pass in the middle of a training:
random numbers, modes, hooks, caches, buffers and other tensors that are not trained. Computes
nothing."""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

CONTAINERS = (dict, OrderedDict, list, set, deque)
"""Types of attributes of a module whose content is given back too: hooks, caches, counters."""

MAX_COPIED = 2**18
"""Values of the largest tensor that is copied though it is no buffer, to give it back."""


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Give back the random state of Python, NumPy and torch on every device in use."""
    import torch

    cuda = bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # torch's, untyped
    devices = range(torch.cuda.device_count()) if cuda else ()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    of_cuda = [torch.cuda.get_rng_state(device) for device in devices]
    of_mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        for device, state in zip(devices, of_cuda, strict=True):
            torch.cuda.set_rng_state(state, device)
        if of_mps is not None:
            torch.mps.set_rng_state(of_mps)


@contextmanager
def full_precision() -> Iterator[None]:
    """Full float32 products whatever the training has switched on, as later when a checkpoint is
    embedded from its file."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """The module as it computes outside a training, without gradients, compilation or autocast;
    every part of it afterwards as it was.

    Modes are set without `train` and `eval`: some modules change their weights in these (merged
    adapters), and a merge that is undone is not the same bits.
    """
    import torch

    parts = [_Part(module) for module in model.modules()]
    device = next((one.device.type for one in model.parameters()), "cpu")
    with ExitStack() as stack:
        for part in parts:
            stack.callback(part.give_back)
        for part in parts:
            part.evaluate()
        stack.enter_context(torch.no_grad())
        for kind in filter(torch.amp.is_autocast_available, {device, "cpu"}):
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


class _Part:
    """A module without its children, and everything in it as it is now."""

    def __init__(self, module: Any) -> None:
        import torch

        self._module = module
        self._mode = bool(module.training)
        is_script = isinstance(module, torch.jit.ScriptModule)  # what it is lies outside Python
        self._values = {} if is_script else dict(vars(module))
        self._contents = {
            name: _content(value)
            for name, value in self._values.items()
            if type(value) in CONTAINERS
        }
        buffers = {id(one) for one in module.buffers(recurse=False)}
        self._tensors = [_Kept(one, id(one) in buffers) for one in self._own_tensors()]

    def _own_tensors(self) -> list[Any]:
        """Parameters, buffers, and the tensors among its attributes and in these."""
        import torch

        found = [*self._module.parameters(recurse=False), *self._module.buffers(recurse=False)]
        for content in [self._values.items(), *self._contents.values()]:
            found += [
                one[1] if isinstance(one, tuple) and len(one) == 2 else one for one in content
            ]
        return list({id(one): one for one in found if isinstance(one, torch.Tensor)}.values())

    def evaluate(self) -> None:
        self._set_mode(False)
        if original := self._values.get("_original_forward"):  # accelerate's, without its autocast
            self._module.forward = original

    def give_back(self) -> None:
        values = vars(self._module)
        for name in [name for name in values if self._values and name not in self._values]:
            del values[name]
        for name, value in self._values.items():
            if values.get(name, self) is not value:
                values[name] = value
        for name, content in self._contents.items():
            _set_content(self._values[name], content)
        for tensor in self._tensors:
            tensor.give_back()
        self._set_mode(self._mode)

    def _set_mode(self, mode: bool) -> None:
        import torch

        if isinstance(self._module, torch.jit.ScriptModule):
            self._module.train(mode)
        elif bool(self._module.training) != mode:
            self._module.training = mode


class _Kept:
    """A tensor as it is now: where it lies, and its values where these are copied."""

    def __init__(self, tensor: Any, is_buffer: bool) -> None:
        self._tensor = tensor
        self._place = tensor.detach() if _is_plain(tensor) else None
        is_small = not tensor.requires_grad and tensor.numel() <= MAX_COPIED
        self._before = tensor.detach().clone() if is_buffer or is_small else None

    def give_back(self) -> None:
        place = self._place
        if place is not None and _geometry(self._tensor) != _geometry(place):
            self._tensor.data = place  # resized, or on other memory
        if self._before is not None:
            _set_tensor(self._tensor, self._before)


def _is_plain(tensor: Any) -> bool:
    """Whether a tensor is one block of memory and no subclass with a logic of its own."""
    import torch

    is_torch = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    return is_torch and tensor.layout == torch.strided and not tensor.is_meta


def _geometry(tensor: Any) -> tuple[Any, ...]:
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _content(value: Any) -> list[Any]:
    return list(value.items()) if isinstance(value, dict) else list(value)


def _set_content(value: Any, content: list[Any]) -> None:
    """Give a container its content back, where that is another one now."""
    now = _content(value)
    pairs = isinstance(value, dict)
    same = len(now) == len(content) and all(
        (a[0] is b[0] and a[1] is b[1]) if pairs else a is b
        for a, b in zip(now, content, strict=True)
    )
    if same:
        return
    value.clear()
    getattr(value, "update" if isinstance(value, (dict, set)) else "extend")(content)


def _set_tensor(tensor: Any, before: Any) -> None:
    """Give a tensor its values back, where it has others: a write would be seen by autograd."""
    import torch

    same = tensor.shape == before.shape and bool(
        ((tensor == before) | ((tensor != tensor) & (before != before))).all()
    )
    if not same:
        with torch.no_grad():
            tensor.copy_(before)
