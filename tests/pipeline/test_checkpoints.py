"""Which folders are checkpoints, in which order, and what is said about the others."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from samples import save_checkpoint

from review_embeddings.pipeline.errors import CheckpointError, RunError
from review_embeddings.pipeline.models import weights
from review_embeddings.pipeline.models.checkpoints import find_checkpoints, select
from review_embeddings.pipeline.models.weights import stamp_weights


def test_numeric_order_with_epoch_and_loss(trainer_output: Path) -> None:
    found = find_checkpoints(trainer_output)
    assert found.steps == [10, 20, 100] and found.skipped == []
    assert [(checkpoint.epoch, checkpoint.loss) for checkpoint in found.usable] == [
        (0.2, 1.9),
        (0.4, 1.8),
        (2.0, 1.0),
    ]


def test_a_different_final_model_comes_last(run_path: Path) -> None:
    save_checkpoint(run_path, seed=5, step=120)
    assert find_checkpoints(run_path).steps == [10, 20, 100, 120]
    (run_path / "trainer_state.json").unlink()
    shutil.rmtree(run_path / "checkpoint-100")
    found = find_checkpoints(run_path)
    assert found.steps == [10, 20, 21], "100 steps were planned, which does not say they were made"
    assert [one.step_known for one in found.usable] == [True, True, False]
    assert found.usable[-1].epoch is None and found.usable[-1].loss is None


def test_the_final_model_is_not_shown_twice(run_path: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        shutil.copy(
            run_path / "checkpoint-20" / name, run_path / name
        )  # as after load_best_model_at_end
    assert find_checkpoints(run_path).steps == [10, 20, 100]


def test_a_model_without_checkpoints(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, seed=0, step=300)
    assert find_checkpoints(tmp_path).steps == [300]


def test_the_base_model_is_step_0(run_path: Path, tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base", seed=1, step=0, head=False)
    found = find_checkpoints(run_path, str(base))
    assert found.steps == [0, 10, 20, 100] and found.usable[0].is_base


@pytest.mark.parametrize("base", ["./nowhere", "/no/such/model"])
def test_a_base_model_that_is_not_there(run_path: Path, base: str) -> None:
    with pytest.raises(CheckpointError, match="not there"):
        find_checkpoints(run_path, base)


def test_checkpoints_that_cannot_be_used_are_named(run_path: Path) -> None:
    (run_path / "checkpoint-30").mkdir()
    whole = (run_path / "checkpoint-20" / "model.safetensors").read_bytes()
    shutil.copytree(run_path / "checkpoint-20", run_path / "checkpoint-40")
    (run_path / "checkpoint-40" / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    shutil.copytree(run_path / "checkpoint-20", run_path / "checkpoint-50")
    (run_path / "checkpoint-50" / "config.json").unlink()
    (run_path / "tmp-checkpoint-60").mkdir()
    found = find_checkpoints(run_path)
    assert found.steps == [10, 20, 100]
    assert {skipped.name: skipped.reason.split(" (")[0] for skipped in found.skipped} == {
        "checkpoint-30": "no weights yet",
        "checkpoint-40": "still being written",
        "checkpoint-50": "it has no config.json",
    }


def test_every_shard_must_be_there(run_path: Path) -> None:
    folder = run_path / "checkpoint-20"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}})
    )
    assert find_checkpoints(run_path).steps == [10, 100]
    shutil.copy(folder / shards[0], folder / shards[1])
    assert find_checkpoints(run_path).steps == [10, 20, 100]


def test_pickled_weights_are_read_without_running_them(run_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = run_path / "checkpoint-20"
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert find_checkpoints(run_path).steps == [10, 20, 100]


def test_selection_by_name_and_number() -> None:
    assert select([10, 20, 100], ["last", "first", "10"]) == [10, 100]
    with pytest.raises(CheckpointError, match="no checkpoint 30; there are 10, 20, 100"):
        select([10, 20, 100], ["30"])
    with pytest.raises(RunError, match="no checkpoints"):
        select([], ["first"])


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        (["0-20"], [0, 10, 20]),
        (["first-last"], [0, 10, 20, 100]),
        (["11-last", "0"], [0, 20, 100]),
        (["20-20"], [20]),
        (["5-99", "10"], [10, 20]),
    ],
)
def test_selection_by_range(wanted: list[str], steps: list[int]) -> None:
    assert select([0, 10, 20, 100], wanted) == steps


@pytest.mark.parametrize("name", ["21-99", "20-10", "-", "10-", "0-10-20", "-5", "1.5", ""])
def test_a_range_without_checkpoints_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        select([0, 10, 20, 100], [name])


def test_weights_are_hashed_once_and_again_after_a_change(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(run_path / "checkpoint-10")
    first = stamp_weights(source)
    with monkeypatch.context() as patch:
        patch.setattr(weights, "_file_digest", lambda file: pytest.fail("read again"))
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"), raising=False)
        assert stamp_weights(source, first) == first
    shutil.copy(
        run_path / "checkpoint-20" / "model.safetensors",
        run_path / "checkpoint-10" / "model.safetensors",
    )
    assert (
        stamp_weights(source, first).sha256
        == stamp_weights(str(run_path / "checkpoint-20")).sha256
        != first.sha256
    )
