"""For every data set and every set of decisions: what `apply` writes loads again and is, split by
split, row by row, column by column, the source with exactly the decided changes, or is refused
before anything is written."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from samples import encoded, picture

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.decisions.lines import Decision, as_line
from review_embeddings.review.exchange.apply import ApplyRequest, apply
from review_embeddings.review.exchange.forms import FORMS

IN_CI = 30

EXAMPLES = int(os.environ.get("REVIEW_EMBEDDINGS_CLEANED", IN_CI))

NAMES = ["zebra", "ant", "a/b"]

NEW = ["new one", "b/a"]
"""Classes that people added to the run."""

LABELS: dict[str, tuple[Any, list[Any]]] = {
    "class": (datasets.ClassLabel(names=NAMES), [0, 1, 2, None]),
    "text": (datasets.Value("string"), [*NAMES, None]),
    "int": (datasets.Value("int32"), [3, 7, 11, None]),
    "float": (datasets.Value("float64"), [0.0, 1.0, 2.5, None]),
    "bool": (datasets.Value("bool"), [True, False, True, None]),
}

DAY = datetime.date(2021, 5, 3)

OTHERS: dict[str, tuple[Any, list[Any]]] = {
    "text": (datasets.Value("string"), ["2021-05-03", "=1+1", None, "", "é\n"]),
    "image": (datasets.Value("string"), ["a.png", "b.png"]),  # text beside a column of images
    "long": (datasets.Value("large_string"), ["x", None]),
    "number": (datasets.Value("int8"), [-1, 5, None]),
    "share": (datasets.Value("float32"), [0.1, float("inf"), None]),
    "flag": (datasets.Value("bool"), [True, False, None]),
    "day": (datasets.Value("date32"), [DAY, None]),
    "moment": (datasets.Value("timestamp[us]"), [datetime.datetime(2021, 5, 3, 1, 2, 3, 4)]),
    "zone": (
        datasets.Value("timestamp[s, tz=UTC]"),
        [datetime.datetime(2021, 5, 3, tzinfo=datetime.timezone.utc)],
    ),
    "raw": (datasets.Value("binary"), [b"\x00\xff", b"", None]),
    "coarse": (datasets.ClassLabel(names=["q", "p"]), [0, 1, -1, None]),
    "boxes": (datasets.List(datasets.List(datasets.Value("float32"))), [[[1, 2]], [], None]),
    "words": (datasets.List(datasets.Value("string")), [["a", "b"], [], None]),
    "about": (
        {"year": datasets.Value("int64"), "by": datasets.Value("string")},
        [{"year": 1, "by": None}],
    ),
    "mask": (datasets.Image(), ["picture", None]),
    "views": (datasets.List(datasets.Image()), [["picture", "picture"], [], ["picture"]]),
    "file_name": (datasets.Value("string"), ["old.png", "other.png"]),
    "my_file_name": (datasets.Value("string"), ["old.png"]),
}
"""Further columns: their type, and what may stand in them."""

FOLDER_TAKES_FOR_FILES = "file_name"

SPLITS = ["train", "test", "validation", "fold1", "dev", "unlabeled", "part.b"]

EVALUATED = {"test", "validation", "dev"}


@cache
def file_of(seed: int) -> bytes:
    return encoded(picture(seed % 3, seed), "JPEG" if seed % 2 else "PNG")


@dataclass(frozen=True)
class Case:
    """A data set and what was decided."""

    column: str
    label: str | None
    splits: Mapping[str, list[dict[str, Any]]]
    features: Mapping[str, datasets.Features]
    decisions: Mapping[int, tuple[str, str | None]]
    """By the seed of the image."""
    reviewed: str
    request: ApplyRequest


@st.composite
def cases(draw: st.DrawFn) -> Case:
    label = draw(st.sampled_from([*LABELS, None]))
    others = draw(st.lists(st.sampled_from([*OTHERS]), max_size=4, unique=True))
    column = "img" if "image" in others else draw(st.sampled_from(["image", "photo"]))
    names = draw(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=3, unique=True))
    features = {column: datasets.Image()}
    if label is not None:
        features["label"] = LABELS[label][0]
    features |= {name: OTHERS[name][0] for name in others}
    features = {name: features[name] for name in draw(st.permutations([*features]))}
    least = draw(st.sampled_from([0, 1, 1, 1]))
    splits, types = {}, {}
    for name in names:
        lacking = draw(st.sampled_from([None, None, "label", *others]))
        kinds = {one: kind for one, kind in features.items() if one != lacking}
        types[name] = datasets.Features(kinds)
        splits[name] = [
            draw(rows(column, kinds, label)) for _ in range(draw(st.integers(least, 5)))
        ]
    return Case(
        column,
        label,
        splits,
        types,
        draw(decisions(label)),
        draw(st.sampled_from(names)),
        ApplyRequest(
            form=draw(st.sampled_from(FORMS)),
            splits=tuple(draw(st.sampled_from([[], [], names[:1]]))),
            clean_test=draw(st.booleans()),
        ),
    )


@st.composite
def rows(
    draw: st.DrawFn, column: str, kinds: Mapping[str, Any], label: str | None
) -> dict[str, Any]:
    row = {}
    for name in kinds:
        if name == column:
            row[name] = draw(st.sampled_from([*range(6)] * 3 + ["none", "broken", "gone"]))
        elif name == "label" and label is not None:
            row[name] = draw(st.sampled_from(LABELS[label][1]))
        else:
            row[name] = draw(st.sampled_from(OTHERS[name][1]))
    return row


def decisions(label: str | None) -> st.SearchStrategy[dict[int, tuple[str, str | None]]]:
    kinds: list[tuple[str, str | None]] = [
        ("remove", None),
        ("duplicate", None),
        ("keep", None),
        ("unsure", None),
    ]
    if label is not None:
        names = NAMES if label == "class" else map(name_of, LABELS[label][1][:3])
        kinds += [("relabel", name) for name in names]
    if label == "class":
        kinds += [("relabel", name) for name in NEW]
    if label in {"text", "int"}:
        kinds.append(("relabel", "42"))  # which no row has yet
    return st.dictionaries(st.integers(0, 5), st.sampled_from(kinds), max_size=5)


def name_of(value: Any) -> str:
    return (
        {0: "0", 1.0: "1", 2.5: "2.5"}.get(value, str(value))
        if isinstance(value, float)
        else str(value)
    )


# -- writing the source


def write(case: Case, folder: Path) -> Path:
    """The source as `save_to_disk` writes it, or, for one split with files of its own, as such."""
    made = {}
    for name, listed in case.splits.items():
        content = {
            column: [cell(row[column], kind, folder) for row in listed]
            for column, kind in case.features[name].items()
        }
        made[name] = datasets.Dataset.from_dict(content, features=case.features[name])
    source = datasets.DatasetDict(made)
    shards = {name: None if len(rows) else 1 for name, rows in made.items()}
    source.save_to_disk(str(folder / "source"), num_shards=shards)
    return folder / "source"


def cell(value: Any, kind: Any, folder: Path) -> Any:
    if isinstance(kind, datasets.List) and kind.feature == datasets.Image():
        return [cell(one, kind.feature, folder) for one in value]
    if not isinstance(kind, datasets.Image) or value is None or value == "none":
        return None if value == "none" else value
    if value in {"broken", "gone"}:
        return {"bytes": b"no image", "path": f"{value}.png"}
    seed = 40 if value == "picture" else value
    return {"bytes": file_of(seed), "path": f"IMG {seed}.x.jpg" if seed % 2 else None}


def run_of(case: Case, source: Path, folder: Path) -> RunFolder:
    """A run folder with the decisions and nothing else."""
    run = RunFolder(folder / "run")
    run.path.mkdir()
    reference = DatasetReference(
        str(source), split=case.reviewed, image_column=case.column, label_column="label"
    )
    if case.label is None:
        reference = replace(reference, label_column=None)
    run.write_info(RunInfo(dataset=reference))
    for name in NEW:
        run.add_class(name)
    lines = [
        Decision(
            "2026-01-01T00:00:00.000000Z", "ada", hash_of(file_of(seed)), seed, None, kind, new
        )
        for seed, (kind, new) in case.decisions.items()
    ]
    run.decisions.write_bytes(b"".join(map(as_line, lines)))
    return run


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- what is right


def expected(case: Case) -> dict[str, list[dict[str, Any]]]:
    """The cleaned splits, by the rules as the README says them."""
    result: dict[str, list[dict[str, Any]]] = {}
    for name, listed in case.splits.items():
        if case.request.splits and name not in case.request.splits:
            result[name] = listed
            continue
        cleaned, seen, changed = [], set(), False
        for row in listed:
            kind, new = case.decisions.get(row[case.column], ("keep", None))
            second = kind == "duplicate" and name == case.reviewed and row[case.column] in seen
            seen.add(row[case.column])
            if kind == "remove" or second:
                changed = True
                continue
            if kind == "relabel" and "label" in row and new is not None:
                value = value_of(case, new)
                changed = changed or row["label"] != value
                row = {**row, "label": value}
            cleaned.append(row)
        if changed and name in EVALUATED and not case.request.clean_test:
            result[name], result[f"{name}_cleaned"] = listed, cleaned
        else:
            result[name] = cleaned
    return result


def added_classes(case: Case) -> list[str]:
    """The new classes that images get, in the order in which they were added to the run."""
    if case.label != "class":
        return []
    images = {
        row[case.column]
        for name, listed in case.splits.items()
        if "label" in case.features[name] and name in (case.request.splits or case.splits)
        for row in listed
    }
    wanted = {new for image, (_, new) in case.decisions.items() if image in images}
    return [name for name in NEW if name in wanted]


def features_after(case: Case, split: str) -> datasets.Features:
    features = case.features[split]
    if not added_classes(case) or "label" not in features:
        return features
    wider = datasets.ClassLabel(names=[*NAMES, *added_classes(case)])
    return datasets.Features(
        {name: wider if name == "label" else kind for name, kind in features.items()}
    )


def value_of(case: Case, name: str) -> Any:
    if case.label == "class":
        return [*NAMES, *added_classes(case)].index(name)
    if case.label == "bool":
        return name == "True"
    return {"int": int, "float": float}.get(str(case.label), str)(name)


def may_be_refused(case: Case, right: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether the form cannot carry the data set."""
    if case.request.form == "disk":
        return False
    if not all(right.values()):
        return True
    imageless = any(all(row[case.column] == "none" for row in listed) for listed in right.values())
    named = any(FOLDER_TAKES_FOR_FILES in kinds for kinds in case.features.values())
    origins = {name.removesuffix("_cleaned") for name in right}
    lists = [
        {
            column
            for column, kind in case.features[name].items()
            if kind == datasets.List(datasets.Image())
        }
        for name in origins
    ]
    partial = any(one != lists[0] for one in lists)
    return case.request.form == "folder" and (imageless or named or partial)


def load(out: Path, form: str, work: Path) -> dict[str, datasets.Dataset]:
    """All splits, as they are in the configuration that has no columns but their own."""
    if form == "disk":
        return dict(datasets.load_from_disk(str(out)))
    default, *others = datasets.get_dataset_config_names(str(out))
    assert default == "default"
    splits = dict(datasets.load_dataset(str(out), cache_dir=str(work / "cache")))
    for name in others:
        exact = datasets.load_dataset(str(out), name, cache_dir=str(work / "cache"))
        for split, rows in exact.items():
            more = [one for one in splits[split].column_names if one not in rows.column_names]
            assert all(set(splits[split][one]) <= {None} for one in more)
            assert stored(splits[split].select_columns(rows.column_names)) == stored(rows)
            splits[split] = rows
    return splits


def stored(rows: datasets.Dataset) -> list[dict[str, Any]]:
    """The rows as they are stored, images as their bytes."""
    kinds = rows.features
    table = rows.with_format("arrow")[:]
    return [
        {name: plain(value, kinds[name]) for name, value in row.items()}
        for row in table.to_pylist()
    ]


def plain(value: Any, kind: Any) -> Any:
    if isinstance(kind, datasets.List) and kind.feature == datasets.Image():
        return [plain(one, kind.feature) for one in value]
    if isinstance(kind, datasets.Image) and value is not None:
        data = value["bytes"]
        return data if data is not None else Path(value["path"]).read_bytes()
    return value


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == IN_CI,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_what_is_written_is_the_source_with_exactly_the_decided_changes(case: Case) -> None:
    folder = Path(tempfile.mkdtemp(prefix="applied-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
            check(case, folder)
    finally:
        shutil.rmtree(folder)


def check(case: Case, folder: Path) -> None:
    source = write(case, folder)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    run, out = run_of(case, source, folder), folder / "out"
    right = expected(case)
    refused = may_be_refused(case, right)
    event(f"{case.request.form}{', refused' if refused else ''}")
    if refused:
        for dry in (True, False):
            with pytest.raises(SettingsError, match="--as disk"):
                apply(run, out, replace(case.request, dry_run=dry))
        assert sorted(path.name for path in folder.iterdir()) == ["run", "source"]
        return
    planned = apply(run, out, replace(case.request, dry_run=True))
    assert not out.exists()
    applied = apply(run, out, case.request)
    assert replace(applied, snapshot=planned.snapshot) == planned
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before
    old, new = datasets.load_from_disk(str(source)), load(out, case.request.form, folder)
    assert list(new) == list(right)
    for name, rows in new.items():
        origin = name.removesuffix("_cleaned")
        assert rows.features == features_after(case, origin)
        assert list(rows.features) == list(old[origin].features)
        listed = [
            {
                column: plain(cell(row[column], kind, folder), kind)
                for column, kind in case.features[origin].items()
            }
            for row in right[name]
        ]
        assert stored(rows) == [rounded(row, rows.features) for row in listed]
    assert applied.kept == {name: len(listed) for name, listed in right.items()}


def rounded(row: dict[str, Any], features: datasets.Features) -> dict[str, Any]:
    """Values as Arrow holds them: single precision."""
    table = datasets.Dataset.from_dict(
        {name: [value] for name, value in row.items() if not with_images(features[name])},
        features=datasets.Features(
            {name: kind for name, kind in features.items() if not with_images(kind)}
        ),
    )
    held = table.with_format("arrow")[:].to_pylist() if table.column_names else [{}]
    return {name: held[0].get(name, value) for name, value in row.items()}


def with_images(kind: Any) -> bool:
    return kind in [datasets.Image(), datasets.List(datasets.Image())]
