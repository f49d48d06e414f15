"""Whatever is wrong with the files of one checkpoint: it is left out, with its name and a reason,
and the others are what they would be without it."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from notes import Notes

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build

FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "trainer_state.json")


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: random.Random(len(content)).randrange(1, len(content))])


def write(content: str | bytes) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0" * 100)


MUTATIONS: dict[str, Callable[[Path], None]] = {
    "cut": cut,
    "empty": write(b""),
    "null": write("null"),
    "list": write("[]"),
    "object": write("{}"),
    "text": write('"text"'),
    "nan": write("NaN"),
    "bytes": write(bytes(range(256)) * 4),
    "removed": Path.unlink,
    "folder": make_folder,
    "loop": link_to_itself,
    "longer": lengthen,
    "json with other values": write(json.dumps({"model_type": 3, "id2label": [1], "size": "x"})),
    **{
        f"swapped with {other}": lambda file, other=other: shutil.copy(file.parent / other, file)  # type: ignore[misc]
        for other in FILES
    },
}

HARMLESS = {"preprocessor_config.json": {"removed", "folder", "loop"}}
"""What another checkpoint makes good; the Trainer's state is of no consequence at all."""


def is_harmless(file: str, mutation: str) -> bool:
    same = mutation == f"swapped with {file}"
    return same or file == "trainer_state.json" or mutation in HARMLESS.get(file, ())


def mutated(whole: Path, target: Path, file: str, mutation: str) -> Path:
    shutil.copytree(whole, target)
    if mutation != f"swapped with {file}":
        MUTATIONS[mutation](target / file)
    return target


def every_mutation() -> Iterator[tuple[str, str]]:
    return ((file, mutation) for file in FILES for mutation in MUTATIONS)


def test_broken_checkpoints_are_left_out_and_the_others_are_as_without_them(
    trainer_output: Path, image_folder: Path, built_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trainer_output, run)
    harmless: list[int] = []
    broken: list[int] = []
    for number, (file, mutation) in enumerate(every_mutation(), start=1000):
        mutated(run / "checkpoint-20", run / f"checkpoint-{number}", file, mutation)
        (harmless if is_harmless(file, mutation) else broken).append(number)
    notes = Notes()
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    built = build(RunFolder(run), request, progress=notes)
    assert built.manifest.steps == [10, 20, 100, *harmless]
    for number in broken:
        about = [line for line in notes.lines if str(number) in line]
        assert len(about) == 1 and about[0].startswith("Left out") and "\n" not in about[0], about
        assert len(about[0].split(": ", 1)[1]) > 15
    found, expected = RunFolder(run), RunFolder(built_run)
    for step in (10, 20, 100):
        for name in ("embeddings", "probabilities"):
            np.testing.assert_array_equal(
                found.read_array(name, step), expected.read_array(name, step)
            )
    for number in harmless:
        np.testing.assert_array_equal(
            found.read_array("embeddings", number), expected.read_array("embeddings", 20)
        )


SETTINGS: list[tuple[str, str, Any]] = [
    ("config.json", "architectures", -1),
    ("config.json", "hidden_size", None),
    ("config.json", "hidden_size", 0),
    ("config.json", "hidden_act", "x"),
    ("config.json", "patch_size", []),
    ("config.json", "num_hidden_layers", 1000),
    ("config.json", "id2label", None),
    ("config.json", "model_type", "vitt"),
    ("preprocessor_config.json", "size", -1),
    ("preprocessor_config.json", "image_mean", [1]),
    ("preprocessor_config.json", "image_std", True),
    ("preprocessor_config.json", "do_normalize", "x"),
    ("preprocessor_config.json", "rescale_factor", [1]),
]
"""Values that are JSON and make no sense."""


def test_settings_without_sense_leave_one_out(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    for step in (10, 20):
        shutil.copytree(trainer_output / f"checkpoint-{step}", run / f"checkpoint-{step}")
    for number, (name, entry, value) in enumerate(SETTINGS, start=1000):
        file = Path(shutil.copytree(run / "checkpoint-20", run / f"checkpoint-{number}")) / name
        file.write_text(json.dumps(json.loads(file.read_text()) | {entry: value}))
    notes = Notes()
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    built = build(RunFolder(run), request, progress=notes)
    assert built.manifest.steps == [10, 20]
    for number in range(1000, 1000 + len(SETTINGS)):
        about = [line for line in notes.lines if re.match(f"Left out checkpoint.{number}: ", line)]
        assert len(about) == 1 and "\n" not in about[0], (SETTINGS[number - 1000], notes.lines)


def in_parts(folder: Path, *, pickled: bool) -> Path:
    """The weights of a checkpoint in two files and an index, as transformers writes large ones."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    stem, ending = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    names = sorted(weights)
    homes: dict[str, str] = {}
    for number, some in enumerate((names[:9], names[9:]), start=1):
        part = folder / f"{stem}-0000{number}-of-00002.{ending}"
        tensors = {name: weights[name] for name in some}
        torch.save(tensors, part) if pickled else save_file(tensors, part, {"format": "pt"})
        homes |= dict.fromkeys(some, part.name)
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps({"weight_map": homes}))
    return folder


@pytest.mark.parametrize("pickled", [False, True])
def test_weights_in_parts_are_the_same_and_broken_parts_are_left_out(
    pickled: bool, trainer_output: Path, image_folder: Path, built_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trainer_output / "checkpoint-20", run / "checkpoint-20")
    whole = in_parts(run / "checkpoint-20", pickled=pickled)
    files = [path.name for path in whole.iterdir() if "index" in path.name or "00002" in path.name]
    assert len(files) == 3
    broken = []
    for number, (file, mutation) in enumerate(
        ((file, mutation) for file in files for mutation in MUTATIONS if "swap" not in mutation),
        start=1000,
    ):
        if file.endswith(".bin") and mutation == "longer":
            continue  # the end of a zip file may be followed by something
        target = run / f"checkpoint-{number}"
        shutil.copytree(whole, target)
        MUTATIONS[mutation](target / file)
        broken.append(target.name)
    notes = Notes()
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    built = build(RunFolder(run), request, progress=notes)
    assert built.manifest.steps == [20]
    assert all(any(name in line for line in notes.lines) for name in broken)
    for name in ("embeddings", "probabilities"):
        np.testing.assert_array_equal(
            RunFolder(run).read_array(name, 20), RunFolder(built_run).read_array(name, 20)
        )


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "30": (lambda weights: weights["vit.layernorm.weight"].fill_(float("nan")), "not finite"),
    "40": (lambda weights: weights["classifier.bias"].fill_(float("nan")), "not finite"),
    "50": (
        lambda weights: weights.update({"classifier.weight": zeros(5, 16)}),
        "5 x 16 for 3 x 16",
    ),
    "60": (lambda weights: weights.pop("classifier.weight"), "lacks classifier.weight"),
    "70": (
        lambda weights: weights.update({name: zeros(0) for name in weights}),
        "placeholders of size 0",
    ),
    "80": (lambda weights: weights.clear(), "holds no tensors"),
}


def zeros(*shape: int) -> Any:
    import torch

    return torch.zeros(*shape)


def test_faults_found_while_embedding_leave_one_out_and_keep_what_others_have(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trainer_output, run)
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    build(RunFolder(run), request)
    before = {path: path.read_bytes() for path in (run / "embeddings").iterdir()}
    for step, (change, _) in FAULTS.items():
        changed(Path(shutil.copytree(run / "checkpoint-20", run / f"checkpoint-{step}")), change)
    notes = Notes()
    built = build(RunFolder(run), request, progress=notes)
    assert built.manifest.steps == [10, 20, 100]
    assert {path: path.read_bytes() for path in (run / "embeddings").iterdir()} == before
    for step, (_, words) in FAULTS.items():
        about = [
            line for line in notes.lines if f" checkpoint {step}" in line or f"-{step}:" in line
        ]
        assert len(about) == 1 and words in about[0], (step, about)
    first_and_broken = Request(wanted=["first", "30"])
    assert build(RunFolder(run), first_and_broken).wanted == [10]
    with pytest.raises(ReviewError, match="not finite"):
        build(RunFolder(run), Request(wanted=["30"]))


def test_where_a_broken_checkpoint_is_the_only_one_there_is_one_error(
    trainer_output: Path, image_folder: Path, tmp_path: Path
) -> None:
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    for number, (file, mutation) in enumerate(every_mutation()):
        if is_harmless(file, mutation):
            continue
        run = tmp_path / str(number)
        mutated(trainer_output / "checkpoint-20", run / "checkpoint-20", file, mutation)
        with pytest.raises(ReviewError) as caught:
            build(RunFolder(run), request)
        assert "\n" not in str(caught.value), (file, mutation)
        assert not isinstance(caught.value.__cause__, AssertionError)
