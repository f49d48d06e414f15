"""Writes ``images.parquet`` and ``skipped.csv``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.csvfile import csv_bytes
from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.dataset import OpenedDataset
from review_embeddings.pipeline.images.decode import GREY_RULES
from review_embeddings.pipeline.images.reading import ImageMetadata, ImageRecord, SkippedImage
from review_embeddings.pipeline.images.runimages import DEEP, folder_of, images_key, images_schema
from review_embeddings.pipeline.run.bounded import for_arrow
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import add_checksums
from review_embeddings.pipeline.settings import DatasetReference

if TYPE_CHECKING:
    import pyarrow


ROW_GROUP, ROW_GROUP_BYTES = 256, 32 << 20
"""Images in a row group of images.parquet, or fewer, of so many bytes: what is in memory at once
while they are read back, and is decompressed for any one of them."""


@contextmanager
def writing_images(
    run: RunFolder, opened: OpenedDataset, signature: str | None, version: int = 1
) -> Iterator[ImagesWriter]:
    """Write ``skipped.csv`` and then ``images.parquet`` when the context is left without an error.

    ``version`` says by which version of the reading they came about.

    Raises DatasetError where not one image could be read.
    """
    import pyarrow.parquet as parquet

    metadata = {
        "classes": json.dumps(opened.classes, ensure_ascii=False),
        "key": images_key(opened.reference),
        "signature": json.dumps(signature),
        **({"former": json.dumps(opened.former, ensure_ascii=False)} if opened.former else {}),
        **({} if version == 1 else {"version": str(version)}),
        **({"column": str(opened.reference.image_column)} if opened.reference.in_place else {}),
    }
    schema = images_schema(in_place=opened.reference.in_place)
    locations = opened.rows.data.table if opened.reference.in_place else None
    with whole_file(run.images) as temporary:
        with (
            for_arrow(temporary, "wb") as target,
            parquet.ParquetWriter(
                target, schema.with_metadata(metadata), compression="zstd"
            ) as file,
        ):
            writer = ImagesWriter(
                file,
                schema,
                folder_of(run.images),
                labelled=opened.labels is not None,
                locations=locations,
            )
            yield writer
            for one in opened.account.left_out:
                writer.add(SkippedImage(None, one.name, one.reason))
            writer.finish(opened.reference)
        add_checksums(temporary)
        _write_skipped(run.skipped, writer.skipped)


class ImagesWriter:
    """Takes images in the order of the split, or only what is known of them where it has the
    ``locations`` of all (`inplace.locations_schema`)."""

    def __init__(
        self,
        file: Any,
        schema: pyarrow.Schema,
        folder: str,
        *,
        labelled: bool,
        locations: pyarrow.Table | None,
    ) -> None:
        self._file, self._schema = file, schema
        self._folder = folder
        self._labelled = labelled
        self._deep = False
        self._locations = locations
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self.skipped: list[SkippedImage] = []
        self.count = 0

    def add(self, record: ImageMetadata | SkippedImage) -> None:
        """Take the next image, or note that it could not be read."""
        if isinstance(record, SkippedImage):
            self.skipped.append(record)
            return
        self.count += 1
        self._deep |= record.deep
        self._waiting.append(
            {
                "image_id": record.image_id,
                "image_hash": record.image_hash,
                "label": record.label if self._labelled and record.label >= 0 else None,
                "path": record.path or None,
                "width": record.width,
                "height": record.height,
                **(
                    {"image": record.data, "preview": record.preview}
                    if isinstance(record, ImageRecord)
                    else {}
                ),
            }
        )
        self._bytes += len(record.data) if isinstance(record, ImageRecord) else 0
        if len(self._waiting) == ROW_GROUP or self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def finish(self, reference: DatasetReference) -> None:
        """Write what is left. Raises DatasetError where there is nothing at all."""
        if self.count == 0:
            raise self._no_images(f"split {reference.split!r} of {reference.source}")
        self._flush()
        if self._deep:
            self._file.add_key_value_metadata({DEEP: str(GREY_RULES)})

    def _no_images(self, name: str) -> DatasetError:
        if not self.skipped:
            return DatasetError(
                f"The {name} has no images. Name another with --split or --dataset."
            )
        first, count = self.skipped[0], len(self.skipped)
        where = first.path or f"row {first.image_id}"
        none = f"None of the {count} images of {name} can be read; the first ({where})"
        if count == 1:
            none = f"The only image of {name} ({where}) cannot be read"
        return DatasetError(
            f"{none}: {first.reason}. Check the files, or name another column with --image-column."
        )

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting and self._locations is not None:
            found = self._locations.take([row["image_id"] for row in self._waiting]).to_pylist()
            for row, location in zip(self._waiting, found, strict=True):
                # relative to the run folder where it lies inside, so that this can be moved
                file = location["file"].removeprefix(self._folder)
                row.update(file=file, place=location["place"], size=location["size"])
        if self._waiting:
            self._file.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
            self._waiting, self._bytes = [], 0


def _write_skipped(path: Path, skipped: list[SkippedImage]) -> None:
    rows = [(image.image_id, image.path, image.reason) for image in skipped]
    with whole_file(path) as temporary:
        temporary.write_bytes(csv_bytes([("image_id", "path", "reason"), *rows]))
