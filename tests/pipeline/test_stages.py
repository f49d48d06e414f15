"""What is computed, what is not computed again, and what a change makes stale."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from samples import CLASSES, encoded, picture, save_checkpoint, write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import (
    CheckpointError,
    DatasetError,
    ReviewError,
    RunError,
    SettingsError,
    StorageError,
)
from review_embeddings.pipeline.images import reading
from review_embeddings.pipeline.models.classnames import map_classes
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import compute as stages
from review_embeddings.pipeline.stages import images
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.stages.keys import Models


class Recorder:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        self.titles.append(title)
        yield lambda done: None

    def note(self, text: str) -> None:
        self.notes.append(text)

    def latest(self, text: str) -> None:
        pass


def make(path: Path, source: Path | None = None, **request: Any) -> tuple[Built, Recorder]:
    recorder = Recorder()
    reference = {} if source is None else {"source": str(source)}
    return build(
        RunFolder(path),
        Request(dataset=reference | request.pop("dataset", {}), **request),
        progress=recorder,
    ), recorder


def table_files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((path / "table").iterdir())}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the work that is done: decoded files, loaded models, searches, maps."""
    counted: Counter[str] = Counter()

    def count(module: Any, name: str, key: str) -> None:
        original = getattr(module, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counted[key] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    count(reading, "decode", "decoded")
    count(images, "decode", "decoded")
    count(stages, "decode", "decoded")
    count(EncoderLoader, "encoder", "models")
    count(stages, "nearest_neighbors", "searches")
    count(stages, "ood_scores", "scores")
    count(stages, "project", "maps")
    count(stages, "align", "alignments")
    monkeypatch.setattr(
        stages,
        "near_duplicates",
        lambda hashes, neighbors, pictures, scratch: counting_copies(counted, hashes),
    )
    return counted


def counting_copies(counted: Counter[str], hashes: Any) -> Any:
    """In place of the search for copies, which has tests of its own and decodes again what it
    compares."""
    counted["copies"] += 1
    return np.zeros((0, 2), dtype=np.int64)


def test_everything_once_and_nothing_twice(
    run_path: Path, image_folder: Path, calls: Counter[str]
) -> None:
    built, _ = make(run_path, image_folder)
    assert built.manifest.steps == built.wanted == built.available == [10, 20, 100]
    assert calls == {
        "decoded": 36,
        "models": 3,
        "searches": 3,
        "scores": 3,
        "maps": 3,
        "alignments": 1,
        "copies": 2,
    }
    before = table_files(run_path)
    calls.clear()
    again, recorder = make(run_path)
    assert calls == {} and recorder.titles == [] and again.seconds == {}
    assert table_files(run_path) == before


def test_first_and_last_embed_just_those_two(
    run_path: Path, image_folder: Path, calls: Counter[str]
) -> None:
    built, _ = make(run_path, image_folder, wanted=["first", "last"])
    assert built.wanted == built.manifest.steps == [10, 100] and built.available == [10, 20, 100]
    assert calls["models"] == 2
    calls.clear()
    built, _ = make(run_path, wanted=["20"])  # joins those that are there
    assert built.wanted == [20] and built.manifest.steps == [10, 20, 100]
    assert calls == {"models": 1, "searches": 1, "scores": 1, "maps": 1, "alignments": 1}


def test_a_new_checkpoint_changes_what_it_must_and_nothing_else(
    run_path: Path, image_folder: Path, calls: Counter[str]
) -> None:
    make(run_path, image_folder, settings={"align_to": "first", "scaling": "common"})
    before = table.read(run_path)
    calls.clear()
    save_checkpoint(run_path / "checkpoint-200", seed=7, step=200)
    make(run_path)
    assert calls == {
        "models": 1,
        "searches": 1,
        "scores": 1,
        "maps": 1,
        "alignments": 1,
        "copies": 1,
    }
    after = table.read(run_path, checkpoints=[10, 20, 100])
    same = [
        column.name
        for column in table.COLUMNS
        if column.per != "image" and column.name not in {"x", "y", "embedding", "image"}
    ]
    assert before[same].equals(after[same])
    factor = float(
        np.abs(after["x"]).max() / np.abs(before["x"]).max()
    )  # at most the common range has changed
    np.testing.assert_allclose(after["x"], before["x"] * factor, atol=1e-4)


def test_alignment_alone_is_cheap(run_path: Path, image_folder: Path, calls: Counter[str]) -> None:
    make(run_path, image_folder)
    calls.clear()
    built, _ = make(run_path, settings={"align_to": "previous"})
    assert calls == {"alignments": 1} and built.manifest.align_to == "previous"
    assert make(run_path)[0].manifest.align_to == "previous"  # the run remembers


@pytest.mark.parametrize("change", ["weights", "pooling", "precision", "processor", "images"])
def test_changed_input_is_computed_again(
    run_path: Path, image_folder: Path, tmp_path: Path, calls: Counter[str], change: str
) -> None:
    source = Path(shutil.copytree(image_folder, tmp_path / "source"))
    make(run_path, source)
    calls.clear()
    settings = {}
    expected = 3
    if change == "weights":
        save_checkpoint(run_path / "checkpoint-20", seed=77, step=20)
        expected = 1
    elif change == "processor":
        for file in run_path.glob("*/preprocessor_config.json"):
            file.write_text(
                json.dumps(json.loads(file.read_text()) | {"image_mean": [0.1, 0.2, 0.3]})
            )
    elif change == "images":
        picture(1, seed=999).save(source / "green" / "03.png")
    else:
        settings = {"pooling": {"pooling": "mean"}, "precision": {"precision": "bf16"}}[change]
    make(run_path, settings=settings)
    assert calls["models"] == calls["searches"] == calls["maps"] == expected


def test_auto_keeps_to_the_precision_that_a_run_has(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was embedded on a GPU is opened on a laptop, and goes on there."""
    monkeypatch.setattr(Models, "_proven_precision", "fp16")
    make(run_path, image_folder, wanted=["10", "20"])
    monkeypatch.undo()
    before = RunFolder(run_path).read_array("embeddings", 10).copy()
    make(run_path)
    run = RunFolder(run_path)
    assert [
        (run.result_metadata("embeddings", step) or {})["key"]["precision"]
        for step in (10, 20, 100)
    ] == ["fp16"] * 3
    np.testing.assert_array_equal(run.read_array("embeddings", 10), before)
    make(run_path, settings={"precision": "fp32"})
    assert (run.result_metadata("embeddings", 10) or {})["key"]["precision"] == "fp32"
    exact = run.read_array("embeddings", 10)
    assert 0 < np.abs(exact - before).max() < 0.02
    make(run_path, settings={"precision": "auto"})
    np.testing.assert_array_equal(run.read_array("embeddings", 10), exact)  # nothing is done again


def test_auto_goes_on_in_fp32_where_fp16_cannot_hold_the_values(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    file = run_path / "checkpoint-20" / "model.safetensors"
    weights = load_file(file)
    weights["vit.layernorm.weight"] *= 1e6  # beyond the largest float16
    save_file(weights, file, {"format": "pt"})
    monkeypatch.setattr(Models, "_proven_precision", "fp16")
    built, recorder = make(run_path, image_folder)
    assert any("20 gives values that fp16 cannot hold" in note for note in recorder.notes)
    assert built.manifest.steps == [10, 20, 100]
    run = RunFolder(run_path)
    assert [
        (run.result_metadata("embeddings", step) or {})["key"]["precision"]
        for step in (10, 20, 100)
    ] == ["fp16", "fp32", "fp16"]
    assert make(run_path)[0].seconds == {}
    with pytest.raises(CheckpointError, match="--precision fp32"):
        make(run_path, settings={"precision": "fp16"}, wanted=["20"])


def test_changed_labels_touch_the_table_only(
    run_path: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    source = tmp_path / "pictures.parquet"

    def write(labels: list[str]) -> None:
        files = [encoded(picture(row % 3, seed=row)) for row in range(9)]
        parquet.write_table(pa.table({"image": files, "label": labels}), source)

    write(CLASSES * 3)
    make(run_path, source)
    before = table.read(run_path)
    calls.clear()
    write([*CLASSES * 2, "red", "green", "blue"])
    make(run_path)
    after = table.read(run_path)
    assert calls == {"decoded": 9, "alignments": 1}
    assert (
        after["label"][6:9].tolist() == ["red", "green", "blue"]
        and before["label"][6:9].tolist() == CLASSES
    )
    about_labels = re.compile("label|aum|learnt|forgotten|self_confidence|embedding")
    same = [name for name in table.COLUMNS.names() if not about_labels.search(name)]
    assert {"prediction", "x", "ood_score", "drift", "duplicate_kind"} < set(same) and after[
        same
    ].equals(before[same])


def test_a_limit_is_a_balanced_sample_and_the_whole_comes_back(
    run_path: Path, image_folder: Path
) -> None:
    built, recorder = make(run_path, image_folder, dataset={"limit": 9})
    assert "Reviewing a sample of its split 'train': 9 of 36 images" in recorder.notes
    frame = table.read(run_path, checkpoints=[10])
    assert frame["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 3)
    assert len(built.images) == 9 and frame["image_id"].is_monotonic_increasing
    assert len(make(run_path)[0].images) == 9
    whole, recorder = make(run_path, dataset={"limit": 0})
    assert len(whole.images) == len(make(run_path)[0].images) == 36
    assert "Reviewing its split 'train': 36 images" in recorder.notes


def test_a_copied_run_needs_neither_checkpoints_nor_data(
    trainer_output: Path, image_folder: Path, tmp_path: Path, calls: Counter[str]
) -> None:
    source = Path(shutil.copytree(image_folder, tmp_path / "source"))
    weights = Path(shutil.copytree(trainer_output, tmp_path / "weights"))
    make(tmp_path / "run", source, checkpoints=str(weights))
    before = table.read(tmp_path / "run")
    for gone in (source, weights):
        shutil.rmtree(gone)
    copy = Path(shutil.copytree(tmp_path / "run", tmp_path / "copy"))
    shutil.rmtree(tmp_path / "run")
    calls.clear()
    built, _ = make(copy, wanted=["first", "last"])
    assert calls == {} and built.wanted == [10, 100] and built.available == [10, 20, 100]
    same = [name for name in table.COLUMNS.names() if name != "embedding"]
    assert table.read(copy)[same].equals(before[same])
    assert make(copy, settings={"scaling": "common"})[0].manifest.steps == [10, 20, 100]
    with pytest.raises(ReviewError, match="No checkpoint of .* has embeddings"):
        make(copy, settings={"pooling": "mean"})
    with pytest.raises(
        CheckpointError, match="its weights are not there any more. Name their folder"
    ):
        make(copy, settings={"pooling": "mean"}, wanted=["20"])
    (copy / "embeddings" / "000020.npy").unlink()
    built, recorder = make(copy, wanted=["first", "last"])
    assert built.manifest.steps == [10, 100] and any(
        "Checkpoint 20 leaves the table" in note for note in recorder.notes
    )


def test_a_base_model_without_a_head_is_step_0(
    run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    base = save_checkpoint(tmp_path / "base", seed=4, step=0, head=False)
    (base / "preprocessor_config.json").unlink()  # prepared like the checkpoints in any case
    built, _ = make(run_path, image_folder, base=str(base))
    assert built.manifest.steps == [0, 10, 20, 100]
    frame = table.read(run_path, checkpoints=[0])
    assert (
        frame["prediction"].isna().all()
        and frame["confidence"].isna().all()
        and (frame["epoch"] == 0).all()
    )
    assert make(run_path)[0].wanted == [0, 10, 20, 100]  # the run remembers its base model
    with pytest.raises(CheckpointError, match="nobody/nothing cannot be loaded"):
        make(
            run_path, base="nobody/nothing"
        )  # a wrong name is not taken for the model that was there
    assert make(run_path)[0].info.base == str(base)
    assert make(run_path, base="none")[0].manifest.steps == [10, 20, 100]


def test_the_head_of_a_base_model_for_other_classes_is_not_used(
    run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    base = save_checkpoint(
        tmp_path / "base", seed=4, step=0, classes=[f"imagenet {i}" for i in range(20)]
    )
    make(run_path, image_folder, base=str(base))
    assert table.read(run_path, checkpoints=[0])["prediction"].isna().all()


def test_unlabelled_images(run_path: Path, image_folder: Path) -> None:
    make(run_path, image_folder, dataset={"label_column": "none"})
    frame = table.read(run_path)
    assert frame["label"].isna().all() and set(frame["prediction"]) <= set(CLASSES)
    table.validate(frame)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_smallest_data_sets(run_path: Path, tmp_path: Path, total: int) -> None:
    (tmp_path / "few").mkdir()
    for number in range(total):
        picture(0, seed=number).save(tmp_path / "few" / f"{number}.png")
    make(run_path, tmp_path / "few")
    frame = table.read(run_path)
    table.validate(frame)
    assert len(frame) == 3 * total and set(frame["ood_rank"]) == set(range(1, total + 1))
    assert total > 1 or (frame[["x", "y"]].to_numpy() == 0).all()


def test_unreadable_images_are_left_out_and_named(
    run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(image_folder, tmp_path / "source"))
    (source / "green" / "05.png").write_bytes(b"broken")
    built, recorder = make(run_path, source)
    assert len(built.images) == 35 and 12 + 5 not in built.images.ids.tolist()
    assert any("Left out 1 of 36 images" in note for note in recorder.notes)
    assert "05.png" in (run_path / "skipped.csv").read_text()


def test_heads_and_classes_by_hand() -> None:
    assert map_classes(None, ["a"], name="x") is None
    assert map_classes(Head(["c", "a", "b"], 3), ["a", "b"], name="x") == [
        "c",
        "a",
        "b",
    ]  # by name, the split lacks c
    assert map_classes(Head(None, 2), ["a", "b"], name="x") == ["a", "b"]
    assert map_classes(Head(["Cat!", "Dog!"], 2), ["cat", "dog"], name="x") == [
        "cat",
        "dog",
    ]  # by position
    assert map_classes(Head(None, 2), None, name="x") == ["0", "1"]
    with pytest.raises(CheckpointError, match="tells 2 classes apart, the data set has 3"):
        map_classes(Head(None, 2), ["a", "b", "c"], name="x")


def test_classes_of_other_names_are_matched_by_order_and_said(
    run_path: Path, image_folder: Path
) -> None:
    save_checkpoint(
        run_path / "checkpoint-20", seed=1, step=20, classes=["circle", "square", "triangle"]
    )
    notes = make(run_path, image_folder)[1].notes
    assert any(
        "circle, square, triangle, the data set blue, green, red: they are matched by their order"
        in note
        for note in notes
    )


@pytest.mark.parametrize(
    "damage",
    ["table", "embeddings/000020.npy", "probabilities/000010.npy", "projections/000100.npy"],
)
def test_damaged_results_are_made_again(run_path: Path, image_folder: Path, damage: str) -> None:
    make(run_path, image_folder)
    before = table_files(run_path)
    victim = run_path / damage
    if victim.is_dir():
        next(victim.glob("*.parquet")).unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:150])
    make(run_path)
    assert table_files(run_path) == before
    table.validate(table.read(run_path))


def test_a_damaged_store_of_images_is_named_and_made_again(
    run_path: Path, image_folder: Path
) -> None:
    make(run_path, image_folder)
    (run_path / "images.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(RunError, match="images.parquet is damaged.*Delete it"):
        make(run_path)
    (run_path / "images.parquet").unlink()
    assert make(run_path)[0].manifest.steps == [10, 20, 100]


def test_the_file_of_each_image_is_in_the_table(run_path: Path, image_folder: Path) -> None:
    make(run_path, image_folder)
    paths = table.read(run_path, checkpoints=[10], columns=["path"])["path"]
    assert paths[0] == "blue/00.png" and sorted(paths) == sorted(
        file.relative_to(image_folder).as_posix() for file in image_folder.rglob("*.png")
    )


def test_other_classes_are_refused_before_any_work(
    run_path: Path, image_folder: Path, calls: Counter[str]
) -> None:
    save_checkpoint(run_path / "checkpoint-20", seed=1, step=20, classes=["a", "b", "c", "d", "e"])
    with pytest.raises(CheckpointError, match="tells 5 classes apart"):
        make(run_path, image_folder)
    assert calls == {} and not (run_path / "images.parquet").exists()


def test_one_diverged_checkpoint_does_not_stop_the_others(
    run_path: Path, image_folder: Path
) -> None:
    from safetensors.torch import load_file, save_file

    file = run_path / "checkpoint-20" / "model.safetensors"
    weights = load_file(file)
    weights["vit.layernorm.weight"][:] = float("nan")
    save_file(weights, file, {"format": "pt"})
    built, recorder = make(run_path, image_folder)
    assert built.manifest.steps == [10, 100] and any(
        "Left out checkpoint 20" in note for note in recorder.notes
    )
    with pytest.raises(CheckpointError, match="not finite"):
        make(run_path, wanted=["20"])


def test_a_finished_run_is_only_read(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(run_path, image_folder)
    monkeypatch.setattr(RunFolder, "lock", lambda self: pytest.fail("a finished run was locked"))
    assert make(run_path, wanted=["first", "last"])[0].wanted == [10, 100]


@pytest.mark.parametrize(
    ("request_of", "error", "words"),
    [
        (lambda run, data: (run / "nowhere", None, {}), RunError, "is no run"),
        (lambda run, data: (run, None, {}), RunError, "data set is not known"),
        (
            lambda run, data: (run, data, {"wanted": ["30"]}),
            CheckpointError,
            "no checkpoint 30; there are 10, 20, 100",
        ),
        (lambda run, data: (run, data, {"checkpoints": "/gone"}), RunError, "is not there"),
        (
            lambda run, data: (run, data, {"checkpoints": str(data)}),
            RunError,
            "holds no checkpoints",
        ),
        (
            lambda run, data: (run, data, {"settings": {"pooling": "max"}}),
            SettingsError,
            "--pooling max",
        ),
        (
            lambda run, data: (run, data, {"dataset": {"split": "dev"}}),
            DatasetError,
            "no split 'dev'",
        ),
        (lambda run, data: (run, data, {"device": "abacus"}), SettingsError, "no device"),
        (
            lambda run, data: (run, data, {"settings": {"processor": "/gone"}}),
            CheckpointError,
            "No image processor",
        ),
    ],
)
def test_wrong_requests(
    run_path: Path,
    image_folder: Path,
    request_of: Callable[[Path, Path], tuple[Path, Path | None, dict[str, Any]]],
    error: type[ReviewError],
    words: str,
) -> None:
    path, source, request = request_of(run_path, image_folder)
    with pytest.raises(error, match=words):
        make(path, source, **request)


def test_a_missing_image_processor_is_said_before_any_image_is_read(
    run_path: Path, image_folder: Path
) -> None:
    for file in run_path.rglob("preprocessor_config.json"):
        file.unlink()
    with pytest.raises(CheckpointError, match=r"No image processor in .*ViTImageProcessor\("):
        make(run_path, image_folder)
    assert not RunFolder(run_path).images.exists()


def test_an_empty_run_and_one_of_pickles(tmp_path: Path, image_folder: Path) -> None:
    (tmp_path / "checkpoint-10").mkdir()
    with pytest.raises(CheckpointError, match="no weights yet"):
        make(tmp_path, image_folder)
    (tmp_path / "checkpoint-10" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="it has no config.json"):
        make(tmp_path, image_folder)
    (tmp_path / "checkpoint-10" / "pytorch_model.bin").unlink()
    (tmp_path / "checkpoint-10").rmdir()
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="no format_version"):
        make(tmp_path, image_folder)


def test_a_read_only_folder(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == run_path / ".lock":
            raise PermissionError(13, "Permission denied")
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, whom no folder refuses
    with pytest.raises(StorageError, match="--run NEW --checkpoints FOLDER"):
        make(run_path, image_folder)


def test_cross_validation_is_kept_and_taken_back(run_path: Path, image_folder: Path) -> None:
    make(run_path, image_folder)
    before = table.read(run_path)
    built, recorder = make(run_path, settings={"cross_validate": 4})
    assert recorder.titles == ["Neighbours and scores"]
    assert set(built.seconds) == {"quality", "table"}
    after = table.read(run_path)
    assert not after["label_score"].equals(before["label_score"]) and not after["aum"].equals(
        before["aum"]
    )
    assert after["prediction"].equals(before["prediction"])
    assert (after["label_score"] > 0.5).mean() > 0.9, "red, green and blue are easily told apart"
    assert make(run_path)[0].seconds == {}
    make(run_path, settings={"cross_validate": 0})
    assert table.read(run_path)["label_score"].equals(before["label_score"])
    with pytest.raises(SettingsError, match="--cross-validate 1 is out of range"):
        make(run_path, settings={"cross_validate": 1})


def test_images_that_stand_in_another_split(run_path: Path, tmp_path: Path) -> None:
    data = write_splits(tmp_path / "data", train=12, test=8)
    shutil.copy(data / "train" / "red" / "05.png", data / "test" / "blue" / "03.png")
    again = Image.open(data / "train" / "green" / "02.png")
    again.save(
        data / "test" / "green" / "06.png", compress_level=1
    )  # the same picture in another file
    make(run_path, data, dataset={"split": "test"})
    before = table.read(run_path)
    assert (before["leak_of"] == -1).all()
    built, recorder = make(run_path, settings={"against": "train"})
    assert (
        set(built.seconds) == {"leaks", "table"}
        and "Embedding with checkpoint 100" in recorder.titles
    )
    after = table.read(run_path, checkpoints=[100])
    found = after[after["leak_of"] >= 0]
    assert dict(
        zip(found["path"], zip(found["leak_of"], found["leak_kind"], strict=True), strict=True)
    ) == {
        "test/blue/03.png": (24 + 5, "exact"),
        "test/green/06.png": (12 + 2, "near"),
    }
    assert make(run_path)[0].seconds == {}
    assert (
        set(after["leak_label"].dropna()) == {"red", "green"}
        and after["leak_label"].notna().sum() == 2
    )
    assert after.loc[after["path"] == "test/blue/03.png", "leak_path"].item() == "train/red/05.png"
    shutil.rmtree(run_path / "against-train")  # it is made again when it is needed
    assert "leaks" in make(run_path, settings={"scaling": "common"})[0].seconds
    assert table.read(run_path, checkpoints=[100])["leak_path"].equals(after["leak_path"])
    make(run_path, settings={"against": "none"})
    assert (table.read(run_path)["leak_of"] == -1).all()
    with pytest.raises(SettingsError, match="--against test is the split that is reviewed"):
        make(run_path, settings={"against": "test"})
    with pytest.raises(
        DatasetError, match="has no split 'validation'; .* Name one of them with --against"
    ):
        make(run_path, settings={"against": "validation"})
    assert make(run_path)[0].seconds == {}, "what was refused is not remembered"
    new = tmp_path / "new"
    with pytest.raises(DatasetError, match="--against"):
        make(
            new,
            data,
            dataset={"split": "test"},
            checkpoints=str(run_path),
            settings={"against": "validation"},
        )
    make(new, data, dataset={"split": "test"}, checkpoints=str(run_path))


def test_poor_pictures_are_looked_for_once(
    run_path: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(shutil.copytree(image_folder, tmp_path / "data"))
    Image.new("RGB", (32, 32)).save(data / CLASSES[0] / "03.png")
    make(run_path, data, dataset={"split": "train"})
    assert (table.read(run_path)["image_issue"] == "not checked").all() and table.read(run_path)[
        "dark_score"
    ].isna().all()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        SettingsError,
        match=r"--image-quality needs cleanvision.*pip install 'review-embeddings\[cleanvision\]'",
    ):
        make(run_path, settings={"image_quality": True})
    monkeypatch.undo()
    built, recorder = make(run_path, settings={"image_quality": True})
    assert set(built.seconds) == {"image quality", "table"} and recorder.titles == [
        "Looking at the images"
    ]
    after = table.read(run_path, checkpoints=[100]).set_index("path")
    black = next(path for path in after.index if path.endswith(f"{CLASSES[0]}/03.png"))
    assert (
        after.loc[black, "image_issue"] == "dark"
        and after.loc[black, "dark_score"] == 0
        and after.loc[black, "image_issue_rank"] == 1
    )
    assert after["image_issue_rank"].is_unique and after["blurry_score"].between(0, 1).all()
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None
    )  # what was found stays there without cleanvision
    assert make(run_path)[0].seconds == {}
    assert set(make(run_path, settings={"image_quality": False})[0].seconds) == {"table"}
    assert (table.read(run_path)["image_issue"] == "not checked").all()
