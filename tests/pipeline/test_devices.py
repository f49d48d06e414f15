"""On which device a Trainer is kept; no machine of the tests has several GPUs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.training import devices
from review_embeddings.pipeline.training.arguments import make, own_defaults
from review_embeddings.pipeline.training.devices import (
    check_device,
    keep_on,
    training_arithmetic,
)


@pytest.fixture
def with_gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """A machine that says it has two GPUs; gives those that were made the current one."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(devices, "pick_device", torch.device)
    return current


def test_the_cpu_of_a_machine_with_gpus(with_gpus: list[torch.device], tmp_path: Path) -> None:
    own = own_defaults({}, "cpu")
    assert own["use_cpu"] and not own["dataloader_pin_memory"]
    assert own["dataloader_num_workers"] == 0
    assert own["bf16"] == own_defaults({"use_cpu": True})["bf16"], "as the CPU has it, not the GPU"
    arguments = make({"bf16": False}, {**own, "output_dir": str(tmp_path)})
    keep_on(arguments, "cpu")
    assert arguments.device == torch.device("cpu") and arguments.n_gpu == 0 and not with_gpus
    assert training_arithmetic(arguments) == "cpu in float32"
    assert not own_defaults({})["use_cpu"] and own_defaults({}, "cuda:1")["dataloader_pin_memory"]


def test_one_gpu_of_several(with_gpus: list[torch.device]) -> None:
    state = SimpleNamespace(device=torch.device("cuda"))
    arguments: Any = SimpleNamespace(_n_gpu=2, distributed_state=state)
    keep_on(arguments, "cuda:1")
    one = torch.device("cuda:1")
    assert with_gpus == [one] and arguments._n_gpu == 1 and state.device == one
    assert arguments.__dict__["_setup_devices"] == one
    for name in (None, "cuda"):
        keep_on(arguments, name)
    assert with_gpus == [one], "without a number the Trainer takes what it takes"


def test_the_trainer_asks_where_a_device_is_kept(tmp_path: Path) -> None:
    """Of transformers and accelerate as they are installed, with a device that needs no GPU."""
    from accelerate import Accelerator, PartialState

    arguments = make({"bf16": False}, {**own_defaults({}, "cpu"), "output_dir": str(tmp_path)})
    pinned = torch.device("cpu:0")
    arguments._n_gpu = 1
    arguments.__dict__["_setup_devices"] = pinned
    arguments.distributed_state.device = pinned
    assert arguments.device is pinned and arguments.n_gpu == 1
    assert PartialState().device is pinned
    assert Accelerator(cpu=True).device is pinned
    PartialState._reset_state()


def test_what_contradicts_a_device_is_refused(
    with_gpus: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_device("cpu", {"use_cpu": True}, is_new=True)
    for device, use_cpu in (("cuda", True), ("cpu", False)):
        with pytest.raises(SettingsError, match="contradicts --device"):
            check_device(device, {"use_cpu": use_cpu}, is_new=True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_device("cuda", {}, is_new=True)
    with pytest.raises(SettingsError, match="single device, and several processes"):
        check_device("cuda:1", {}, is_new=True)
