"""Whatever an image data set lies in: every image is a row or is left out with a reason, its label
is the one that stands there, and images that are read in place are those of a copy."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from samples import encoded, picture

from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset
from review_embeddings.pipeline.images.inplace import read_cells
from review_embeddings.pipeline.images.reading import ImageRecord, read_image
from review_embeddings.pipeline.settings import DatasetReference

COUNT = int(os.environ.get("REVIEW_EMBEDDINGS_FOLDERS", "24"))
"""Generated data sets; more in .ci/long."""

MOST = 12
"""Images of one of them."""

BROKEN = b"no image at all"

NAMES = ["ant", "zebra", "4"]


@cache
def file_of(seed: int) -> bytes:
    return encoded(picture(seed % 3, seed))


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


@dataclass
class Expected:
    """What a person sees who looks into a data set."""

    labels: list[tuple[str, str | None]] = field(default_factory=list)
    """The hash of each image that can be read, with its label."""
    unreadable: int = 0
    """Rows without an image that can be read."""
    left_out: list[str] = field(default_factory=list)
    """Names of files that are in no row."""


# -- tars

IMAGE_ENDINGS = ["png", "png", "png", "PNG", "jpg", "webp", None]


@st.composite
def tars(draw: st.DrawFn, root: Path) -> Expected:
    """One or two tars: images of several endings, labels in files of their own or in JSON, files of
    an example together or apart, links, hidden files and such without an ending."""
    expected, seed = Expected(), 0
    kind = draw(st.sampled_from(["cls", "json", "txt", None]))
    apart = draw(st.booleans())
    for number in range(draw(st.integers(1, 2))):
        images, others = list[tuple[str, bytes | str]](), list[tuple[str, bytes | str]]()
        for row in range(draw(st.integers(1, 4))):
            key = f"d.x/{row:03d}" if number else f"{row:03d}"
            ending = draw(st.sampled_from(IMAGE_ENDINGS if row else ["png"]))
            data = draw(st.sampled_from([file_of(seed), file_of(seed), BROKEN]))
            label = draw(st.sampled_from(["7", "7", "12", "ant", None])) if kind else None
            seed += 1
            if ending is not None:
                images.append((f"{key}.{ending}", data))
            if label is not None or ending is None or draw(st.booleans()):
                others += label_member(key, kind, label)
            if ending is None or data == BROKEN:
                has_files = bool(others) and others[-1][0].startswith(f"{key}.")
                expected.unreadable += ending is not None or has_files
            else:
                expected.labels.append((hash_of(data), label))
        for name in draw(st.lists(st.sampled_from([*BESIDE]), unique=True, max_size=3)):
            others.append((name, BESIDE[name]))
            if name not in {"notes.txt", "n"}:
                expected.left_out.append(f"{number}.tar/{name}")
        members = [*images, *others] if apart else sorted([*images, *others], key=lambda m: m[0])
        write_tar(root / f"{number}.tar", members)
    return expected


BESIDE: dict[str, bytes | str] = {
    ".hidden.png": file_of(90),
    "sub/._000.png": BROKEN,
    "without": file_of(91),
    "n": b"text",
    "to-nothing.png": "gone.png",
}
"""Files that belong to no example; a text is where a link leads to."""


def label_member(key: str, kind: str | None, label: str | None) -> list[tuple[str, bytes | str]]:
    if kind == "json":
        number = label is not None and label.isdigit()
        value: Any = int(label) if number and label is not None else label
        return [(f"{key}.json", json.dumps({"label": value, "more": [1]}).encode())]
    if kind is None or label is None:
        return [(f"{key}.caption", b"something")]
    return [(f"{key}.{'cls' if kind == 'cls' else 'label.txt'}", label.encode())]


def write_tar(path: Path, members: Sequence[tuple[str, bytes | str]]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            about = tarfile.TarInfo(name)
            if isinstance(data, str):
                about.type, about.linkname = tarfile.SYMTYPE, data
                archive.addfile(about)
            else:
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))


# -- Parquet


@st.composite
def shards(draw: st.DrawFn, root: Path) -> Expected:
    """One to three Parquet files: labels of several types or none, missing images, files and row
    groups without rows, a column that only some have."""
    expected, seed = Expected(), 0
    kind = draw(st.sampled_from(["class", "int", "text", "mixed", "float", None]))
    as_bytes = draw(st.booleans())
    for number in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0 if number else 1, 4))
        cells, labels = list[Any](), list[Any]()
        has_labels = kind is not None and draw(st.sampled_from([True, True, True, False]))
        for _ in range(rows):
            data = draw(st.sampled_from([file_of(seed), file_of(seed), BROKEN, None]))
            seed += 1
            value = draw(st.sampled_from([0, 2, 2, None])) if has_labels else None
            cells.append(data if as_bytes or data is None else {"bytes": data, "path": None})
            labels.append(value)
            if data in {BROKEN, None}:
                expected.unreadable += 1
            else:
                expected.labels.append((hash_of(data or b""), label_of(kind, value)))
        table = table_of(kind, cells, labels if has_labels else None, number, as_bytes=as_bytes)
        with parquet.ParquetWriter(root / f"part-{number}.parquet", table.schema) as file:
            if draw(st.booleans()):
                file.write_table(table.slice(0, 0))
            file.write_table(table, row_group_size=draw(st.integers(1, 3)))
    return expected


def label_of(kind: str | None, value: int | None) -> str | None:
    if value is None:
        return None
    return NAMES[value] if kind in {"class", "text"} else str(value)


def table_of(
    kind: str | None, cells: list[Any], labels: list[Any] | None, number: int, *, as_bytes: bool
) -> pa.Table:
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns: dict[str, Any] = {"image": pa.array(cells, pa.binary() if as_bytes else struct)}
    features = datasets.Features({"image": datasets.Value("binary")})
    if not as_bytes:
        features = datasets.Features({"image": datasets.Image()})
    if labels is not None and kind is not None:
        texts = kind == "text" or (kind == "mixed" and number % 2)
        values = [None if one is None else label_of(kind, one) if texts else one for one in labels]
        number_type = "float64" if kind == "float" else "int64"
        feature: Any = datasets.Value("string" if texts else number_type)
        feature = datasets.ClassLabel(names=NAMES) if kind == "class" else feature
        features["label"] = feature
        columns["label"] = pa.array(values, features.arrow_schema.field("label").type)
    columns["row"] = pa.array(range(len(cells)), pa.int64())
    features["row"] = datasets.Value("int64")
    if number == 1:
        columns["only here"] = pa.array(["x"] * len(cells))
        features["only here"] = datasets.Value("string")
    schema = features.arrow_schema
    return pa.table(columns).cast(schema).replace_schema_metadata(schema.metadata)


# -- folders


@st.composite
def files(draw: st.DrawFn, root: Path) -> Expected:
    """Class folders, or images whose labels stand in metadata.csv, which names some of them."""
    expected, labels = Expected(), list[tuple[str, str]]()
    by_metadata = draw(st.booleans())
    for number in range(draw(st.integers(2, MOST))):
        name = NAMES[number % 2]
        data = draw(st.sampled_from([file_of(number), file_of(number), BROKEN]))
        ending = draw(st.sampled_from([".png", ".PNG", ".Jpeg", ".avif"]))
        path = root / ("" if by_metadata else name) / f"{number}{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        named = not by_metadata or not number or draw(st.booleans())
        if by_metadata and named:
            labels.append((path.name, name))
        if data == BROKEN:
            expected.unreadable += 1
        else:
            expected.labels.append((hash_of(data), name if named else None))
    if by_metadata:
        with (root / "metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file_name", "label"), *labels, ("gone.png", "ant")])
        expected.left_out.append("gone.png")
    elif draw(st.booleans()):
        (root / ".trash").mkdir()
        (root / ".trash" / "x.png").write_bytes(file_of(80))
        expected.left_out.append(".trash/x.png")
    return expected


# -- the promise


def seen(opened: OpenedDataset) -> tuple[list[tuple[str, str | None]], int]:
    """The images of an opened data set with their labels, and how many rows have none."""
    column = str(opened.reference.image_column)
    if opened.reference.in_place:
        cells = list(read_cells(opened.rows.data.table, column))
    else:
        cells = opened.rows[:][column] if len(opened.rows) else []
    images, unreadable = list[tuple[str, str | None]](), 0
    for row, cell in enumerate(cells):
        cell = {"bytes": cell, "path": None} if isinstance(cell, bytes) else cell
        record = read_image(row, 0, cell)
        code = -1 if opened.labels is None else int(opened.labels[row])
        if isinstance(record, ImageRecord):
            images.append(
                (hash_of(record.data), (opened.classes or [])[code] if code >= 0 else None)
            )
        else:
            unreadable += 1
    return images, unreadable


@pytest.mark.parametrize("kind", [tars, shards, files])
def test_every_image_of_a_source_is_a_row_or_has_a_reason_in_place_as_in_a_copy(
    kind: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)

    @settings(
        max_examples=max(1, COUNT // 3), deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        with TemporaryDirectory() as place:
            expected = data.draw(kind(Path(place)))
            event(f"{len(expected.labels)} images")
            ways = [
                open_dataset(DatasetReference(place, in_place=in_place))
                for in_place in (False, True)
            ]
            for opened in ways:
                images, unreadable = seen(opened)
                assert Counter(images) == Counter(expected.labels)
                assert unreadable == expected.unreadable
                left_out = sorted(one.name for one in opened.account.left_out)
                assert left_out == sorted(expected.left_out)
                assert all(one.reason for one in opened.account.left_out)
            copied, in_place = ways
            assert seen(copied) == seen(in_place), "in the same order"
            assert (copied.classes, copied.account) == (in_place.classes, in_place.account)

    check()
