"""Which step the final model is, by its weights and by what the Trainer wrote down."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models import final as finals
from review_embeddings.pipeline.models.checkpoints import (
    FoundCheckpoints,
    find_checkpoints,
    select,
)
from review_embeddings.pipeline.models.final import StoredWeights
from review_embeddings.pipeline.models.weights import stamp_weights
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import TrainingHistory
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.resolve import checkpoints_of

Tensors = dict[str, torch.Tensor]

SHAPES = {
    "vit.embeddings.cls_token": (1, 4),
    "vit.encoder.layer.0.weight": (4, 4),
    "vit.encoder.layer.1.weight": (4, 4),
    "vit.encoder.layer.2.weight": (4, 4),
    "classifier.weight": (3, 4),
    "classifier.bias": (3,),
}
FIRST = ("vit.embeddings.cls_token", "classifier.weight", "classifier.bias")
"""What transformers 5 puts back of a best model: the names that it does not change."""


def weights(seed: int, frozen: tuple[str, ...] = ()) -> Tensors:
    """Tensors of a training at some step; frozen ones are the same at each."""
    made = torch.Generator().manual_seed(seed)
    still = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=still if name in frozen else made)
        for name, shape in SHAPES.items()
    }


def save(folder: Path, tensors: Mapping[str, torch.Tensor], *, shards: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "vit"}')
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors")
        return folder
    homes: dict[str, str] = {}
    for number in range(shards):
        part = {name: tensors[name].clone() for name in sorted(tensors)[number::shards]}
        save_file(part, folder / f"model-{number}.safetensors")
        homes |= dict.fromkeys(part, f"model-{number}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    return folder


def say(folder: Path, **state: Any) -> None:
    """What the Trainer leaves in a folder."""
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": [], **state}))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Checkpoints 10, 20 and 30 of a training of 100 steps."""
    for step in (10, 20, 30):
        folder = save(tmp_path / "run" / f"checkpoint-{step}", weights(step))
        say(folder, global_step=step, max_steps=100, epoch=step / 10)
    return tmp_path / "run"


def halved(tensors: Tensors) -> Tensors:
    return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}


def wrapped(tensors: Tensors) -> Tensors:
    return {f"module._orig_mod.{name}": tensor for name, tensor in tensors.items()}


def bare(tensors: Tensors) -> Tensors:
    """Without the head, as ``model.vit.save_pretrained`` does."""
    return {
        name.removeprefix("vit."): tensor
        for name, tensor in tensors.items()
        if name.startswith("vit.")
    }


def renamed(tensors: Tensors) -> Tensors:
    """As another version of transformers calls them, in another order of layers' names."""
    return {name.replace("encoder.layer", "layers"): tensor for name, tensor in tensors.items()}


def counted(tensors: Tensors) -> Tensors:
    """With an index that checkpoints do not store."""
    return {**tensors, "vit.position_ids": torch.arange(5)}


# -- the same model


@pytest.mark.parametrize("change", [halved, wrapped, bare, renamed, counted])
@pytest.mark.parametrize("step", [10, 30])
def test_a_checkpoint_is_recognised_whatever_its_types_and_names(
    run: Path, change: Callable[[Tensors], Tensors], step: int
) -> None:
    save(run, change(weights(step)))
    found = find_checkpoints(run)
    assert found.steps == [10, 20, 30] and not found.skipped
    assert found.history.final is not None and found.history.final.same_as == step


def test_final_in_one_file_of_fp32_beside_checkpoints_in_shards_of_bf16(tmp_path: Path) -> None:
    for step in (10, 20):
        save(tmp_path / f"checkpoint-{step}", halved(weights(step)), shards=3)
    save(tmp_path, weights(20))
    assert find_checkpoints(tmp_path).steps == [10, 20]
    save(tmp_path, weights(25))
    assert find_checkpoints(tmp_path).steps == [10, 20, 21]


def test_one_number_makes_another_model(run: Path) -> None:
    for name in SHAPES:
        changed = weights(30)
        changed[name].view(-1)[-1] += 1e-3
        save(run, changed)
        assert find_checkpoints(run).steps == [10, 20, 30, 31], name


def test_layers_in_another_order_are_another_model_only_where_names_say_so(run: Path) -> None:
    tensors = weights(30)
    first, second = "vit.encoder.layer.0.weight", "vit.encoder.layer.1.weight"
    tensors[first], tensors[second] = tensors[second], tensors[first]
    save(run, tensors)
    assert find_checkpoints(run).steps == [10, 20, 30, 31]


def test_a_comparison_is_made_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(run, weights(25))
    found = find_checkpoints(run)

    def opened(source: str) -> None:
        raise AssertionError(f"{source} is read again")

    monkeypatch.setattr(finals, "opened_weights", opened)
    monkeypatch.setattr(finals, "stamp_weights", opened)
    again = find_checkpoints(run, history=found.history)
    assert again.steps == [10, 20, 30, 31] and again.history == found.history
    save(run / "checkpoint-40", weights(40))
    with pytest.raises(AssertionError):
        find_checkpoints(run, history=found.history)


# -- its step


def last(found: FoundCheckpoints) -> tuple[int, bool]:
    return found.usable[-1].step, found.usable[-1].step_known


def test_a_training_stopped_early_is_not_at_its_planned_end(run: Path) -> None:
    save(run, weights(35))
    assert last(find_checkpoints(run)) == (31, False)
    say(run, global_step=35, max_steps=100, epoch=3.5)
    found = find_checkpoints(run)
    assert last(found) == (35, True) and found.usable[-1].epoch == 3.5


def test_a_state_that_names_another_model_is_not_believed(run: Path) -> None:
    save(run, weights(35))
    say(run, global_step=30)
    assert last(find_checkpoints(run)) == (31, False), "checkpoint-30 is there, and differs"


def test_the_best_model_whose_checkpoint_is_gone(run: Path) -> None:
    save(run, weights(20))
    shutil.rmtree(run / "checkpoint-20")
    log = [{"step": 20, "loss": 0.5, "epoch": 2}, {"step": 20, "eval_accuracy": 0.75}]
    say(run, global_step=30, best_model_checkpoint="/else/run/checkpoint-20", log_history=log)
    found = find_checkpoints(run)
    assert found.steps == [10, 20, 30] and found.by_step(20).source == str(run)
    assert (found.by_step(20).epoch, found.by_step(20).loss) == (2, 0.5)
    assert found.history.at(20).metrics == {"eval_accuracy": 0.75}
    shutil.rmtree(run / "checkpoint-30")
    assert last(find_checkpoints(run)) == (11, False), "the best one or the last one"


def test_of_weights_that_cannot_be_compared_the_record_tells_the_step(run: Path) -> None:
    save(run, {"base.layer.lora_A": torch.ones(2, 9)})
    say(run, global_step=30)
    assert find_checkpoints(run).steps == [10, 20, 30]
    (run / "trainer_state.json").unlink()
    assert last(find_checkpoints(run)) == (31, False)


def stored_from(folder: Path, known: bool | None = None) -> StoredWeights:
    stamp = stamp_weights(str(folder))
    return StoredWeights(stamp.sha256, stamp.files, known)


def test_embeddings_of_the_same_weights_tell_the_step(run: Path) -> None:
    stored = {step: stored_from(run / f"checkpoint-{step}") for step in (10, 20, 30)}
    (run / "model.safetensors").write_bytes(
        (run / "checkpoint-20" / "model.safetensors").read_bytes()
    )
    (run / "config.json").write_text('{"model_type": "vit"}')
    for step in (10, 20, 30):
        shutil.rmtree(run / f"checkpoint-{step}")
    assert last(find_checkpoints(run, stored=stored)) == (20, True)
    save(run, weights(35))
    assert last(find_checkpoints(run, stored=stored)) == (31, False)


@pytest.mark.parametrize(("guess", "gone"), [(31, []), (100, [100])])
def test_embeddings_at_a_step_that_was_guessed_are_no_evidence(
    run: Path, guess: int, gone: list[int]
) -> None:
    """Earlier versions took the planned end of the training, or one after the last checkpoint."""
    save(run, weights(35))
    stored = {guess: stored_from(run)}
    found = find_checkpoints(run, stored=stored)
    assert last(found) == (31, False) and found.history.guessed == gone
    elsewhere = {guess: replace(stored[guess], files=[["model.safetensors", 1, 2]])}
    assert find_checkpoints(run, stored=elsewhere).history.guessed == gone, "the run was copied"
    say(run, global_step=guess)
    found = find_checkpoints(run, stored=stored)
    assert last(found) == (guess, True) and not found.history.guessed


def test_a_model_of_an_unknown_step_moves_behind_new_checkpoints(run: Path) -> None:
    save(run, weights(25))
    stored = {31: stored_from(run, known=False)}
    save(run / "checkpoint-40", weights(40))
    found = find_checkpoints(run, stored=stored)
    assert last(found) == (41, False) and found.history.guessed == [31]


def test_a_frozen_backbone_makes_neither_the_same_model_nor_a_mixture(tmp_path: Path) -> None:
    frozen = tuple(name for name in SHAPES if name.startswith("vit"))
    for step in (10, 20):
        save(tmp_path / f"checkpoint-{step}", weights(step, frozen))
    save(tmp_path, weights(25, frozen))
    say(tmp_path, global_step=25, best_global_step=10)
    found = find_checkpoints(tmp_path)
    assert not found.skipped and found.history.final is not None
    assert found.history.final.mixture is None and found.steps == [10, 20, 25]


# -- the mixture that transformers 5 makes


def mixture(best: int, other: int) -> Tensors:
    return {
        name: tensor if name not in FIRST else weights(best)[name]
        for name, tensor in weights(other).items()
    }


@pytest.mark.parametrize("change", [dict, halved, renamed])
def test_a_mixture_of_the_best_and_the_last_is_left_out(
    run: Path, change: Callable[[Tensors], Tensors]
) -> None:
    save(run, change(mixture(10, 30)))
    say(run, global_step=30, best_global_step=10, best_model_checkpoint="out/checkpoint-10")
    found = find_checkpoints(run)
    assert found.steps == [10, 20, 30] and len(found.skipped) == 1
    reason = found.skipped[0].reason
    assert "neither checkpoint-10, which trainer_state.json names as the best, nor" in reason
    assert "checkpoint-30, but a mixture: 3 of its tensors are only in the one, 3 only" in reason


def test_a_mixture_is_recognised_without_a_state_beside_it(run: Path) -> None:
    save(run, mixture(20, 30))
    reason = find_checkpoints(run).skipped[0].reason
    assert "neither checkpoint-20 nor checkpoint-30" in reason and "names" not in reason
    say(run / "checkpoint-30", global_step=30, best_global_step=20)
    assert "checkpoint-20, which trainer_state" in find_checkpoints(run).skipped[0].reason


@pytest.mark.parametrize("others", [True, False])
def test_a_mixture_with_a_last_step_that_was_not_saved(run: Path, others: bool) -> None:
    """As with ``save_strategy="best"``."""
    for step in () if others else (10, 30):
        shutil.rmtree(run / f"checkpoint-{step}")
    save(run, mixture(20, 45))
    say(run, global_step=45, best_global_step=20)
    found = find_checkpoints(run)
    assert found.steps == ([10, 20, 30] if others else [20])
    assert "checkpoint-20" in found.skipped[0].reason and "3 are not" in found.skipped[0].reason


# -- the best checkpoint


def test_the_best_is_selected_by_name_and_in_ranges() -> None:
    assert select([10, 20, 30], ["best"], best=20) == [20]
    assert select([10, 20, 30], ["best-last"], best=20) == [20, 30]
    assert select([10, 20, 30], ["0-best", "last"], best=10) == [10, 30]


def test_a_best_checkpoint_that_is_not_known_or_not_there() -> None:
    with pytest.raises(CheckpointError, match="not known: no trainer_state.json of this run names"):
        select([10, 20], ["best"])
    with pytest.raises(CheckpointError, match=r"no checkpoint best \(step 15\); there are 10, 20"):
        select([10, 20], ["best"], best=15)


def test_the_newest_record_names_the_best(run: Path) -> None:
    assert find_checkpoints(run).history.best is None
    say(run / "checkpoint-20", global_step=20, best_global_step=10)
    assert find_checkpoints(run).history.best is None, "checkpoint-30 is later, and names none"
    say(run / "checkpoint-30", global_step=30, best_model_checkpoint="C:\\out\\checkpoint-20\\")
    assert find_checkpoints(run).history.best == 20
    say(run, global_step=30, best_global_step=30)
    assert find_checkpoints(run).history.best == 30
    assert TrainingHistory().best is None


# -- in a run


def test_a_run_that_showed_a_wrong_step_shows_it_no_more(
    run_path: Path, image_folder: Path
) -> None:
    """The version before took the planned end for the step of the final model."""
    folder, notes = RunFolder(run_path), list[str]()
    changed = load_file(run_path / "checkpoint-20" / "model.safetensors")
    changed["classifier.bias"] += 1
    shutil.rmtree(run_path / "checkpoint-100")
    shutil.copytree(run_path / "checkpoint-20", run_path / "checkpoint-100")
    save_file(changed, run_path / "checkpoint-100" / "model.safetensors", {"format": "pt"})
    request = Request(dataset={"source": str(image_folder), "split": "train", "limit": 12})
    assert build(folder, request).manifest.steps == [10, 20, 100]
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        shutil.copy2(run_path / "checkpoint-100" / name, run_path / name)
    shutil.rmtree(run_path / "checkpoint-100")
    folder.history.unlink()
    assert last(checkpoints_of(folder, RunInfo(DatasetReference("")), Request(), SILENT)) == (
        100,
        True,
    ), "this version knows where the embeddings are from"
    metadata = folder.array("embeddings", 100).with_suffix(".json")
    content = json.loads(metadata.read_text())
    del content["step_known"], content["checksum"]
    metadata.write_text(json.dumps(content))

    class Notes:
        def note(self, text: str) -> None:
            notes.append(text)

        def __getattr__(self, name: str) -> Any:
            return getattr(SILENT, name)

    built = build(folder, Request(), progress=Notes())
    assert built.manifest.steps == [10, 20, 21]
    assert [one.name for one in built.manifest.checkpoints][-1] == "21 (final, step not known)"
    assert any("Checkpoint 100 leaves the table" in note for note in notes)
    assert sum("stands last as 21 (final, step not known)" in note for note in notes) == 1
    again = build(folder, Request())
    assert again.seconds == {} and not again.manifest.checkpoints[-1].step_known
    for state in run_path.glob("**/model.safetensors"):
        state.unlink()
    (run_path / "config.json").unlink()
    copied = build(folder, Request()).manifest
    assert copied.steps == [10, 20, 21] and not copied.checkpoints[-1].step_known
