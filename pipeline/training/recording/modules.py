"""Finds its way in any module of torch: the module inside its wrappers, its device, and its layers
by name and by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError

if TYPE_CHECKING:
    import torch

WRAPPERS = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
    "AveragedModel": "module",
    "ModelEmaV2": "module",
    "ModelEmaV3": "module",
    "_FabricModule": "_original_module",
}
"""By which attribute the classes of compilation, distributed training and averaging hold the module
itself."""

SHARDED = (
    "The weights of the model are spread over processes or not in memory (FSDP, DeepSpeed, "
    "offloading), so one process cannot embed with it."
)


def bare_module(model: Any) -> Any:
    """The module itself, without the wrappers of compilation and distributed training. Raises
    CheckpointError where its weights are spread over processes or not there yet."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise CheckpointError(f"The model is a {type(model).__name__}, no module of torch.")
    while inner := WRAPPERS.get(type(model).__name__):
        model = getattr(model, inner)
    if any(type(one).__name__ == "FullyShardedDataParallel" for one in model.modules()):
        raise CheckpointError(SHARDED)
    for parameter in model.parameters():
        _check_whole(parameter)
    return model


def _check_whole(parameter: Any) -> None:
    import torch

    if torch.nn.parameter.is_lazy(parameter):
        raise CheckpointError(
            "The model has lazy layers without weights. Let it see one batch first."
        )
    if hasattr(parameter, "ds_tensor") or hasattr(parameter, "device_mesh") or parameter.is_meta:
        raise CheckpointError(SHARDED)


def placement(model: Any) -> tuple[torch.device, torch.dtype]:
    """Device and type of the first floating weights."""
    import torch

    first = next((one for one in model.parameters() if one.is_floating_point()), None)
    if first is None:
        return torch.device("cpu"), torch.float32
    return first.device, first.dtype


def named(model: Any, name: str) -> Any:
    """A layer by its name, with or without those of wrappers. Raises CheckpointError."""
    modules = dict(model.named_modules())
    for prefix in WRAPPERS.values():
        name = name.removeprefix(f"{prefix}.")
    if name not in modules:
        near = ", ".join(list(modules)[-4:])
        raise CheckpointError(f"The model has no layer {name}. Among its layers are {near}.")
    return modules[name]


def linear_layers(model: Any) -> list[Any]:
    """Linear layers and 1x1 convolutions, none of them a part of another one (as in an adapter)."""
    names = {name: module for name, module in model.named_modules() if _is_linear(module)}
    return [
        module
        for name, module in names.items()
        if not any(name.startswith(f"{other}.") for other in names)
    ]


def _is_linear(module: Any) -> bool:
    sizes = ("in_features", "out_features")
    if all(isinstance(getattr(module, name, None), int) for name in sizes):
        return True
    kernel = getattr(module, "kernel_size", None)
    return hasattr(module, "out_channels") and isinstance(kernel, tuple) and set(kernel) == {1}
