"""Half precision is taken where a sample of the run shows that nothing changes, and not before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from review_embeddings.pipeline.analysis.agreement import Encoded, PrecisionAgreement, agreement
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.device import Arithmetic
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.files import write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.proof import read_proof, write_proof
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import keys, proof
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.stages.proof import reason_against
from review_embeddings.review.cli.output import print_jobs
from review_embeddings.review.report.summary import summarize

SAME = PrecisionAgreement(1.0, 1.0, 1.0, 1.0, 0.1)


# -- arithmetic


def test_autocast_rounds_products_and_nothing_else() -> None:
    torch.manual_seed(0)
    linear, norm = torch.nn.Linear(64, 64), torch.nn.LayerNorm(64)
    values, bf16 = torch.randn(4, 64), torch.bfloat16
    arithmetic = Arithmetic.of("bf16-autocast")
    with torch.inference_mode(), arithmetic.on(torch.device("cpu")):
        given = norm(values + linear(values))
        shares = given.softmax(dim=1)
    rounded = (values.to(bf16), linear.weight.to(bf16), linear.bias.to(bf16))
    right = norm(values + torch.nn.functional.linear(*rounded).float())
    assert given.dtype == shares.dtype == linear.weight.dtype == torch.float32
    assert torch.equal(given, right) and torch.equal(shares, right.softmax(dim=1))
    assert Arithmetic.of("bf16") == Arithmetic(bf16)
    assert Arithmetic.of("fp32") == Arithmetic(torch.float32)


# -- what is compared


def encoded(seed: int = 0, noise: float = 0.0, count: int = 200) -> Encoded:
    draws = np.random.default_rng(seed)
    vectors = draws.normal(size=(count, 8)).astype(np.float32)
    shares = draws.dirichlet(np.ones(3), count)
    noisy = np.random.default_rng(9).normal(size=vectors.shape).astype(np.float32) * noise
    return Encoded(vectors + noisy, shares)


def test_the_same_embeddings_agree_in_all() -> None:
    labels = np.arange(200) % 3
    found = agreement(encoded(), encoded(), labels)
    assert found == PrecisionAgreement(1.0, 1.0, 1.0, 1.0, found.distance)
    assert 0 < found.distance < 1


def test_other_embeddings_agree_in_nothing() -> None:
    labels = np.arange(200) % 3
    found = agreement(encoded(0), encoded(1), labels)
    assert abs(found.correlation) < 0.3 and found.worst < 0.5 and found.neighbors < 0.2
    assert found.labels is not None and found.labels < 0.6


def test_what_moves_a_little_agrees_in_part() -> None:
    found = agreement(encoded(), encoded(noise=0.05), None)
    assert 0.9 < found.correlation < 1 and 0.5 < found.neighbors < 1
    assert found.labels is None


def test_a_class_on_one_point_loses_its_neighbours() -> None:
    """Late in a training the noise of half precision is larger than the distances."""
    near = 1 + 1e-4 * np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    rounded = torch.from_numpy(near).bfloat16().float().numpy()
    found = agreement(Encoded(near, None), Encoded(rounded, None), None)
    assert found.distance < 1e-4
    assert "rank correlation" in reason_against(found, 2.0)


@pytest.mark.parametrize(
    ("found", "speed", "words"),
    [
        (SAME, 1.3, ""),
        (SAME, 1.29, "1.29 times as fast"),
        (
            PrecisionAgreement(0.9994, 1, 1, 1, 0.1),
            2,
            "rank correlation of the outlier scores 0.9994",
        ),
        (PrecisionAgreement(1, 0.969, 1, 1, 0.1), 2, "most atypical 5 %"),
        (PrecisionAgreement(1, 1, 0.979, 1, 0.1), 2, "ten nearest images"),
        (PrecisionAgreement(1, 1, 1, 0.94, 0.1), 2, "50 suspected labels"),
        (PrecisionAgreement(1, 1, 1, None, 0.1), 2, ""),
        (PrecisionAgreement(float("nan"), 1, 1, 1, 0.1), 2, "rank correlation"),
    ],
)
def test_one_limit_that_is_missed_is_enough(
    found: PrecisionAgreement, speed: float, words: str
) -> None:
    assert words in reason_against(found, speed)
    assert bool(words) == bool(reason_against(found, speed))


# -- in a run


class Heard(type(SILENT)):  # type: ignore[misc]
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def make(path: Path, source: Path | None = None, **request: Any) -> tuple[Built, Heard]:
    heard = Heard()
    if source is not None:
        request["dataset"] = {"source": str(source)}
    return build(RunFolder(path), Request(**request), progress=heard), heard


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small run is worth the look, on hardware that multiplies bfloat16."""
    monkeypatch.setattr(proof, "WORTH", 0)
    monkeypatch.setattr(proof, "fast_half", lambda device: "bf16-autocast")


def precisions(run: Path) -> list[str]:
    folder = RunFolder(run)
    steps = folder.steps_with("embeddings")
    found: list[dict[str, Any]] = [folder.result_metadata("embeddings", one) or {} for one in steps]
    return [one["key"]["precision"] for one in found]


def test_half_that_changes_nothing_is_taken_for_all_checkpoints(
    run_path: Path, image_folder: Path, worth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "LIMITS", ())
    monkeypatch.setattr(proof, "MIN_SPEED", 0.0)
    request = Request(dataset={"source": str(image_folder)})
    make(run_path, image_folder, wanted=["10"], settings={"precision": "fp32"})
    assert proof.PROOF.name not in {job.stage.name for job in preview(RunFolder(run_path), request)}
    for file in (run_path / "embeddings").iterdir():
        file.unlink()
    jobs = preview(RunFolder(run_path), Request(settings={"precision": "auto"}))
    assert [(job.reason, job.seconds) for job in jobs if job.stage is proof.PROOF] == [
        ("not proven yet; how long it takes is not known here", None)
    ]
    _, recorder = make(run_path, settings={"precision": "auto"})
    assert precisions(run_path) == ["bf16-autocast"] * 3
    found = read_proof(RunFolder(run_path))
    assert found is not None and [one.step for one in found.checkpoints] == [10, 100]
    assert [note for note in recorder.notes if note.startswith("Precision: bf16-autocast")]
    summary, _ = summarize(RunFolder(run_path), note=lambda text: None)
    assert dict(summary.properties)["precision"].startswith("bf16-autocast, ")
    assert make(run_path)[0].seconds == {}, "it is asked for once"


def test_a_dry_run_says_how_long_it_takes_where_the_model_was_timed(
    run_path: Path,
    image_folder: Path,
    worth: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(proof, "LIMITS", (proof.Limit("correlation", 1.1, "what cannot be"),))
    make(run_path, image_folder)
    run = RunFolder(run_path)
    found = read_proof(run)
    assert found is not None
    for file in [*(run_path / "embeddings").iterdir(), run.precision]:
        file.unlink()

    def seconds(**about: str) -> list[float | None]:
        """Of the look, where one at 24 images of a checkpoint took 6 seconds in a run beside it."""
        timed = replace(found.about, **about)
        ends = found.checkpoints[:1]
        (tmp_path / "beside").mkdir(exist_ok=True)
        one = replace(found, about=timed, seconds=6.0, images=24, checkpoints=ends)
        write_proof(RunFolder(tmp_path / "beside"), one)
        return [job.seconds for job in preview(run, Request()) if job.stage is proof.PROOF]

    assert seconds() == seconds(pooling="mean") == [36 * 2 * 6.0 / 24]
    assert seconds(device="another") == seconds(config="another") == [None]
    seconds()
    print_jobs(preview(run, Request()))
    line = next(line for line in capsys.readouterr().out.splitlines() if "precision" in line)
    assert "not proven yet" in line and line.endswith("about 18 s")


def test_half_that_changes_something_is_not(
    run_path: Path, image_folder: Path, worth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "LIMITS", (proof.Limit("correlation", 1.1, "what cannot be"),))
    make(run_path, image_folder)
    assert precisions(run_path) == ["fp32"] * 3
    found = read_proof(RunFolder(run_path))
    assert found is not None and found.taken == "fp32" and "what cannot be" in found.reason
    assert [one.step for one in found.checkpoints] == [10], "one that fails is enough"


def test_what_is_not_finite_in_float32_is_no_fault_of_the_half(
    run_path: Path, image_folder: Path, worth: None
) -> None:
    weights = run_path / "checkpoint-10" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000] + b"\xff" * 1000)  # NaN
    heard = Heard()
    request = Request(dataset={"source": str(image_folder)}, wanted=["10"])
    with pytest.raises(CheckpointError, match="not finite"):
        build(RunFolder(run_path), request, progress=heard)
    said = "Precision: fp32, not compared with bf16-autocast: Checkpoint 10 gives values that are"
    assert [note for note in heard.notes if note.startswith(said)]
    assert not RunFolder(run_path).precision.exists()
    weights.write_bytes(whole)
    make(run_path, wanted=["10"])
    assert read_proof(RunFolder(run_path)) is not None, "it is looked at again once it is mended"


def test_a_small_run_costs_less_than_the_look(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "fast_half", lambda device: pytest.fail("nobody asks"))
    make(run_path, image_folder)
    assert not RunFolder(run_path).precision.exists()


def test_a_proof_of_another_device_or_of_no_sense_says_nothing(
    run_path: Path, image_folder: Path, worth: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "LIMITS", ())
    monkeypatch.setattr(proof, "MIN_SPEED", 0.0)
    make(run_path, image_folder, wanted=["10"])
    run = RunFolder(run_path)
    assert precisions(run_path) == ["bf16-autocast"]
    for file in (run_path / "embeddings").iterdir():
        file.unlink()
    monkeypatch.setattr(proof, "fast_half", lambda device: None)
    monkeypatch.setattr(keys, "device_title", lambda device: "another")
    make(run_path, wanted=["10"])
    assert precisions(run_path) == ["fp32"]
    write_json(run.precision, {"format_version": 1, "about": 5})
    assert read_proof(run) is None


@pytest.mark.parametrize("asked", ["bf16", "auto"])
def test_a_run_stays_with_the_arithmetic_it_has(
    run_path: Path, image_folder: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that an earlier version cast, or products that this one casts."""
    kept = "bf16" if asked == "bf16" else "bf16-autocast"
    monkeypatch.setattr(keys, "half_precision", lambda name, device: kept)
    make(run_path, image_folder, settings={"precision": "bf16"}, wanted=["10"])
    monkeypatch.undo()
    make(run_path, settings={"precision": asked})
    assert precisions(run_path) == [kept] * 3


def test_what_is_asked_for_anew_is_computed_by_autocast(run_path: Path, image_folder: Path) -> None:
    make(run_path, image_folder, settings={"precision": "bf16"}, wanted=["10"])
    assert precisions(run_path) == ["bf16-autocast"]
