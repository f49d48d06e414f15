"""Makes a cleaned data set from decisions: without what was removed and second copies, with the new
labels. The source stays as it is.

Decisions are keyed by content, so every split is cleaned, and a data set that was shuffled or
extended since then as well.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.dataset import (
    OpenedDataset,
    load_rows,
    open_dataset,
    quiet_datasets,
    split_names,
)
from review_embeddings.pipeline.images.inplace import feature_of, field_of, split_name
from review_embeddings.pipeline.images.reading import read_file
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.temporary import TEMPORARY_PREFIX
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.review.decisions.log import (
    DUPLICATE,
    RELABEL,
    REMOVE,
    Decision,
    read_history,
)
from review_embeddings.review.exchange.formats import ending_of, guarded

if TYPE_CHECKING:
    import datasets

FORMS = ("disk", "folder", "parquet")
"""A ``save_to_disk`` data set, a folder of images by class, one Parquet file a split."""

CHUNK = 256
"""Rows in memory at once."""

CHANGES = (
    "split",
    "row",
    "image_hash",
    "change",
    "label",
    "new_label",
    "reviewer",
    "decided_at",
    "note",
)
"""Columns of ``changes.csv``."""


@dataclass
class Applied:
    """What was or would be changed."""

    rows: dict[str, int] = field(default_factory=dict)
    """Rows of each split of the source."""
    kept: dict[str, int] = field(default_factory=dict)
    """Rows of each split of the cleaned data set."""
    removed: int = 0
    duplicates: int = 0
    relabelled: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By old and new class."""
    changes: list[dict[str, str]] = field(default_factory=list)
    """A row for each image that was changed, with `CHANGES`."""


def apply(
    run: RunFolder,
    out: Path | None,
    *,
    form: str = "disk",
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> Applied:
    """Clean the run's data set, all its splits, by the run's decisions and write it to ``out``, or
    see what would be done.

    Removed images go wherever they are, relabelled ones get their new label. Of the reviewed split
    an image marked as a duplicate goes where another one of its group of copies stays: one that is
    not marked, else the first that is. All else, every column and every feature stays. Applying to
    what was cleaned changes nothing more. Raises ReviewError.
    """
    if form not in FORMS:
        raise SettingsError(f"--as {form} is not known. Use one of {', '.join(FORMS)}.")
    info = run.read_info()
    if info is None:
        raise RunError(f"{run} is no run that was reviewed. Name one that was with --run.")
    inside = run.path / info.dataset.source
    reference = replace(
        info.dataset, source=str(inside) if inside.exists() else info.dataset.source, in_place=False
    )
    if out is not None:
        _check_out(out, reference)
    cleaner = _Cleaner(read_history(run).current(), str(info.dataset.split), _groups(run))
    cleaned: dict[str, Any] = {}
    for split in split_names(reference):
        rows, opened = (
            load_rows(replace(reference, split=split)),
            open_dataset(replace(reference, split=split)),
        )
        with progress.stage(
            f"Applying decisions to {split}", total=len(rows), unit="images"
        ) as advance:
            cleaned[split] = cleaner.clean(rows, opened, advance)
    if out is not None and not dry_run:
        with storage_errors(out):
            _write(cleaned, out, form, reference, cleaner.applied)
    return cleaner.applied


def _check_out(out: Path, reference: DatasetReference) -> None:
    """The cleaned data set never stands in the place of another or inside its source."""
    source = Path(reference.source)
    if source.exists() and source.resolve() in {out.resolve(), *out.resolve().parents}:
        raise SettingsError(
            f"--out {out} lies in the data set itself, which is never changed. Name another folder."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"--out {out} is there already. Name a new folder, or delete it first.")


def _groups(run: RunFolder) -> dict[str, str]:
    """Which group of copies an image of the reviewed split belongs to, by its hash; one that is
    there once is its own."""
    manifest = table.read_manifest(run)
    if manifest is None:
        return {}
    part = table.read(
        run, checkpoints=[manifest.steps[-1]], columns=["image_hash", "duplicate_group"]
    )
    part = part[part["duplicate_group"] >= 0]
    return dict(zip(part["image_hash"], part["duplicate_group"].astype(str), strict=True))


class _Cleaner:
    """Goes through the splits one after the other."""

    def __init__(
        self, decisions: Mapping[str, Decision], reviewed: str, groups: Mapping[str, str]
    ) -> None:
        self.applied = Applied()
        self._decisions = decisions
        self._reviewed = reviewed
        self._groups = groups

    def clean(
        self, rows: datasets.Dataset, opened: OpenedDataset, advance: Callable[[int], None]
    ) -> datasets.Dataset:
        """One split without the removed rows and with the new labels."""
        split, applied = str(opened.reference.split), self.applied
        names = opened.classes or []
        kept: list[int] = []
        new_labels: dict[int, str] = {}
        hashes = list(_hashes(opened.rows, str(opened.reference.image_column), advance))
        going = {
            image for image, said in self._decisions.items() if said.decision in {DUPLICATE, REMOVE}
        }
        one_is_kept = {
            self._groups.get(image, image)
            for image in hashes
            if image is not None and image not in going
        }
        for row, image in enumerate(hashes):
            said = self._decisions.get(image or "")
            label = (
                names[opened.labels[row]]
                if opened.labels is not None and opened.labels[row] >= 0
                else ""
            )
            change = self._change(said, label, split, str(image), one_is_kept)
            if change not in {"removed", "duplicate"}:
                kept.append(row)
            if said is None or not change:
                continue
            if change == "relabelled":
                new_labels[row] = str(said.new_label)
                applied.relabelled[label, str(said.new_label)] += 1
            applied.removed += change == "removed"
            applied.duplicates += change == "duplicate"
            values = (
                split,
                str(row),
                str(image),
                change,
                label,
                said.new_label or "",
                said.reviewer,
                said.time,
                said.note,
            )
            applied.changes.append(dict(zip(CHANGES, values, strict=True)))
        applied.rows[split], applied.kept[split] = len(rows), len(kept)
        if new_labels:
            rows = _relabelled(rows, str(opened.reference.label_column), new_labels)
        return rows if len(kept) == len(rows) else rows.select(kept)

    def _change(
        self, said: Decision | None, label: str, split: str, image: str, one_is_kept: set[str]
    ) -> str:
        """What happens to an image: ``removed``, ``duplicate``, ``relabelled``, or nothing."""
        if said is None:
            return ""
        if said.decision == REMOVE:
            return "removed"
        if said.decision == RELABEL:
            return "relabelled" if said.new_label != label else ""
        if said.decision != DUPLICATE or split != self._reviewed:
            return ""
        group = self._groups.get(image, image)
        if group not in one_is_kept:
            one_is_kept.add(group)
            return ""
        return "duplicate"


def _hashes(
    rows: datasets.Dataset, column: str, advance: Callable[[int], None]
) -> Iterator[str | None]:
    """SHA-256 of each image's bytes as stored; None where they cannot be read."""
    for start in range(0, len(rows), CHUNK):
        cells = rows[start : start + CHUNK][column]
        for cell in cells:
            data, path = (cell or {}).get("bytes"), (cell or {}).get("path")
            if data is None and path:
                with contextlib.suppress(OSError):
                    data = read_file(path)
            yield None if data is None else hashlib.sha256(data).hexdigest()
        advance(len(cells))


def _relabelled(
    rows: datasets.Dataset, column: str, new_labels: Mapping[int, str]
) -> datasets.Dataset:
    """The rows with some labels changed; the column keeps its place and its type."""
    import datasets

    feature, (outer, field) = feature_of(rows.features, column), split_name(rows.features, column)
    cells = rows.select_columns([outer]).with_format("arrow")[:].column(outer).to_pylist()
    by_name = {
        str(value): value
        for value in (field_of(cell, field) for cell in cells)
        if value is not None
    }
    for row, name in new_labels.items():
        value = (
            feature.str2int(name)
            if isinstance(feature, datasets.ClassLabel)
            else by_name.get(name, name)
        )
        cells[row] = {**(cells[row] or {}), field: value} if field else value
    order, whole = rows.column_names, rows.features[outer]
    with quiet_datasets():
        return (
            rows.remove_columns(outer).add_column(outer, cells, feature=whole).select_columns(order)
        )


# -- writing


def _write(
    cleaned: Mapping[str, datasets.Dataset],
    out: Path,
    form: str,
    reference: DatasetReference,
    applied: Applied,
) -> None:
    """Write everything beside ``out`` and put it in place when it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{out.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with quiet_datasets():
            if form == "disk":
                import datasets

                datasets.DatasetDict(dict(cleaned)).save_to_disk(str(temporary))
            else:
                for split, rows in cleaned.items():
                    (temporary / split).mkdir(parents=True)
                    if form == "parquet":
                        _with_files(rows).to_parquet(str(temporary / split / "data.parquet"))
                    else:
                        _write_folder(temporary / split, replace(reference, split=split), rows)
        (temporary / "changes.csv").write_text(
            changes_csv(applied), encoding="utf-8", errors="surrogatepass"
        )
        (temporary / "summary.txt").write_text(
            summary(applied), encoding="utf-8", errors="surrogatepass"
        )
        if out.exists():
            out.rmdir()  # an empty folder
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _with_files(rows: datasets.Dataset) -> datasets.Dataset:
    """The rows with the bytes of image files that they only name."""
    from datasets.table import embed_table_storage

    embedded = rows.with_format("arrow").map(
        embed_table_storage, batched=True, batch_size=CHUNK, keep_in_memory=True
    )
    return embedded.with_format(**rows.format)


def _write_folder(folder: Path, reference: DatasetReference, rows: datasets.Dataset) -> None:
    """Images in folders by class under numbered names, and all other columns in
    ``metadata.jsonl``."""
    import datasets

    column, label_column = str(reference.image_column), reference.label_column or ""
    others = [name for name in rows.column_names if name != column]
    feature, (outer, field) = (
        feature_of(rows.features, label_column),
        split_name(rows.features, label_column),
    )
    plain = rows.cast_column(column, datasets.Image(decode=False))
    lines: list[str] = []
    for number in range(len(plain)):
        row = plain[number]
        cell = row[column] or {}
        data: bytes = (
            cell["bytes"] if cell.get("bytes") is not None else read_file(str(cell.get("path")))
        )
        value = field_of(row[outer], field) if outer in others else None
        label = (
            feature.int2str(value)
            if isinstance(feature, datasets.ClassLabel) and value is not None and value >= 0
            else value
        )
        place = "" if label is None else f"{safe_name(str(label))}/"
        name = f"{place}{number:07d}{ending_of(data)}"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        facts = {other: label if other == label_column else row[other] for other in others}
        lines.append(json.dumps({"file_name": name, **facts}, default=str) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")


def safe_name(text: str) -> str:
    """A name for one folder that cannot lead out of its place: separators, control characters and
    leading dots replaced."""
    plain = "".join(
        "_" if character in '/\\:*?"<>|' or not character.isprintable() else character
        for character in text
    )
    return plain.strip().lstrip(".")[:100] or "_"


def changes_csv(applied: Applied) -> str:
    """The changes as a CSV file, cells that a spreadsheet would run made harmless."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(CHANGES)
    writer.writerows([guarded(change[name]) for name in CHANGES] for change in applied.changes)
    return buffer.getvalue()


def summary(applied: Applied) -> str:
    """What was changed, in a few lines."""
    lines = [
        f"{split}: {applied.kept[split]:,} of {count:,} images"
        for split, count in applied.rows.items()
    ]
    lines += [
        f"removed: {applied.removed:,}",
        f"duplicates removed: {applied.duplicates:,}",
        f"relabelled: {applied.relabelled.total():,}",
    ]
    lines += [
        f"  {old} -> {new}: {count:,}" for (old, new), count in sorted(applied.relabelled.items())
    ]
    return "\n".join(lines) + "\n"
