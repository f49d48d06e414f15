"""A training that was killed after its last step, at whatever call, ends with its final model when
it is run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from samples import save_start_model, write_splits

from review_embeddings.pipeline.run import files
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training import finish
from review_embeddings.pipeline.training.finetune import FineTuned, finetune
from review_embeddings.pipeline.training.finish import is_finished
from review_embeddings.pipeline.training.resume import newest_state
from review_embeddings.pipeline.training.trainer import CheckpointTrainer, PlanCallback

WAYS: dict[str, dict[str, Any]] = {
    "all": {},
    "first": {"keep": "first"},
    "best": {"keep": "first", "load_best": True},
}

FINAL = ("config.json", "model.safetensors", "preprocessor_config.json")


class KilledError(BaseException):
    """Stands for a kill: nothing of ours tolerates it; `tests.unclean` really kills."""


@dataclass
class Training:
    """A fine-tuning of 4 steps of the tiny ViT, and the way to run it in a folder."""

    folder: Path

    def __call__(self, name: str, way: str, **more: Any) -> FineTuned:
        options: dict[str, Any] = {
            "model": str(self.folder / "model"),
            "dataset": str(self.folder / "data"),
            "steps": 4,
            "frames": 3,
            "batch_size": 4,
            "arguments": {"bf16": "false", "logging_steps": "1"},
        }
        run = RunFolder(self.folder / name)
        return finetune(run, {**options, **WAYS[way], **more}, resume_seconds=0)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("finish")
    write_splits(folder / "data", train=6, test=2)
    save_start_model(folder / "model")
    return Training(folder)


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, training: Training) -> Iterator[tuple[str, FineTuned]]:
    """A way to keep checkpoints, and a training that nothing has disturbed."""
    yield request.param, training(f"whole {request.param}", request.param)


def final_of(run: RunFolder) -> dict[str, bytes]:
    """The final model and the log."""
    assert not [path for path in run.path.rglob("*") if path.name.startswith(".writing")]
    return {name: (run.path / name).read_bytes() for name in (*FINAL, "log.csv")}


def killed_at(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, when: Callable[..., bool]
) -> None:
    """Kill before a call of a function, the first time that ``when`` says so of its arguments."""
    before = getattr(owner, name)

    def killed(*arguments: Any, **named: Any) -> Any:
        if when(*arguments):
            raise KilledError
        return before(*arguments, **named)

    monkeypatch.setattr(owner, name, killed)


MOMENTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "log, weights": lambda patch: killed_at(
        patch, CheckpointTrainer, "_save_checkpoint", lambda self, *_: self.state.global_step == 4
    ),
    "weights, state": lambda patch: killed_at(
        patch, PlanCallback, "_save_state", lambda self, state: state.global_step == 4
    ),
    "state, final": lambda patch: killed_at(patch, finish, "put_final", lambda *_: True),
}
for _number in range(1, 5):

    def _between(patch: pytest.MonkeyPatch, number: int = _number) -> None:
        calls = iter(range(1, 100))
        killed_at(patch, finish, "_link_or_copy", lambda *_: next(calls) == number)

    MOMENTS[f"{_number - 1} files of the final model"] = _between


PAIRS = [
    *(("best", moment) for moment in MOMENTS),
    *((way, "state, final") for way in ("all", "first")),
    ("first", "2 files of the final model"),
]
"""Ways to keep checkpoints, and moments."""


@pytest.mark.parametrize(("whole", "moment"), PAIRS, indirect=["whole"])
def test_the_same_again_ends_with_the_final_model(
    whole: tuple[str, FineTuned], training: Training, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    way, expected = whole
    name = f"{way} {moment}"
    with monkeypatch.context() as patch:
        # from here and not at the name by which `fit` knows it
        patch.setattr("review_embeddings.pipeline.training.fit.put_final", _put_final)
        MOMENTS[moment](patch)
        with pytest.raises(KilledError):
            training(name, way)
    run = RunFolder(training.folder / name)
    assert not is_finished(run) or way == "best"
    again = training(name, way)
    assert final_of(again.run) == final_of(expected.run)
    assert (again.steps, again.best_step) == (4, expected.best_step)
    assert again.metrics == expected.metrics
    shutil.rmtree(run.path)


def _put_final(*arguments: Any) -> None:
    finish.put_final(*arguments)


def test_a_longer_training_is_never_a_mixture_with_the_shorter(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of the shorter one go before anything of the longer one comes."""
    run = training("longer", "all").run
    before = (run.path / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        killed_at(patch, finish, "_link_or_copy", lambda *_: True)
        with pytest.raises(KilledError):
            finetune(run, {"steps": 8, "frames": 3}, resume=True, resume_seconds=0)
    assert not (run.path / "model.safetensors").exists() and not is_finished(run)
    finetune(run, {}, resume=True)
    assert is_finished(run) and (run.path / "model.safetensors").read_bytes() != before
    assert json.loads((run.path / "trainer_state.json").read_text())["global_step"] == 8


@pytest.mark.parametrize("whole", ["best"], indirect=True)
def test_a_finished_training_writes_nothing_when_it_is_run_again(
    whole: tuple[str, FineTuned], training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, expected = whole
    assert newest_state(expected.run) is not None
    (expected.run.path / "README.md").write_text("mine")

    def refused(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(files, "commit", refused)
    again = training(f"whole {way}", way)
    assert again.finished and again.best_step == expected.best_step
