"""The whole pipeline on real pretrained backbones and real images, where they lie beside the
checkout."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from samples import need

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build


def run_of(model: Path, folder: Path, image_size: int) -> Path:
    """A run of one step with the real data's classes: the backbone, with a new head where one is
    asked for."""
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    from review_embeddings.pipeline.models.classifier import set_image_size

    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    target = folder / "checkpoint-10"
    network = AutoModelForImageClassification.from_pretrained(
        model,
        num_labels=10,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        ignore_mismatched_sizes=True,
    )
    processor = AutoImageProcessor.from_pretrained(model, backend="pil")
    set_image_size(network, processor, image_size)
    network.save_pretrained(target)
    processor.save_pretrained(target)
    return folder


def timm_loads() -> bool:
    """timm needs torchvision, and torchvision a torch of the same build; a mismatch shows only on
    import."""
    if importlib.util.find_spec("timm") is None:
        return False
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("name", ["vit-small-saliency", "tf_efficientnet_lite0"])
def test_a_real_backbone_on_cifar10(name: str, shared: Path, tmp_path: Path) -> None:
    if name == "tf_efficientnet_lite0":
        need(timm_loads(), "timm with a torchvision that fits torch (pip install '.[timm]')")
    run = RunFolder(run_of(shared / "models" / name, tmp_path / "run", 112))
    built = build(
        run,
        Request(
            dataset={"source": str(shared / "data" / "cifar10"), "split": "test", "limit": 60},
            base=str(shared / "models" / name),
        ),
    )
    frame = table.read(run)
    table.validate(frame)
    assert built.manifest.steps == [0, 10] and len(frame) == 120
    base, tuned = (
        np.stack(frame.loc[frame["checkpoint"] == step, "embedding"].tolist()) for step in (0, 10)
    )
    np.testing.assert_allclose(
        base, tuned, atol=1e-3
    )  # the same backbone, with and without a head, prepared alike
    assert frame.loc[frame["checkpoint"] == 0, "prediction"].isna().all()
    assert frame.loc[frame["checkpoint"] == 10, "confidence"].between(0.05, 1).all()
    assert frame["label"].value_counts().eq(12).all()


def test_the_timm_processor_is_kept_exactly_in_8_bits(shared: Path, tmp_path: Path) -> None:
    need(timm_loads(), "timm with a torchvision that fits torch (pip install '.[timm]')")
    run = RunFolder(run_of(shared / "models" / "tf_efficientnet_lite0", tmp_path / "run", 96))
    build(
        run,
        Request(dataset={"source": str(shared / "data" / "cifar10"), "split": "test", "limit": 20}),
    )
    facts = json.loads(next(run.cache.glob("*.json")).read_text())
    assert facts["dtype"] == "uint8" and facts["shape"] == [20, 3, 96, 96]
    shutil.rmtree(run.cache)


@pytest.mark.parametrize("name", ["vit-small-saliency", "tf_efficientnet_lite0"])
def test_a_real_backbone_is_fine_tuned_and_embedded_meanwhile(
    name: str, shared: Path, tmp_path: Path
) -> None:
    from review_embeddings.pipeline.training.finetune import finetune

    if name == "tf_efficientnet_lite0":
        need(timm_loads(), "timm with a torchvision that fits torch (pip install '.[timm]')")
    run = RunFolder(tmp_path / "run")
    said = {
        "model": str(shared / "models" / name),
        "dataset": str(shared / "data" / "cifar10"),
        "image_size": 56,
        "eval_split": "none",
    }
    schedule = {
        "limit": 40,
        "steps": 3,
        "frames": 3,
        "batch_size": 10,
        "embed": True,
        "probe": 30,
        "keep": "first,last",
    }
    assert finetune(run, {**said, **schedule, "arguments": {"learning_rate": 1e-3}}).finished
    live = {step: np.array(run.read_array("embeddings", step)) for step in (0, 2, 3)}
    built = build(run, Request())
    assert "embeddings" not in built.seconds, "what was embedded in the training counts"
    for stage in ("embeddings", "probabilities"):
        shutil.rmtree(run.path / stage)
    build(run, Request())  # from the saved checkpoints this time
    for step in (0, 3):
        assert np.array_equal(run.read_array("embeddings", step), live[step])
    assert not np.allclose(live[0], live[3])
