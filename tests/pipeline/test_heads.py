"""Heads that are no softmax, and heads that know other classes than the data set: probabilities
against a plain forward pass, and what follows from them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from notes import Notes
from PIL import Image
from samples import CLASSES, picture, save_checkpoint, tiny_vit
from transformers import AutoImageProcessor, ViTForImageClassification

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.labels import quality_by
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.classnames import map_classes, match_classes, notes_of
from review_embeddings.pipeline.models.encoder import load_encoder
from review_embeddings.pipeline.models.heads import SIGMOID, YES_NO, Head, probabilities_of
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.review.report.summary import summarize

MULTI_LABEL = {"problem_type": "multi_label_classification"}


def checkpoint(run: Path, step: int, classes: list[str], **config: Any) -> Path:
    """A tiny ViT with as many outputs as classes, and other entries in its configuration."""
    folder = save_checkpoint(run / f"checkpoint-{step}", seed=step, step=step, classes=classes)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return folder


def folder_of(path: Path, *classes: str) -> Path:
    """A folder of images with 8 of each class."""
    for label, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for number in range(8):
            picture(label % 3, seed=100 * label + number).save(path / name / f"{number}.png")
    return path


def built(run: Path, data: Path, **settings: Any) -> tuple[pd.DataFrame, list[str]]:
    """The table of a run, and what was noted."""
    notes = Notes()
    labels = {"label_column": settings.pop("label_column", None)}
    build(
        RunFolder(run),
        Request(dataset={"source": str(data), "split": "train", **labels}, settings=settings),
        progress=notes,
    )
    frame = table.read(RunFolder(run))
    table.validate(frame)
    return frame, notes.lines


def logits_of(run: Path, step: int) -> np.ndarray[Any, Any]:
    """What a plain forward pass gives for the images of a run."""
    folder = run / f"checkpoint-{step}"
    images = read_images(RunFolder(run))
    assert images is not None
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in images.read_files()]
    pixels = AutoImageProcessor.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.inference_mode():
        logits = ViTForImageClassification.from_pretrained(folder).eval()(**pixels).logits
    return np.asarray(logits.double().numpy())


def stored(run: Path, step: int) -> np.ndarray[Any, Any]:
    return np.asarray(np.load(run / "probabilities" / f"{step:06d}.npy"))


def sigmoid(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(1 / (1 + np.exp(-values)))


# -- several labels


def test_several_labels_have_a_probability_each_and_no_score_that_assumes_one(
    tmp_path: Path, image_folder: Path
) -> None:
    run = tmp_path / "run"
    checkpoint(run, 10, CLASSES, **MULTI_LABEL)
    checkpoint(run, 20, CLASSES, **MULTI_LABEL)
    frame, notes = built(run, image_folder)
    for step in (10, 20):
        expected = sigmoid(logits_of(run, step))
        np.testing.assert_allclose(stored(run, step), expected, atol=1e-6)
        part = frame[frame["checkpoint"] == step]
        best = expected.argmax(axis=1)
        assert part["prediction"].tolist() == [CLASSES[index] for index in best]
        np.testing.assert_allclose(part["confidence"], expected.max(axis=1), atol=1e-6)
        given = expected[np.arange(36), np.repeat(range(3), 12)]
        np.testing.assert_allclose(part["self_confidence"], given, atol=1e-6)
    summary, _ = summarize(RunFolder(run), note=lambda text: None)
    assert ("labels", "not judged: the model gives an image several labels") in summary.properties
    assert "labels" not in summary.lists
    absent = ["label_score", "suggested_label", "aum", "trajectory_label_score"]
    assert frame[absent].isna().all().all()
    assert not frame[["label_rank", "trajectory_label_rank", "label_issue"]].any().any()
    assert frame["label_mean"].notna().all()
    assert sum("label scores" in text for text in notes) == 1
    crossed, notes = built(run, image_folder, cross_validate=3)
    assert crossed[["label_score", "trajectory_label_score", "aum"]].notna().all().all()
    assert not any("label scores" in text for text in notes)


def test_what_was_saved_before_the_first_step_is_of_the_kind_that_was_trained(
    tmp_path: Path, image_folder: Path
) -> None:
    run = tmp_path / "run"
    checkpoint(run, 0, CLASSES, problem_type=None)
    checkpoint(run, 10, CLASSES, **MULTI_LABEL)
    built(run, image_folder)
    np.testing.assert_allclose(stored(run, 0), sigmoid(logits_of(run, 0)), atol=1e-6)


def test_only_another_kind_of_head_makes_embeddings_stale(
    tmp_path: Path, image_folder: Path
) -> None:
    run = tmp_path / "run"
    checkpoint(run, 10, CLASSES, problem_type=None)
    built(run, image_folder)
    key = json.loads((run / "embeddings" / "000010.json").read_text())
    assert "head_kind" not in key["key"] and set(key["head"]) == {"names", "count"}
    assert not preview(RunFolder(run), Request())
    checkpoint(run, 10, CLASSES, **MULTI_LABEL)
    reasons = {job.stage.name: job.reason for job in preview(RunFolder(run), Request())}
    assert "the kind of the head" in reasons["embeddings"]


# -- one output


@pytest.mark.parametrize(
    ("config", "columns", "noted"),
    [
        ({"id2label": {"0": "dog"}}, ["cat", "dog"], "'dog', against 'cat'"),
        ({"id2label": {"0": "CAT"}}, ["dog", "cat"], "'cat', against 'dog'"),
        ({"id2label": {"0": "LABEL_0"}}, ["cat", "dog"], "'dog', against 'cat'"),
        ({"id2label": {"0": "score"}}, ["cat", "dog"], "'dog', against 'cat'"),
        (MULTI_LABEL, ["cat", "dog"], "'dog', against 'cat'"),
    ],
)
def test_one_output_tells_two_classes_apart(
    tmp_path: Path, config: dict[str, Any], columns: list[str], noted: str
) -> None:
    run, data = tmp_path / "run", folder_of(tmp_path / "data", "cat", "dog")
    checkpoint(run, 10, ["LABEL_0"], **config)
    frame, notes = built(run, data)
    yes = sigmoid(logits_of(run, 10)[:, 0])
    np.testing.assert_allclose(stored(run, 10), np.stack([1 - yes, yes], axis=1), atol=1e-6)
    assert frame["prediction"].tolist() == [columns[int(one > 0.5)] for one in yes]
    given = np.where(frame["label"] == columns[1], yes, 1 - yes)
    np.testing.assert_allclose(frame["self_confidence"], given, atol=1e-6)
    assert frame["label_score"].notna().all()
    named = config.get("id2label", {}).get("0", "").lower() in {"cat", "dog"}
    assert named or any(noted in text for text in notes)


def test_a_regression_is_no_head_and_its_embeddings_stay_the_models_own(
    tmp_path: Path, image_folder: Path
) -> None:
    run = tmp_path / "run"
    folder = checkpoint(run, 10, ["LABEL_0"], problem_type="regression")
    frame, _ = built(run, image_folder)
    assert not (run / "probabilities").exists()
    assert frame[["prediction", "confidence", "label_mean"]].isna().all().all()
    assert frame["label_score"].notna().all(), "by the labels of the neighbours"
    images = read_images(RunFolder(run))
    assert images is not None
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in images.read_files()]
    pixels = AutoImageProcessor.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.inference_mode():
        hidden = ViTForImageClassification.from_pretrained(folder).vit(**pixels)
    expected = hidden.last_hidden_state[:, 0].numpy()
    found = np.load(run / "embeddings" / "000010.npy")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_output_is_no_head_for_classes_that_it_cannot_tell_apart(
    tmp_path: Path, image_folder: Path
) -> None:
    """Grades, such as people learn with one output; nothing in the configuration says so."""
    run = tmp_path / "run"
    checkpoint(run, 10, ["LABEL_0"])
    frame, notes = built(run, image_folder)
    assert frame["prediction"].isna().all() and frame["label_score"].notna().all()
    assert any("has one output, the data set 3 classes" in text for text in notes)


def test_one_output_without_labels(tmp_path: Path, image_folder: Path) -> None:
    run = tmp_path / "run"
    checkpoint(run, 10, ["LABEL_0"], id2label={"0": "dog"})
    frame, _ = built(run, image_folder, label_column="none")
    assert set(frame["prediction"]) <= {"not dog", "dog"}
    yes = sigmoid(logits_of(run, 10)[:, 0])
    np.testing.assert_allclose(frame["confidence"], np.maximum(yes, 1 - yes), atol=1e-6)


def test_a_softmax_over_one_output_that_was_stored_counts_for_nothing(
    tmp_path: Path, image_folder: Path
) -> None:
    """Of a run that an earlier version made, and whose weights are gone."""
    run = tmp_path / "run"
    checkpoint(run, 10, CLASSES)
    built(run, image_folder)
    file = run / "embeddings" / "000010.json"
    content = json.loads(file.read_text())
    del content["checksum"]
    file.write_text(json.dumps({**content, "head": {"names": None, "count": 1}}))
    (run / "checkpoint-10" / "model.safetensors").unlink()
    reasons = {job.stage.name for job in preview(RunFolder(run), Request())}
    assert reasons == {"quality", "table"}
    build(RunFolder(run), Request())
    frame = table.read(RunFolder(run))
    assert frame[["prediction", "confidence"]].isna().all().all()
    assert frame["label_score"].notna().all()


def test_heads_as_configurations_describe_them() -> None:
    vit: dict[str, Any] = {"architectures": ["ViTForImageClassification"]}
    several = vit | MULTI_LABEL
    assert Head.of(several | {"id2label": {"0": "a", "1": "b"}}) == Head(["a", "b"], 2, SIGMOID)
    assert Head.of(several | {"id2label": {"0": "a"}}) == Head(["not a", "a"], 2, YES_NO)
    assert Head.of(vit | {"num_labels": 1}) == Head(None, 2, YES_NO)
    assert Head.of(vit | {"id2label": {"0": "a"}, "problem_type": "regression"}) is None
    assert Head.of(vit | {"id2label": {"0": "a", "1": "b"}}, "regression") is None
    assert Head.of(several | {"num_labels": 3}, "regression") == Head(None, 3, SIGMOID)
    timm: dict[str, Any] = {"architecture": "resnet18", "pretrained_cfg": {}, "num_classes": 1}
    assert Head.of(timm) == Head(None, 2, YES_NO)
    assert Head.of(timm | {"label_names": ["ham", "spam"]}) == Head(["ham", "spam"], 2, YES_NO)
    assert Head.of(timm | {"num_classes": 3, "label_names": ["a", "b"]}) == Head(None, 3)
    with pytest.raises(CheckpointError, match="does not number the classes"):
        Head.of(vit | {"id2label": {"cat": 0, "dog": 1}})


@pytest.mark.parametrize("names", [["cat", "dog"], ["cat", "dog", "fox", "owl"]])
def test_a_head_with_other_names_than_outputs_says_what_to_write(
    tmp_path: Path, names: list[str]
) -> None:
    folder = checkpoint(tmp_path, 10, CLASSES, id2label=dict(enumerate(names)))
    with pytest.raises(CheckpointError, match=f"head of 3 outputs, .* has {len(names)} names"):
        load_encoder(
            Checkpoint(10, str(folder)),
            pooling="auto",
            precision="fp32",
            device="cpu",
            with_head=True,
        )


def test_logits_as_probabilities_by_hand() -> None:
    logits = torch.tensor([[0.0, float(np.log(3))]])
    softmax = probabilities_of(logits, "softmax", name="x")
    np.testing.assert_allclose(softmax, [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(probabilities_of(logits, SIGMOID, name="x"), [[0.5, 0.75]])
    yes = probabilities_of(logits[:, 1:], YES_NO, name="x")
    np.testing.assert_allclose(yes, [[0.25, 0.75]], rtol=1e-6)
    with pytest.raises(CheckpointError, match="gives 2 values"):
        probabilities_of(logits, YES_NO, name="x")


# -- more classes than the data set


def test_a_head_that_knows_more_classes_says_one_number(tmp_path: Path, image_folder: Path) -> None:
    run = tmp_path / "run"
    for step in (10, 20):
        checkpoint(run, step, ["red", "pink", "blue", "green", "violet"])
    frame, notes = built(run, image_folder)
    assert not notes or not any("matched" in text for text in notes)
    for step in (10, 20):
        part = frame[frame["checkpoint"] == step]
        logits = logits_of(run, step)
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        given = likely[np.arange(36), np.repeat([2, 3, 0], 12)]
        np.testing.assert_allclose(part["self_confidence"], given, rtol=1e-5)
    same = frame[frame["label"].astype(str) == frame["prediction"].astype(str)]
    assert len(same) and (same["confidence"] == same["self_confidence"]).all()
    by_image = frame.groupby("image_id")
    means = by_image["self_confidence"].mean().to_numpy()
    np.testing.assert_allclose(by_image["label_mean"].first().to_numpy(), means, rtol=1e-6)
    last = frame[frame["checkpoint"] == 20]
    right = last["label"].astype(str) == last["prediction"].astype(str)
    assert ((last["learnt_at"] >= 0) == right).all(), "of what the table calls the prediction"
    own = frame[frame["checkpoint"] == 20]["label_score"]
    shares = likely[:, [2, 3, 0]] / likely[:, [2, 3, 0]].sum(axis=1, keepdims=True)
    quality = quality_by(np.repeat(range(3), 12), ClassProbabilities.of_shares(shares))
    np.testing.assert_allclose(own, quality.score, rtol=1e-5)


def test_label_quality_is_on_the_scale_of_the_head_by_hand() -> None:
    outputs = np.array([[0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    wider = ClassProbabilities.of_outputs(outputs, [2, 0], one_label=True)
    np.testing.assert_allclose(wider.stated, [[0.1, 0.3], [0.6, 0.2]])
    np.testing.assert_allclose(wider.shares, [[0.25, 0.75], [0.75, 0.25]])
    assert wider.predicted.tolist() == [3, 0], "the first is none of the data set's"
    quality = quality_by(np.array([1, 1]), wider)
    np.testing.assert_allclose(quality.self_confidence, [0.3, 0.2], rtol=1e-6)
    np.testing.assert_allclose(quality.score, [0.75, 0.25], rtol=1e-6)
    each = ClassProbabilities.of_outputs(outputs, [2, 0, 1], one_label=False)
    quality = quality_by(np.array([1, -1]), each)
    np.testing.assert_allclose(quality.self_confidence, [0.3, np.nan], rtol=1e-6)
    assert np.isnan(quality.score).all() and quality.suggested.tolist() == [-1, -1]


# -- which class an output stands for


@pytest.mark.parametrize(
    ("names", "classes", "outputs", "way"),
    [
        (["c", "a", "b"], ["a", "b"], ["c", "a", "b"], "name"),
        (["Dog", "CAT"], ["cat", "dog"], ["dog", "cat"], "name"),
        (["golden_retriever", "Tabby-Cat"], ["tabby cat", "golden retriever"], None, "name"),
        (["tench, Tinca tinca", "goldfish"], ["goldfish", "tench"], ["tench", "goldfish"], "name"),
        (["10", "2", "0"], ["0", "2", "10"], ["10", "2", "0"], "name"),
        (None, ["LABEL_1", "LABEL_0"], ["LABEL_0", "LABEL_1"], "name"),
        (["Cat!", "Dog!"], ["cat", "dog"], ["cat", "dog"], "order"),
        (None, ["a", "b"], ["a", "b"], "order"),
    ],
)
def test_outputs_are_matched_by_name_where_it_can_be_told(
    names: list[str] | None, classes: list[str], outputs: list[str] | None, way: str
) -> None:
    head = Head(names, len(names) if names else 2)
    match = match_classes(head, classes, name="x")
    assert match.names == (outputs or list(reversed(classes))) and match.way == way


def test_integer_labels_are_the_numbers_of_outputs() -> None:
    for head in (Head(None, 4), Head(["cat", "dog", "bird", "fox"], 4)):
        match = match_classes(head, ["0", "1", "3"], name="x")
        assert match.names == ["0", "1", "2", "3"] and match.way == "number"
        assert match_classes(head, ["0", "1", "2", "3"], name="x").way == "order"
    with pytest.raises(CheckpointError, match="--label-column none"):
        map_classes(Head(None, 3), ["1", "3"], name="x")
    noted = list(notes_of({"Checkpoint 10": Head(None, 4)}, ["0", "1", "3"]))
    assert noted == [
        "Checkpoint 10 has 4 outputs, the data set classes 0, 1, 3: they are taken for the numbers "
        "of its outputs."
    ]


def test_digits_as_text_are_matched_by_their_order_and_it_is_said() -> None:
    digits = sorted(map(str, range(11)))  # 0, 1, 10, 2, ...
    head = Head(None, 11)
    assert map_classes(head, digits, name="x") == digits
    (noted,) = notes_of(dict.fromkeys(("Checkpoint 10", "Checkpoint 20"), head), digits)
    assert noted.startswith("Checkpoint 10 (and 1 more)") and "by their order" in noted
    assert not list(notes_of({"x": head}, [str(one) for one in range(11)]))
    assert not list(notes_of({"x": head}, [str(one) for one in range(1, 12)]))


@pytest.mark.parametrize(
    ("names", "classes", "message"),
    [
        (["cat", "dog", "bird"], ["bird", "cat", "fox"], "the others cannot be told"),
        (["crane", "heron", "Crane"], ["heron", "CRANE"], "several outputs that may stand for"),
        (["cat", "dog"], ["Cat", "cat_"], "the data set has 2|cannot be told|one output"),
        (["cat", "dog"], ["a", "b", "c"], "tells 2 classes apart"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_can_be_done(
    names: list[str], classes: list[str], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        map_classes(Head(names, len(names)), classes, name="Checkpoint 10")
    assert "--label-column none" in str(caught.value)


# -- while a model is trained


@pytest.mark.parametrize(("outputs", "kind"), [(3, SIGMOID), (1, "regression")])
def test_what_a_trainer_finds_out_at_its_first_step_counts_for_what_it_embeds(
    tmp_path: Path, image_folder: Path, outputs: int, kind: str
) -> None:
    """Float labels: transformers takes them for several labels, or for a regression, by itself."""
    from transformers import Trainer, TrainingArguments, ViTImageProcessorPil

    from review_embeddings.pipeline.training.callback import EmbeddingCallback

    torch.manual_seed(0)
    model = ViTForImageClassification(tiny_vit(num_labels=outputs))
    rows = [{"pixel_values": torch.rand(3, 16, 16), "labels": torch.rand(outputs)} for _ in "abcd"]
    run = tmp_path / "run"
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(run), max_steps=2, save_steps=1, save_only_model=True, use_cpu=True,
            report_to="none", disable_tqdm=True,
        ),
        train_dataset=rows,
        processing_class=ViTImageProcessorPil(size={"height": 16, "width": 16}),
        callbacks=[EmbeddingCallback(image_folder, split="train")],
    )  # fmt: skip
    trainer.train()
    built(run, image_folder)
    assert json.loads((run / "checkpoint-1" / "config.json").read_text())["problem_type"]
    for step in (0, 1, 2):
        record = json.loads((run / "embeddings" / f"{step:06d}.json").read_text())
        assert record["key"]["head_kind"] == kind and record["key"]["with_head"]
        if kind == SIGMOID:
            np.testing.assert_allclose(stored(run, step), sigmoid(logits_of(run, step)), atol=1e-6)
    assert kind == SIGMOID or not list((run / "probabilities").glob("000001*"))
    times = [(run / "embeddings" / f"00000{step}.npy").stat().st_mtime_ns for step in (1, 2)]
    assert times[0] < times[1] < (run / "table" / "manifest.json").stat().st_mtime_ns
    assert not preview(RunFolder(run), Request())
