"""A model that never runs, from which the models that run are copied.

A forward pass may leave something behind that outlives new weights: a cache of biases, a buffer
made at the first call, weights folded in ``eval()``. A copy shares the parameters and nothing else
with the template, so that what one copy leaves behind is never seen by the next.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Template:
    """Weights of one model after the other, in a module that never runs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.can_copy = True
        """Whether copies are whole: one whose parts still run in the template is not."""

    def take(
        self, weights: Mapping[str, torch.Tensor], device: torch.device, dtype: torch.dtype
    ) -> None:
        """Take over the weights of a model of the same kind."""
        for parameter in self.model.parameters():
            parameter.data = parameter.data.to(device, _kind_in(parameter, dtype))
        self.model.load_state_dict(weights)

    def fresh(self, device: torch.device, dtype: torch.dtype) -> Any:
        """A module that has these weights and has not run, in ``dtype``; the model itself where it
        cannot be copied."""
        module = self._copy() if self.can_copy else self.model
        # as after loading: what a module derives from its weights in train() or eval() is made anew
        module.train()
        module.eval()
        return module.to(device, dtype)

    def _copy(self) -> Any:
        known = {id(parameter): parameter for parameter in self.model.parameters()}
        known.update({id(tensor): tensor.detach().clone() for tensor in _derived(self.model)})
        try:
            return copy.deepcopy(self.model, known)
        except Exception:  # what a module of another library holds that cannot be copied is endless
            self.can_copy = False
            return self.model

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notice whether any module of the template runs meanwhile: then copies still reach into
        it, by a function that holds on to it."""

        own = {id(module) for module in self.model.modules()}

        def ran(module: Any, inputs: Any) -> None:
            self.can_copy = self.can_copy and id(module) not in own  # copies have this hook, too

        handles = [module.register_forward_pre_hook(ran) for module in self.model.modules()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _derived(model: Any) -> Iterator[torch.Tensor]:
    """Tensors that are plain attributes and were computed from parameters: torch copies no part of
    a graph."""
    import torch

    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                yield value


def _kind_in(parameter: torch.Tensor, dtype: torch.dtype) -> torch.dtype:
    """The type of a parameter in a model of ``dtype``: integers stay what they are."""
    return dtype if parameter.is_floating_point() else parameter.dtype
