"""Folders that other trainers write: read with the values of a plain forward pass, or answered with
what they are and with what helps. Nothing in a file is ever run."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import need, save_checkpoint

from review_embeddings.pipeline.errors import CheckpointError, ReviewError, RunError
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.classnames import map_classes
from review_embeddings.pipeline.models.encoder import load_encoder
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.run.folder import RunFolder, find_run, is_run
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build


def make(run: Path, images: Path, **options: Any) -> RunFolder:
    """Build a run, in fp32."""
    source = {"source": str(images), "split": "train"}
    build(RunFolder(run), Request(dataset=source, settings={"precision": "fp32"}, **options))
    return RunFolder(run)


def same_as(built_run: Path, run: RunFolder, steps: dict[int, int]) -> None:
    """Embeddings and probabilities are those of the run of the Trainer; ``steps`` says which."""
    for step, original in steps.items():
        for name in ("embeddings", "probabilities"):
            np.testing.assert_array_equal(
                run.read_array(name, step), RunFolder(built_run).read_array(name, original)
            )


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


# -- prefixes


PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "net.")


def test_prefixes_of_wrappers_are_taken_off(
    run_path: Path, image_folder: Path, built_run: Path
) -> None:
    from safetensors.torch import save_file

    for number, prefix in enumerate(PREFIXES, start=30):
        folder = Path(
            shutil.copytree(run_path / "checkpoint-20", run_path / f"checkpoint-{number}")
        )
        weights = {prefix + name: value for name, value in weights_of(folder).items()}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    run = make(run_path, image_folder)
    same_as(built_run, run, {10: 10, 20: 20, 100: 100})
    same_as(built_run, run, dict.fromkeys(range(30, 30 + len(PREFIXES)), 20))


def test_a_part_that_was_compiled_and_an_averaged_model(
    run_path: Path, image_folder: Path, built_run: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    compiled = run_path / "checkpoint-10" / "model.safetensors"
    weights = {
        name.replace("vit.", "vit._orig_mod."): value
        for name, value in weights_of(compiled.parent).items()
    }
    save_file(weights, compiled, {"format": "pt"})
    averaged = run_path / "checkpoint-20"
    weights = {"module." + name: value for name, value in weights_of(averaged).items()}
    torch.save({"n_averaged": torch.tensor(3), **weights}, averaged / "pytorch_model.bin")
    (averaged / "model.safetensors").unlink()
    same_as(built_run, make(run_path, image_folder), {10: 10, 20: 20, 100: 100})


def test_names_that_fit_nothing_are_said(run_path: Path, image_folder: Path) -> None:
    from safetensors.torch import save_file

    folder = run_path / "checkpoint-10"
    weights = {"my." + name: value for name, value in weights_of(folder).items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks classifier.bias"):
        make(run_path, image_folder, wanted=["10"])


# -- accelerate


def as_accelerate(
    run: Path, folders: dict[str, str], *, optimizer: dict[str, int] | None = None
) -> Path:
    """Checkpoints of the Trainer as accelerate's ``save_state`` names them: weights alone, the
    configuration and the processor in the folder above."""
    import torch

    for old, new in folders.items():
        folder = run / new
        (run / old).rename(folder)
        for name in ("config.json", "preprocessor_config.json"):
            shutil.move(folder / name, run / name)
        (folder / "trainer_state.json").unlink()
        torch.save({}, folder / "random_states_0.pkl")
        steps = (optimizer or {}).get(new)
        if steps is not None:
            state = {0: {"step": torch.tensor(float(steps)), "exp_avg": torch.ones(2)}}
            torch.save({"state": state, "param_groups": []}, folder / "optimizer.bin")
    return run


THREE = ("checkpoint-10", "checkpoint-20", "checkpoint-100")


def test_steps_of_accelerate(run_path: Path, image_folder: Path, built_run: Path) -> None:
    as_accelerate(run_path, dict(zip(THREE, ("step_10", "step_20", "step_100"), strict=True)))
    found = find_checkpoints(run_path)
    assert found.steps == [10, 20, 100] and found.skipped == []
    assert is_run(run_path)
    assert find_checkpoints(run_path / "step_20").steps == [20]
    same_as(built_run, make(run_path, image_folder), {10: 10, 20: 20, 100: 100})


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [
        (None, [0, 1, 10]),
        ({"epoch_0": 7, "epoch_1": 14, "epoch_10": 77}, [7, 14, 77]),
        ({"epoch_1": 14}, [7, 14, 77]),
    ],
)
def test_epochs_of_accelerate_stand_in_their_order_and_at_their_steps(
    optimizer: dict[str, int] | None, steps: list[int], run_path: Path
) -> None:
    names = dict(zip(THREE, ("epoch_0", "epoch_1", "epoch_10"), strict=True))
    found = find_checkpoints(as_accelerate(run_path, names, optimizer=optimizer))
    assert found.steps == steps
    assert [checkpoint.epoch for checkpoint in found.usable] == [1, 2, 11]


def test_an_epoch_without_a_step_is_not_put_among_steps(run_path: Path) -> None:
    found = find_checkpoints(
        as_accelerate(run_path, dict(zip(THREE, ("step_10", "epoch_0", "step_30"), strict=True)))
    )
    assert found.steps == [10, 30]
    assert [(one.name, "not known" in one.reason) for one in found.skipped] == [("epoch_0", True)]


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model_1.safetensors", "pytorch_model_1.bin"]
)
def test_other_names_of_weights(
    name: str, run_path: Path, image_folder: Path, built_run: Path
) -> None:
    import torch

    as_accelerate(run_path, {"checkpoint-20": "step_20"})
    file = run_path / "step_20" / "model.safetensors"
    if name.endswith(".bin"):
        torch.save(weights_of(file.parent), file.parent / name)
        file.unlink()
    else:
        file.rename(file.parent / name)
    same_as(built_run, make(run_path, image_folder), {20: 20})


def test_a_head_that_the_configuration_hides_is_said(run_path: Path) -> None:
    file = run_path / "checkpoint-10" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "architectures": ["ViTModel"]}))
    (note,) = find_checkpoints(run_path).notes
    assert note.startswith("checkpoint-10: its weights hold a head (classifier.bias)")


def test_the_base_model_is_not_given_what_is_known_of_an_epoch_0(
    run_path: Path, trainer_output: Path
) -> None:
    as_accelerate(run_path, dict(zip(THREE, ("epoch_0", "epoch_1", "epoch_2"), strict=True)))
    found = find_checkpoints(run_path, str(trainer_output / "checkpoint-10"))
    assert found.history.at(0).epoch == 0.0 and "epoch_0" in [one.name for one in found.skipped]


def test_of_several_models_the_first_is_taken_and_that_is_said(run_path: Path) -> None:
    as_accelerate(run_path, {"checkpoint-20": "step_20"})
    shutil.copy(run_path / "step_20/model.safetensors", run_path / "step_20/model_1.safetensors")
    assert find_checkpoints(run_path).notes == [
        "step_20: model.safetensors is taken; model_1.safetensors beside it is not read"
    ]


def test_numbered_checkpoints_of_accelerate(run_path: Path, image_folder: Path) -> None:
    as_accelerate(run_path, {"checkpoint-10": "checkpoint_0", "checkpoint-20": "checkpoint_1"})
    shutil.rmtree(run_path / "checkpoint-100")
    (run_path / "checkpoints").mkdir()
    for number in (0, 1):
        (run_path / f"checkpoint_{number}").rename(run_path / f"checkpoints/checkpoint_{number}")
    assert find_checkpoints(run_path / "checkpoints").steps == [0, 1]
    make(run_path / "checkpoints", image_folder)


# -- timm's train.py


def timm_training(folder: Path, **changed: Any) -> tuple[argparse.Namespace, Any]:
    """Three epochs as timm's own saver writes them."""
    import timm
    import torch
    import yaml
    from timm.utils import CheckpointSaver

    options = {
        "model": "test_resnet", "num_classes": 3, "img_size": 64, "mean": [0.4, 0.5, 0.6],
        "interpolation": "bilinear", "crop_pct": 0.9, "model_kwargs": {}, "device": "cpu",
    } | changed  # fmt: skip
    args = argparse.Namespace(**options)
    torch.manual_seed(0)
    model = timm.create_model(
        args.model,
        num_classes=args.num_classes,
        **({"global_pool": args.gp} if hasattr(args, "gp") else {}),
        **args.model_kwargs,
    )
    if changed.get("split_bn"):
        model = timm.layers.convert_splitbn_model(model, 2)
    ema = timm.utils.ModelEmaV3(model, decay=0.5) if changed.get("model_ema") else None
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    folder.mkdir(parents=True)
    saver = CheckpointSaver(
        model, optimizer, args=args, model_ema=ema,
        checkpoint_dir=str(folder), recovery_dir=str(folder),
    )  # fmt: skip
    for epoch, metric in enumerate((10.0, 30.0, 20.0)):
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.is_floating_point():
                    tensor += torch.rand_like(tensor) * 0.02
        if ema is not None:
            ema.update(model)
        saver.save_checkpoint(epoch, metric=metric)
    (folder / "args.yaml").write_text(yaml.safe_dump(options))
    (folder / "summary.csv").write_text("epoch,train_loss\n0,1.5\n1,1.25\n2,0.5\n")
    return args, (model if ema is None else ema.module).eval()


@pytest.fixture
def timm_installed() -> None:
    from review_embeddings.pipeline.models.libraries import require_timm

    try:
        require_timm("")
    except CheckpointError:
        need(False, "timm")


@pytest.mark.usefixtures("timm_installed")
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"model": "test_vit", "img_size": None, "input_size": [3, 160, 160], "mean": None},
        {"model_ema": True, "interpolation": "bicubic", "crop_pct": None},
        {"gp": "max", "model_kwargs": {"output_stride": 16}},
        {"split_bn": True},
    ],
)
def test_a_training_of_timm_has_the_values_of_timm(
    changed: dict[str, Any], image_folder: Path, tmp_path: Path
) -> None:
    import timm
    import torch
    from PIL import Image

    args, model = timm_training(tmp_path / "run", **changed)
    found = find_checkpoints(tmp_path / "run")
    assert [(one.step, one.epoch, one.loss) for one in found.usable] == [
        (0, 1.0, 1.5),
        (1, 2.0, 1.25),
        (2, 3.0, 0.5),
    ]
    assert "The best checkpoint by timm's own evaluation is 1." in found.notes
    assert any("EMA" in note for note in found.notes) == bool(changed.get("model_ema"))
    run = make(tmp_path / "run", image_folder)
    settings = timm.data.resolve_data_config(vars(args), model=model)
    transform = timm.data.create_transform(**settings, is_training=False)
    files = [image_folder / name for name in table_paths(run)]
    pixels = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    with torch.inference_mode():
        probabilities = model(pixels).softmax(-1).numpy()
    stored = run.read_array("probabilities", 2)
    np.testing.assert_allclose(stored, probabilities, atol=1e-5)


def table_paths(run: RunFolder) -> list[str]:
    from review_embeddings.pipeline import table

    return list(table.read(run.path, checkpoints=[2], columns=["path"])["path"])


@pytest.mark.usefixtures("timm_installed")
def test_what_timm_does_not_say_is_asked_for(image_folder: Path, tmp_path: Path) -> None:
    import torch

    timm_training(tmp_path / "run")
    files = sorted((tmp_path / "run").glob("*.tar"))
    for file in files:
        content = torch.load(file, weights_only=False)
        content["args"] = None
        torch.save(content, file)
    assert find_checkpoints(tmp_path / "run").steps == [0, 1, 2]  # by args.yaml
    (tmp_path / "run" / "args.yaml").unlink()
    found = find_checkpoints(tmp_path / "run")
    assert found.steps == [] and "args.yaml" in found.skipped[0].reason
    files[0].write_bytes(files[0].read_bytes()[:1000])
    assert "cut off" in find_checkpoints(tmp_path / "run").skipped[0].reason


@pytest.mark.usefixtures("timm_installed")
@pytest.mark.parametrize(
    ("trained", "said", "expected"),
    [
        ({"in_chans": 1}, {"in_chans": 1}, "it takes grey images"),
        ({"in_chans": 5}, {"input_size": [5, 64, 64]}, "it takes images of 5 channels"),
        ({"in_chans": 1}, {}, "it takes grey images"),
        ({"channels": (8, 8, 8, 8)}, {}, "model_kwargs above all"),
    ],
)
def test_what_a_model_of_timm_does_not_take_is_told(
    trained: dict[str, Any], said: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    import torch

    timm_training(tmp_path / "run", model_kwargs=trained)
    written = {"model": "test_resnet", "num_classes": 3, "img_size": 64, **said}
    for file in (tmp_path / "run").glob("*.pth.tar"):
        content = torch.load(file, weights_only=False)
        torch.save({**content, "args": argparse.Namespace(**written)}, file)
    found = find_checkpoints(tmp_path / "run")
    if said:
        assert expected in found.skipped[0].reason
        return
    with pytest.raises(CheckpointError, match=expected):
        load_encoder(
            found.usable[0], pooling="auto", precision="fp32", device="cpu", with_head=True
        )


@pytest.mark.usefixtures("timm_installed")
def test_classes_of_timm_go_by_the_class_map(image_folder: Path, tmp_path: Path) -> None:
    from review_embeddings.pipeline.models.heads import head_of

    timm_training(tmp_path / "run", class_map="names.txt")
    assert any("class map names.txt" in note for note in find_checkpoints(tmp_path / "run").notes)
    (tmp_path / "run" / "args.yaml").touch()
    (tmp_path / "run" / "names.txt").write_text("red\ngreen\nblue\n")
    from review_embeddings.pipeline.models.forms import timmfile

    timmfile._read.cache_clear()
    head = head_of(find_checkpoints(tmp_path / "run").usable[0])
    assert head is not None and head.names == ["red", "green", "blue"]


def test_folders_that_timm_has_numbered_stand_in_their_natural_order() -> None:
    head = Head.of(
        {"architecture": "x", "pretrained_cfg": {}, "num_classes": 4, "label_order": "natural"}
    )
    assert head is not None
    classes = ["B1", "a10", "a2", "c"]
    assert map_classes(head, classes, name="x") == ["a2", "a10", "B1", "c"]


# -- what cannot be read


class Hostile:
    """Makes a file where it is unpickled without restriction."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {shlex.quote(str(self.trace))}",)


def hostile_forms(root: Path, trace: Path) -> list[Path]:
    """Every name under which a pickle is read or recognised, each in a folder of its own, some in
    both forms of ``torch.save`` and as a plain pickle."""
    import pickle

    import torch

    names = [
        "checkpoint-1/pytorch_model.bin",
        "checkpoint-1/pytorch_model_fsdp.bin",
        "checkpoint-1/model.ckpt",
        "checkpoint-1/pytorch_model.pt",
        "step_1/pytorch_model_1.bin",
        "checkpoint-1.pth.tar",
        "model_best.pth.tar",
        "last.pth.tar",
        "checkpoint.pth.tar",
        "lightning_logs/version_0/checkpoints/epoch=3-step=400.ckpt",
        "runs/classify/train/weights/best.pt",
        "models/export.pkl",
        "models/stage-1.pth",
        "weights.pth",
        "epoch_0/optimizer.bin",
    ]
    roots = []
    for number, name in enumerate(names):
        for how in ("zip", "legacy", "pickle") if number % 4 == 0 else ("zip",):
            run = root / f"{number}-{how}"
            file = run / name
            file.parent.mkdir(parents=True)
            content = {"state_dict": {"a": torch.ones(2)}, "ultralytics": Hostile(trace)}
            if how == "pickle":
                file.write_bytes(pickle.dumps(content))
            else:
                torch.save(content, file, _use_new_zipfile_serialization=how == "zip")
            if file.parent != run:
                save_config(file.parent)
            roots.append(run)
    return roots


def save_config(folder: Path) -> None:
    from samples import tiny_vit

    tiny_vit().save_pretrained(folder)


def test_no_code_of_a_file_runs(image_folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for run in hostile_forms(tmp_path / "runs", trace):
        with pytest.raises(ReviewError) as caught:
            make(run, image_folder)
        assert not trace.exists(), run
        text = str(caught.value)
        assert "\n" not in text and "is empty" not in text and len(text) > 60, (run, text)
        assert "weights_only" not in text


def test_folders_with_trainings_are_never_called_empty(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    import torch

    lightning = tmp_path / "a" / "lightning_logs" / "version_0" / "checkpoints"
    lightning.mkdir(parents=True)
    content = {"epoch": 3, "pytorch-lightning_version": "2.5.0", "state_dict": {"a": torch.ones(1)}}
    torch.save(content, lightning / "epoch=3-step=400.ckpt")
    plain = tmp_path / "b"
    plain.mkdir()
    torch.save({"fc.weight": torch.ones(2, 2)}, plain / "net_20.pth")
    keras = tmp_path / "c"
    keras.mkdir()
    (keras / "model.keras").write_bytes(b"PK\x03\x04")
    search = tmp_path / "d"
    for trial in (0, 1):
        shutil.copytree(trainer_output, search / f"run-{trial}")
    lfs = tmp_path / "e"
    lfs.mkdir()
    (lfs / "last.ckpt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    parts = tmp_path / "f" / "checkpoint_000001" / "checkpoint-10"
    shutil.copytree(trainer_output / "checkpoint-10", parts)
    fsdp = tmp_path / "g" / "pytorch_model_fsdp_0"
    fsdp.mkdir(parents=True)
    (fsdp / "__0_0.distcp").touch()
    expected = {
        "a": "PyTorch Lightning.*Recorder.*recorder.record\\(400",
        "b": "name no architecture.*recorder.record\\(20, model\\)",
        "c": "Keras",
        "d": f"trainings in it are .*run-0, .*run-1. Name one with --run {search / 'run-1'}",
        "e": "git -C .* lfs pull",
        "f": f"training in it is .*f/checkpoint_000001. Name it with --run {parts.parent}",
        "g": "FSDP.*accelerate merge-weights",
    }
    for name, words in expected.items():
        with pytest.raises(ReviewError, match=words):
            make(tmp_path / name, image_folder)
        if name != "f":
            with pytest.raises(RunError, match=words):  # before the data set is known
                build(RunFolder(tmp_path / name), Request())
        with pytest.raises(ReviewError, match=words.replace("--run", "--(run|checkpoints)")):
            make(tmp_path / f"run-of-{name}", image_folder, checkpoints=str(tmp_path / name))


@pytest.mark.parametrize("option", ["--run", "--checkpoints"])
def test_a_file_is_answered_with_its_folder(
    option: str, trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    file = trainer_output / "checkpoint-20" / "model.safetensors"
    with pytest.raises(RunError, match=f"is a file. Name its folder: {option} .*checkpoint-20"):
        if option == "--run":
            make(file, image_folder)
        else:
            make(tmp_path, image_folder, checkpoints=str(file))


def test_the_run_here_may_be_of_another_trainer(run_path: Path, tmp_path: Path) -> None:
    as_accelerate(run_path, {"checkpoint-20": "step_20"})
    for name in ("checkpoint-10", "checkpoint-100"):
        shutil.rmtree(run_path / name)
    assert find_run(run_path) == RunFolder(run_path)
    other = tmp_path / "here" / "runs" / "timm"
    other.mkdir(parents=True)
    (other / "checkpoint-3.pth.tar").touch()
    assert find_run(tmp_path / "here") == RunFolder(other)


# -- commands that are printed


def printed_command(reason: str) -> list[str]:
    """The words of the command in a message, as a shell takes them."""
    return shlex.split(re.sub(r".*: ((accelerate|python) .*)", r"\1", reason))


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")  # one process writes the parts
def test_the_command_for_fsdp_gives_a_checkpoint(
    run_path: Path, image_folder: Path, built_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.commands.accelerate_cli import main
    from torch.distributed.checkpoint.state_dict_saver import save

    spaced = run_path.rename(run_path.parent / "a run's folder")
    folder = spaced / "checkpoint-20"
    save({"model": weights_of(folder)}, checkpoint_id=folder / "pytorch_model_fsdp_0", no_dist=True)
    (folder / "model.safetensors").unlink()
    found = find_checkpoints(spaced)
    assert found.steps == [10, 100]
    monkeypatch.setattr(sys, "argv", printed_command(found.skipped[0].reason))
    main()
    same_as(built_run, make(spaced, image_folder), {20: 20})


CONVERTERS = {
    "folder": "source, output_dir = sys.argv[1:3]; out = output_dir + '/pytorch_model.bin'",
    "file": "source, out = sys.argv[1:3]",
}
"""The two versions of DeepSpeed's program, by what their second argument is."""


@pytest.mark.parametrize("kind", list(CONVERTERS))
def test_the_command_for_deepspeed_gives_a_checkpoint(
    kind: str, run_path: Path, image_folder: Path, built_run: Path
) -> None:
    import torch

    folder = run_path / "checkpoint-20"
    (folder / "global_step20").mkdir()
    torch.save(weights_of(folder), folder / "global_step20" / "model_states.pt")
    (folder / "zero_to_fp32.py").write_text(
        f"import shutil, sys; {CONVERTERS[kind]}\n"
        "shutil.copy(source + '/global_step20/model_states.pt', out)\n"
    )
    assert find_checkpoints(run_path).steps == [10, 20, 100]  # whole weights are there as well
    (folder / "model.safetensors").unlink()
    found = find_checkpoints(run_path)
    assert found.steps == [10, 100] and "DeepSpeed" in found.skipped[0].reason
    _, *words = printed_command(found.skipped[0].reason)
    subprocess.run([sys.executable, *words], check=True)
    same_as(built_run, make(run_path, image_folder), {20: 20})


def test_links_and_files_in_the_place_of_checkpoints(run_path: Path) -> None:
    (run_path / "checkpoint-30").symlink_to(run_path / "checkpoint-30")
    (run_path / "checkpoint-40").symlink_to(run_path / "nowhere")
    (run_path / "checkpoint-50").touch()
    (run_path / "checkpoint-60.pth.tar").mkdir()
    (run_path / "checkpoint-020").symlink_to(run_path / "checkpoint-20")
    found = find_checkpoints(run_path)
    assert found.steps == [10, 20, 100]
    assert {one.name: one.reason for one in found.skipped} == {
        "checkpoint-20": "step 20 is checkpoint-020 already",
        "checkpoint-30": "it is a link that leads to itself",
        "checkpoint-40": "it is a link that leads nowhere",
        "checkpoint-50": "it is a file and not the folder of a checkpoint",
        "checkpoint-60.pth.tar": "it is a folder and not a file of weights",
    }


def test_a_base_model_does_not_hide_the_first_epoch_silently(
    run_path: Path, tmp_path: Path
) -> None:
    as_accelerate(run_path, dict(zip(THREE, ("epoch_0", "epoch_1", "epoch_2"), strict=True)))
    base = save_checkpoint(tmp_path / "base", seed=1, step=0, head=False)
    found = find_checkpoints(run_path, str(base))
    assert found.steps == [0, 1, 2] and found.usable[0].is_base
    assert [one.name for one in found.skipped] == ["epoch_0"]
