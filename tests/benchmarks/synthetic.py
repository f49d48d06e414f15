"""Runs of any size without the training that they would be of: real images of 8 pixels, and
embeddings that are drawn around the centres of classes.

No model looks at the images, so that a million of them are written in a minute. Whatever follows
from embeddings is computed from these files as from real ones.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

CLASSES = 10

SEEN = 40
"""Images that a tiny model really embeds: what it leaves says how embeddings are kept."""

BLOCK = 4096
"""Rows that are drawn at once."""

ROW_GROUP = 256
"""Images in a row group, as `ImagesWriter` has them."""


def synthetic_run(work: Path, images: int, checkpoints: int, dimension: int) -> Path:
    """A run folder in ``work`` with the embeddings and probabilities of so many checkpoints, and
    nothing that follows from them; the same each time."""
    folder = work / f"run-{images}x{checkpoints}x{dimension}"
    if not (folder / "made").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _begin(work, folder, images)
        (folder / "made").touch()
    for step in range(1, checkpoints + 1):
        add_checkpoint(folder, step, dimension)
    return folder


def _begin(work: Path, folder: Path, images: int) -> None:
    """A run of a few images by a tiny model, with the file of many in place of theirs."""
    import datasets
    from samples import save_checkpoint

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    names = [f"class {number}" for number in range(CLASSES)]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
    )
    random, data = np.random.default_rng(1), work / "few.parquet"
    files = [{"bytes": png(random), "path": None} for _ in range(SEEN)]
    labels = [number % CLASSES for number in range(SEEN)]
    if not data.is_file():
        datasets.Dataset.from_dict({"image": files, "label": labels}, features=features).to_parquet(
            str(data)
        )
    save_checkpoint(folder / "checkpoint-1", seed=1, step=1, classes=names)
    run = RunFolder(folder)
    build(run, Request(dataset={"source": str(data)}, settings={"precision": "fp32"}))
    shutil.copy(run.array("embeddings", 1).with_suffix(".json"), folder / "few.json")
    for other in folder.iterdir():
        if other.is_dir() and other.name != "checkpoint-1":
            shutil.rmtree(other)
    _write_images(run, images)


def png(random: np.random.Generator) -> bytes:
    """An image of noise of 8 x 8 pixels, not compressed."""
    rows = b"".join(b"\0" + random.bytes(24) for _ in range(8))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 0)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _write_images(run: Any, images: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from review_embeddings.pipeline.images.runimages import images_schema
    from review_embeddings.pipeline.run.parquets import COLUMNS, FOOTER, add_checksums

    known = parquet.read_metadata(run.images).metadata or {}
    kept = {key: text for key, text in known.items() if key not in {COLUMNS, FOOTER}}
    kept.pop(b"ARROW:schema", None)
    schema, random = images_schema(), np.random.default_rng(0)
    with parquet.ParquetWriter(run.images, schema.with_metadata(kept), compression="zstd") as file:
        for start in range(0, images, ROW_GROUP):
            rows = [_row(number, random) for number in range(start, min(images, start + ROW_GROUP))]
            file.write_table(pa.Table.from_pylist(rows, schema=schema))
    add_checksums(run.images)


def _row(number: int, random: np.random.Generator) -> dict[str, Any]:
    data = png(random)
    return {
        "image_id": number,
        "image_hash": hashlib.sha256(data).hexdigest(),
        "label": number % CLASSES,
        "path": None,
        "width": 8,
        "height": 8,
        "image": data,
        "preview": None,
    }


def add_checkpoint(folder: Path, step: int, dimension: int) -> None:
    """Embeddings and probabilities of one more checkpoint, where they are not there yet."""
    from review_embeddings.pipeline.images.runimages import read_images
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.run.records import record_of
    from review_embeddings.pipeline.stages.keys import EmbeddingKey
    from review_embeddings.pipeline.stages.registry import EMBEDDINGS

    run = RunFolder(folder)
    if run.result_metadata("embeddings", step) is not None:
        return
    images = read_images(run)
    assert images is not None
    stored = json.loads((folder / "few.json").read_text())
    key = replace(record_of(EmbeddingKey, stored["key"]), images=images.digest)
    total = len(images)
    specs = {
        "embeddings": ((total, dimension), np.float32),
        "probabilities": ((total, CLASSES), np.float32),
    }
    with run.writing(step, key.fingerprint(EMBEDDINGS), specs) as writer:
        for name, (_, width) in ((name, shape) for name, (shape, _) in specs.items()):
            drawn = np.random.default_rng([step, width])
            for start in range(0, total, BLOCK):
                labels = np.arange(start, min(total, start + BLOCK)) % CLASSES
                writer.append(name, _rows(name, labels, width, step, drawn))
        kept = {"arrays", "fingerprint", "checksums", "checksum"}
        writer.metadata.update({name: one for name, one in stored.items() if name not in kept})
        writer.metadata.update(key=key.record, dimension=dimension)


def _rows(name: str, labels: Any, width: int, step: int, drawn: np.random.Generator) -> Any:
    """Vectors around the centres of their classes, nearer from the second checkpoint on; or
    probabilities that are right more often than not."""
    noise = drawn.normal(size=(len(labels), width)).astype(np.float32)
    if name == "embeddings":
        centres = np.random.default_rng(0).normal(size=(CLASSES, width)).astype(np.float32)
        return centres[labels] + noise / (1 + min(step, 2) / 2)
    noise[np.arange(len(labels)), labels] += 2
    likely = np.exp(noise - noise.max(axis=1, keepdims=True))
    return (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
