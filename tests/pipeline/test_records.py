"""What is read back is what an earlier or newer version meant by it, or one sentence says why not;
what this version does not know survives being written again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from changes import ADD, DROP, NEWER, RETYPE, Change, changes
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import ReviewError, RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.index import milvus
from review_embeddings.pipeline.run.checksums import with_checksum
from review_embeddings.pipeline.run.files import read_record
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import read_history
from review_embeddings.pipeline.run.records import (
    NewerFormatError,
    RecordError,
    as_json,
    record_of,
    unknown_keys,
)
from review_embeddings.pipeline.training.resume import TrainingFile

FROZEN = Path(__file__).parents[1] / "data" / "format-1-complete"


@dataclass(frozen=True)
class Inner:
    side: int
    name: str | None = None


@dataclass(frozen=True)
class Outer:
    share: float
    inner: Inner
    others: list[Inner] = field(default_factory=list)
    steps: tuple[int, ...] = ()
    options: dict[str, bool] = field(default_factory=dict)
    unknown: Mapping[str, Any] = unknown_keys()


def test_an_object_becomes_its_dataclass() -> None:
    content = {"share": 1, "inner": {"side": 2}, "steps": [3, 4], "others": [{"side": 5}]}
    assert record_of(Outer, content) == Outer(1, Inner(2), [Inner(5)], (3, 4))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is null, not an object"),
        ({"inner": {"side": 1}}, "share is missing"),
        ({"share": True, "inner": {"side": 1}}, "share is true, not a number"),
        ({"share": 1, "inner": [1]}, "inner is a list, not an object"),
        ({"share": 1, "inner": {}}, "inner.side is missing"),
        ({"share": 1, "inner": {"side": 1.0}}, "inner.side is 1.0, not a whole number"),
        ({"share": 1, "inner": {"side": 1, "name": 2}}, "inner.name is 2, not a text"),
        (
            {"share": 1, "inner": {"side": 1}, "others": [{"side": 1}, {"side": "x" * 99}]},
            f'others[1].side is "{"x" * 38}…, not a whole number',
        ),
        ({"share": 1, "inner": {"side": 1}, "steps": None}, "steps is null, not a list"),
        ({"share": 1, "inner": {"side": 1}, "steps": [1, "2"]}, 'steps[1] is "2", not a'),
        ({"share": 1, "inner": {"side": 1}, "options": {"a b": 0}}, 'options."a b" is 0, not true'),
        ({"format_version": 0}, "format_version is 0, not a whole number from 1 on"),
    ],
)
def test_what_does_not_fit_is_named(content: object, reason: str) -> None:
    with pytest.raises(RecordError) as raised:
        record_of(Outer, content)
    assert str(raised.value).startswith(reason) and not isinstance(raised.value, NewerFormatError)


def test_a_newer_format_is_refused_whatever_it_holds() -> None:
    with pytest.raises(NewerFormatError):
        record_of(Outer, {"format_version": 2, "share": "half"})
    kept = {"format_version": 2, "share": 1, "inner": {"side": 1}}
    assert record_of(Outer, kept, known_format=2).share == 1


def test_unknown_keys_survive_at_each_level() -> None:
    content = {"new": [1], "share": 0.5, "inner": {"side": 1, "unit": "px"}, "unknown": 7}
    record = record_of(Outer, content)
    assert record.unknown == {"new": [1], "inner": {"unit": "px"}, "unknown": 7}
    changed = replace(record, inner=Inner(2, "b"), share=0.25)
    assert as_json(changed) == {
        "share": 0.25,
        "inner": {"side": 2, "name": "b", "unit": "px"},
        "others": [],
        "steps": (),
        "options": {},
        "new": [1],
        "unknown": 7,
    }
    assert record == Outer(0.5, Inner(1)), "they are no part of what it says"


# -- the files of a run


def read_training(run: RunFolder) -> object:
    return read_record(run.training, TrainingFile)


def read_result(run: RunFolder) -> object:
    run.is_current("embeddings", 30, "x")
    return [run.result_metadata("embeddings", 30), run.steps_with("embeddings")]


def read_manifest(run: RunFolder) -> object:
    return [table.read_manifest(run), table.known_steps(run)]


def read_collection(run: RunFolder) -> object:
    return milvus.resolve(run, None, None)


def array_of(run: RunFolder) -> None:
    """The arrays of a result, without which it does not count."""
    for name in ("embeddings", "probabilities"):
        path = run.array(name, 30)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((FROZEN / name / "000030.npy").read_bytes())


def frozen(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FROZEN / name).read_text())
    return content


TRAINING = {
    "format_version": 1,
    "request": {"model": "m", "dataset": "d", "epochs": 3.0, "arguments": {"bf16": "no"}},
    "steps": 40,
    "frames": [0, 20, 40],
    "classes": ["a", "b"],
    "packages": {"numpy": "2"},
}

HISTORY = {
    "format_version": 1,
    "root": ".",
    "checkpoints": {"20": {"epoch": 0.4, "loss": 1.8, "metrics": {"eval_accuracy": 0.5}}},
    "log": {"step": [10, 20], "loss": [1.9, None]},
    "states": {"checkpoint-20": {"stamp": [5, 6], "global_step": 20, "best_step": None}},
    "final": {"key": "k", "sha256": "s", "mixture": None, "different": [20]},
    "guessed": [],
}

FILES: dict[str, tuple[dict[str, Any], Callable[[RunFolder], object]]] = {
    "run.json": (frozen("run.json"), RunFolder.read_info),
    "training.json": (TRAINING, read_training),
    "history.json": (HISTORY, read_history),
    "milvus.json": ({"uri": "http://localhost:19530", "collection": "c"}, read_collection),
    "table/manifest.json": (frozen("table/manifest.json"), read_manifest),
    "embeddings/000030.json": (frozen("embeddings/000030.json"), read_result),
}


MAPPINGS = {"packages", "arguments", "arrays", "checkpoints", "metrics", "log", "states"}
"""Keys whose objects have keys of any name: another one in them is another value."""


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused_in_one_sentence(name: str, data: st.DataObject) -> None:
    whole, read = FILES[name]
    change: Change = data.draw(changes(whole))
    inside_mapping = bool(MAPPINGS & set(change.path))
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        file = run.path / name
        file.parent.mkdir(exist_ok=True)
        array_of(run)
        file.write_text(json.dumps(whole))
        before = read(run)
        file.write_bytes(change.text)
        try:
            after = read(run)
        except ReviewError as error:
            assert change.kind != ADD or inside_mapping, "a key of a newer version is no fault"
            assert "\n" not in str(error) and str(file) in str(error)
            assert ("made by a newer version" in str(error)) == (change.kind == NEWER)
            damaged = ("is damaged", "cannot be read", "holds no JSON object", "no format_version")
            assert any(words in str(error) for words in damaged) == (change.kind != NEWER)
        else:
            assert change.kind in {ADD, DROP, RETYPE}
            exempt = inside_mapping or name.startswith("embeddings")  # the content as it is
            assert change.kind != ADD or exempt or after == before
        assert file.read_bytes() == change.text, "reading changes nothing"


def test_a_result_without_what_makes_it_one_is_computed_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    array_of(run)
    file = run.array("embeddings", 30).with_suffix(".json")
    whole = frozen("embeddings/000030.json")
    for changed in (
        {key: value for key, value in whole.items() if key != "fingerprint"},
        {key: value for key, value in whole.items() if key != "arrays"},
        {**whole, "arrays": {}},
        {**whole, "arrays": None},
        {**whole, "arrays": {"embeddings": "1664"}},
        {**whole, "fingerprint": 5},
    ):
        file.write_text(json.dumps(changed))
        assert run.result_metadata("embeddings", 30) is None and run.steps_with("embeddings") == []
        assert not run.is_current("embeddings", 30, whole["fingerprint"])
    file.write_text(json.dumps({**whole, "new": 1}))
    assert run.is_current("embeddings", 30, whole["fingerprint"])
    file.write_text(json.dumps({**whole, "format_version": 2}))
    with pytest.raises(RunError, match="made by a newer version"):
        run.steps_with("embeddings")


# -- what is written again


added = st.dictionaries(
    st.text("newé{", min_size=4, max_size=6),
    st.none() | st.integers() | st.lists(st.text("a\ud83d", max_size=2)) | st.just({"x": {"y": 1}}),
    min_size=1,
    max_size=2,
)


@settings(max_examples=60, deadline=None)
@given(top=added, dataset=added, options=added)
def test_run_json_keeps_what_a_newer_version_wrote(
    top: dict[str, Any], dataset: dict[str, Any], options: dict[str, Any]
) -> None:
    whole = frozen("run.json")
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        content = {
            **whole,
            **top,
            "dataset": {**whole["dataset"], "reading": 1, **dataset},
            "settings": {**whole["settings"], **options},
        }
        run.run_json.write_text(json.dumps(content))
        info = run.read_info()
        assert info is not None
        changed = replace(info, settings=replace(info.settings, map="umap"), base="b")
        run.write_info(changed)
        written = json.loads(run.run_json.read_text())
        assert run.read_info() == replace(changed, id=written["id"], packages=written["packages"])
        content["settings"]["map"], content["base"] = "umap", "b"
        new = {name: written[name] for name in ("id", "packages")}
        assert written == with_checksum({**content, **new})
        run.write_info(info.with_source("other"))
        written = json.loads(run.run_json.read_text())
        assert not set(written["dataset"]) & set(dataset), "they were about the other data set"
        assert set(top) <= set(written) and set(options) <= set(written["settings"])


def test_an_older_run_json_is_written_as_it_was_but_for_the_rules_of_reading(
    tmp_path: Path,
) -> None:
    run = RunFolder(tmp_path)
    text = (FROZEN / "run.json").read_text()
    run.run_json.write_text(text)
    info = run.read_info()
    assert info is not None and info.dataset.reading == 1
    run.write_info(info)
    written, before = json.loads(run.run_json.read_text()), json.loads(text)
    before["dataset"]["reading"] = 1
    assert {"id", "checksum"} == set(written) - set(before)
    new = {name: written[name] for name in ("id", "packages")}
    assert written == with_checksum({**before, **new})
    run.write_info(replace(info, dataset=replace(info.dataset, reading=None)))
    info = run.read_info()
    assert info is not None and info.dataset.reading is None, "not read yet, by no rules"


def test_milvus_json_keeps_what_a_newer_version_wrote(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    reference = milvus.Reference("http://localhost:1", "a")
    milvus.remember(run, reference)
    assert json.loads(run.vectors_reference.read_text()) == with_checksum(
        {"uri": "http://localhost:1", "collection": "a"}
    )
    kept = {"uri": "http://localhost:1", "collection": "a", "metric": "cosine"}
    run.vectors_reference.write_text(json.dumps(kept))
    milvus.remember(run, milvus.resolve(run, None, "b"))
    written = json.loads(run.vectors_reference.read_text())
    assert written == with_checksum({**kept, "collection": "b"})


def test_training_json_keeps_what_a_newer_version_wrote(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    content = {**TRAINING, "host": "h", "request": {**TRAINING["request"], "ema": 0.9}}  # type: ignore[dict-item]
    run.training.write_text(json.dumps(content))
    file = read_record(run.training, TrainingFile)
    written = as_json(replace(file, steps=80))
    assert written["host"] == "h" and written["request"]["ema"] == 0.9 and written["steps"] == 80


# -- images.parquet


def test_images_of_another_version(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    run = RunFolder(tmp_path)
    stored = parquet.read_table(FROZEN / "images.parquet")

    def images(table: pa.Table, **metadata: str | None) -> Any:
        content = {**stored.schema.metadata, **{k.encode(): v for k, v in metadata.items()}}
        kept = {key: value for key, value in content.items() if value is not None}
        parquet.write_table(table.replace_schema_metadata(kept), run.images)
        return read_images(run)

    whole = images(stored)
    more = images(stored.append_column("mask", pa.array([None] * len(stored))), colours="sRGB")
    assert asdict_of(more) == asdict_of(whole), "columns and metadata of a newer version"
    assert images(stored.drop_columns(["width"])) is None, "of an older one: read again"
    with pytest.raises(RunError, match=r"images.parquet was made by a newer version"):
        images(stored.drop_columns(["width"]), format_version="2")
    for name, value, reason in (
        ("key", None, "key is missing"),
        ("classes", "5", "classes is 5, not a list"),
        ("classes", "[", "classes cannot be decoded"),
        ("signature", "[1]", "signature is a list, not a text"),
    ):
        with pytest.raises(RunError, match=f"damaged \\({reason}\\). Delete it"):
            images(stored, **{name: value})


def asdict_of(images: Any) -> dict[str, Any]:
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in asdict(images).items()
    }
