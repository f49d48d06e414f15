"""Results that an earlier version computed wrongly are stale, with the reason; those that cannot be
made anew stay, and everything says what is wrong with them. All others stay valid."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import save_checkpoint

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.models.config import hub_config
from review_embeddings.pipeline.models.faults import FAULTS, EmbeddingMethod, Fault, faults_of
from review_embeddings.pipeline.models.preprocessing import (
    ProcessorSettings,
    hub_settings,
    processor_file,
    read_settings,
    settings_problem,
)
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.run.files import write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.keys import EmbeddingKey
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.stages.registry import STAGES

CommandLine = Callable[..., tuple[int, str, str]]

COMPLETE = {
    "do_resize": True,
    "size": {"shortest_edge": 16},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 16, "width": 16},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}

BENT = Fault("bent", "they were bent", lambda method: method.model_type == "vit")
"""A fault that was mended just now."""


def method(pooling: str = "auto", processor: str = "ViTImageProcessor", **config: Any) -> Any:
    return EmbeddingMethod(config, ProcessorSettings(COMPLETE, processor), pooling)


def timm(architecture: str, pooling: str = "auto") -> EmbeddingMethod:
    config = {"architecture": architecture, "pretrained_cfg": {}}
    return EmbeddingMethod(config, ProcessorSettings({"pretrained_cfg": {}}, ""), pooling)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (method(model_type="vit"), []),
        (method("mean", model_type="vit"), []),
        (method(model_type="swin", processor="BitImageProcessor"), []),
        (method(model_type="levit"), ["cached-biases"]),
        (timm("levit_128s.fb_dist_in1k"), ["cached-biases"]),
        (timm("tiny_vit_5m_224"), ["cached-biases"]),
        (timm("efficientvit_m0"), ["cached-biases"]),
        (timm("efficientvit_b0"), []),
        (method(model_type="vit_mae", mask_ratio=0.75), ["random-masking"]),
        (method(model_type="vit_mae"), ["random-masking"]),
        (method(model_type="vit_mae", mask_ratio=0.0), []),
        (timm("swin_tiny_patch4_window7_224", "mean"), ["channels-last"]),
        (timm("swin_tiny_patch4_window7_224"), []),
        (timm("swinv2_tiny_window8_256", "mean"), ["channels-last"]),
        (timm("swinv2_cr_tiny_224", "mean"), []),
        (timm("vit_tiny_patch16_224", "mean"), []),
        (timm("test_mambaout", "mean"), ["channels-last"]),
        (timm("volo_d1_224", "mean"), ["cls-in-mean"]),
        (timm("pit_ti_224", "mean"), ["cls-in-mean"]),
        (method("mean", model_type="clip_vision_model"), ["cls-in-mean"]),
        (method("cls", model_type="clip_vision_model"), []),
        (method("mean", model_type="pixio"), ["cls-in-mean"]),
        (method(model_type="clip_vision_model"), ["cls-passed-over"]),
        (method(model_type="cvt"), ["cls-passed-over"]),
        (method("mean", model_type="cvt"), []),
        (method("mean", model_type="dinat"), ["channels-last"]),
        (method(model_type="dinov3_vit"), ["unfinished"]),
        (timm("coat_lite_tiny", "mean"), ["cls-in-mean"]),
        (method(model_type="vit", processor="MobileViTImageProcessor"), ["unproven-pixels"]),
        (method(model_type="vit", processor="LevitImageProcessor"), ["unproven-pixels"]),
        (method(model_type="vit", processor="ConvNextImageProcessor"), []),
        (method(model_type="vit", processor="EfficientNetImageProcessor"), []),
        (EmbeddingMethod({}, None, "mean"), []),
    ],
)
def test_what_a_fault_applies_to(made: EmbeddingMethod, names: list[str]) -> None:
    assert [fault.name for fault in faults_of(made)] == names
    assert faults_of(made, checked=FAULTS.names()) == []


@pytest.mark.parametrize(
    ("settings", "applies"),
    [
        ({"do_flip_channel_order": True}, True),
        ({"do_flip_channel_order": False}, False),
        ({"do_pad": True}, False),
        ({"do_pad": False}, True),
    ],
)
def test_settings_decide_whether_the_pixels_could_be_wrong(
    settings: dict[str, Any], applies: bool
) -> None:
    made = ProcessorSettings({**COMPLETE, **settings}, "MobileViTImageProcessor")
    assert bool(faults_of(EmbeddingMethod({"model_type": "mobilevit"}, made, "auto"))) == applies


def test_every_fault_says_what_is_wrong_in_one_clause() -> None:
    for fault in FAULTS:
        assert fault.reason and not fault.reason.endswith(".") and "\n" not in fault.reason


def reasons(run: Path, **request: Any) -> dict[int | None, str]:
    """Why the embeddings of each checkpoint are computed."""
    jobs = preview(RunFolder(run), Request(**request))
    return {job.checkpoint: job.reason for job in jobs if job.stage.name == "embeddings"}


@pytest.fixture
def finished(built_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_run, tmp_path / "finished"))


@pytest.fixture
def bent() -> Iterator[None]:
    with FAULTS.registered(BENT):
        yield


def make_older(run: Path) -> None:
    """Take from stored embeddings what earlier versions did not keep beside them."""
    for file in (run / "embeddings").glob("*.json"):
        content = json.loads(file.read_text())
        for name in ("mended", "processor_class", "checked"):
            content["key"].pop(name, None)
        key = EmbeddingKey(**content["key"])
        content["fingerprint"] = key.fingerprint(STAGES["embeddings"])
        write_json(file, content)


def test_results_of_earlier_versions_without_a_fault_stay_valid(finished: Path) -> None:
    make_older(finished)
    assert preview(RunFolder(finished), Request()) == []


def test_a_mended_fault_is_one_entry_and_makes_results_stale(finished: Path, bent: None) -> None:
    assert reasons(finished) == dict.fromkeys((10, 20, 100), "they were bent")
    build(RunFolder(finished), Request())
    assert preview(RunFolder(finished), Request()) == []
    assert reasons(finished, settings={"pooling": "mean"})[10] == "--pooling changed"


def test_results_stay_valid_once_the_fault_is_forgotten(finished: Path) -> None:
    with FAULTS.registered(BENT):
        build(RunFolder(finished), Request())
    assert preview(RunFolder(finished), Request()) == []


def test_where_the_weights_are_gone_everything_says_what_is_wrong(
    finished: Path, bent: None, review_embeddings: CommandLine
) -> None:
    (finished / "checkpoint-10" / "model.safetensors").unlink()
    shutil.rmtree(finished / "checkpoint-20")
    before = (finished / "embeddings" / "000010.npy").read_bytes()
    assert "Checkpoint 10, 20, 100: wrong" in review_embeddings("summary", "--run", finished)[1]
    _, out, notes = review_embeddings("build", "--run", finished)
    words = " ".join((out + notes).split())
    assert "checkpoint 10, 20: they were bent. The weights are not there any more" in words
    assert (finished / "embeddings" / "000010.npy").read_bytes() == before
    manifest = table.read_manifest(RunFolder(finished))
    assert manifest is not None
    faults = {one.step: one.faults for one in manifest.checkpoints}
    assert faults == {10: ["they were bent"], 20: ["they were bent"], 100: []}
    assert "Checkpoint 10, 20: wrong" in review_embeddings("summary", "--run", finished)[1]
    shown = review_embeddings("table", "--run", finished, "--out", finished / "exports/t.csv")
    assert "Checkpoint 10, 20: wrong" in shown[2] and "they were bent" in shown[2]
    assert preview(RunFolder(finished), Request()) == []
    shutil.rmtree(finished / "checkpoint-10")
    shutil.rmtree(finished / "checkpoint-100")
    build(RunFolder(finished), Request())  # the configuration is gone, the table still knows
    assert "they were bent" in review_embeddings("summary", "--run", finished)[1]


# -- classes of image processors


def write_processor(checkpoint: Path, class_name: str, **settings: Any) -> None:
    content = {**COMPLETE, "image_processor_type": class_name, **settings}
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(content))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A run of two checkpoints with the same weights."""
    run = tmp_path / "run"
    save_checkpoint(run / "checkpoint-10", seed=1, step=10)
    save_checkpoint(run / "checkpoint-20", seed=1, step=20)
    return run


def embeddings(run: Path) -> list[Any]:
    return [np.load(run / "embeddings" / f"0000{step}.npy") for step in (10, 20)]


def test_classes_with_the_same_settings_never_share_pixels(two: Path, image_folder: Path) -> None:
    write_processor(two / "checkpoint-10", "LevitImageProcessor")
    write_processor(two / "checkpoint-20", "BitImageProcessor")
    request: dict[str, Any] = {"dataset": {"source": str(image_folder), "split": "train"}}
    build(RunFolder(two), Request(**request))
    levit, bit = embeddings(two)
    assert np.abs(levit - bit).max() > 1e-3 and reasons(two) == {}
    write_processor(two / "checkpoint-10", "BitImageProcessor")
    assert reasons(two) == {10: "image processor changed"}
    build(RunFolder(two), Request())
    assert np.array_equal(embeddings(two)[0], bit) and np.array_equal(embeddings(two)[1], bit)
    write_processor(two / "checkpoint-20", "LevitImageProcessor")
    assert reasons(two) == {20: "image processor changed"}
    build(RunFolder(two), Request())
    assert np.array_equal(embeddings(two)[0], bit) and np.array_equal(embeddings(two)[1], levit)


def test_classes_that_compute_the_same_are_one(two: Path, image_folder: Path) -> None:
    write_processor(two / "checkpoint-10", "BitImageProcessor")
    write_processor(two / "checkpoint-20", "CLIPFeatureExtractor")
    build(RunFolder(two), Request(dataset={"source": str(image_folder), "split": "train"}))
    assert len(list((two / "cache").glob("pixels-*.bin"))) == 1
    write_processor(two / "checkpoint-20", "ViTImageProcessorFast")
    assert reasons(two) == {}


def test_a_run_of_an_earlier_version_that_mixed_classes_is_stale(
    two: Path, image_folder: Path
) -> None:
    write_processor(two / "checkpoint-10", "ViTImageProcessor")
    write_processor(two / "checkpoint-20", "ViTImageProcessor")
    build(RunFolder(two), Request(dataset={"source": str(image_folder), "split": "train"}))
    make_older(two)
    write_processor(two / "checkpoint-20", "GotOcr2ImageProcessor")  # as if it had been both
    found = reasons(two)
    assert found.keys() == {10, 20} and found[10] == "image processor changed"


def test_a_class_with_settings_of_its_own_leaves_earlier_results_valid(
    two: Path, image_folder: Path
) -> None:
    for name in ("checkpoint-10", "checkpoint-20"):
        write_processor(two / name, "ConvNextImageProcessor", crop_pct=0.875)
    build(RunFolder(two), Request(dataset={"source": str(image_folder), "split": "train"}))
    for file in (two / "embeddings").glob("*.json"):
        content = json.loads(file.read_text())
        settings = read_settings(two / "checkpoint-10" / "preprocessor_config.json")
        assert content["key"]["processor"] == settings.class_digest
        content["key"]["processor"] = settings.digest
        write_json(file, content)
    make_older(two)
    assert reasons(two) == {}


# -- settings that are none


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ('{"do_resize": tr', "is no whole JSON file"),
        ("\x00\xff", "is no whole JSON file"),
        ("null", "it is null"),
        ("[1, 2]", "it is [1, 2]"),
        ('"ViT"', 'it is "ViT"'),
        ('{"image_processor_type": 5}', "does not name a class"),
        ('{"image_processor": 5}', "holds no settings of an image processor"),
        ('{"image_processor": {"feature_extractor_type": []}}', "does not name a class"),
    ],
)
def test_settings_that_are_none_are_one_line(content: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    file.write_bytes(content.encode("latin-1"))
    assert what in str(settings_problem(file))
    with pytest.raises(CheckpointError, match="--processor"):
        load_processor([tmp_path])


def test_a_checkpoint_with_such_settings_is_left_out_and_said(
    two: Path, image_folder: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    good = save_checkpoint(tmp_path / "good", seed=1, step=0)
    (two / "checkpoint-20" / "preprocessor_config.json").write_text("null")
    request = ("build", "--run", two, "--dataset", image_folder)
    code, out, notes = review_embeddings(*request)
    assert code == 0 and "Traceback" not in out + notes
    line = " ".join((out + notes).split())
    assert "Left out checkpoint-20: preprocessor_config.json holds no settings" in line
    manifest = table.read_manifest(RunFolder(two))
    assert manifest is not None and manifest.steps == [10]
    assert review_embeddings(*request, "--processor", good)[0] == 0
    manifest = table.read_manifest(RunFolder(two))
    assert manifest is not None and manifest.steps == [10, 20]
    (good / "preprocessor_config.json").write_text("[]")
    code, out, errors = review_embeddings(*request, "--processor", good)
    assert code == 2 and "holds no settings" in errors


def test_the_file_that_transformers_reads_is_the_one_that_counts(tmp_path: Path) -> None:
    settings, several = (
        tmp_path / name for name in ("preprocessor_config.json", "processor_config.json")
    )
    assert processor_file(tmp_path) is None
    settings.write_text(json.dumps({**COMPLETE, "image_processor_type": "ViTImageProcessor"}))
    several.write_text('{"processor_class": "CLIPProcessor"}')
    assert processor_file(tmp_path) == settings
    assert type(load_processor([tmp_path])._processor).__name__ == "ViTImageProcessorPil"
    nested = {"image_processor": {**COMPLETE, "image_processor_type": "LevitImageProcessor"}}
    several.write_text(json.dumps(nested))
    assert processor_file(tmp_path) == several
    assert read_settings(several).class_name == "LevitImageProcessor"
    assert type(load_processor([tmp_path])._processor).__name__ == "LevitImageProcessorPil"


def test_a_class_that_is_not_named_is_that_of_the_model(tmp_path: Path) -> None:
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({"do_resize": True}))
    names = {}
    for kind in ("vit", "levit", None):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind} if kind else {}))
        names[kind] = read_settings(file).class_name
    assert names == {"vit": "ViTImageProcessor", "levit": "of levit", None: "ViTImageProcessor"}


def test_what_the_hubs_cache_knows_of_a_model_tells_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models--some--mae" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (tmp_path / "models--some--mae" / "refs").mkdir()
    (tmp_path / "models--some--mae" / "refs" / "main").write_text("abc")
    (folder / "config.json").write_text('{"model_type": "vit_mae"}')
    write_processor(folder, "MobileViTImageProcessor")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert hub_config("some/mae") == {"model_type": "vit_mae"}
    known = hub_settings(["some/other", "some/mae"])
    assert known is not None and known.class_name == "MobileViTImageProcessor"
    assert hub_config("some/other") == hub_config("/some/path") == {}
