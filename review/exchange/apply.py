"""Makes a cleaned data set from decisions: without removed images and second copies, with the new
labels. The source stays as it is.

Decisions are keyed by content, so every split is cleaned, and a data set that was shuffled or
extended since then as well.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table.formats import guarded
from review_embeddings.review.decisions.kinds import DUPLICATE, RELABEL, REMOVE
from review_embeddings.review.decisions.log import Decision, about_unreadable, read_history
from review_embeddings.review.exchange.cleaned import CHUNK, write_cleaned
from review_embeddings.review.exchange.forms import FORMS
from review_embeddings.review.lists.derived import DECIDED_AT, NEW_LABEL, NOTE, REVIEWER

if TYPE_CHECKING:
    import datasets

CHANGES = (
    "split",
    "row",
    c.IMAGE_HASH,
    "change",
    c.LABEL,
    NEW_LABEL,
    REVIEWER,
    DECIDED_AT,
    NOTE,
)
"""Columns of ``changes.csv``."""


REMOVED, SECOND_COPY, RELABELLED = "removed", "duplicate", "relabelled"
"""The changes."""

SKIP_UNREADABLE = "--skip-unreadable"
"""Option that applies the decisions that can be read."""


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
    skipped: str = ""
    """Which decisions were left out because they cannot be read; empty where all can."""

    def add(self, change: str, split: str, row: int, label: str, decision: Decision) -> None:
        """Count a change of one image and keep its row of ``changes.csv``."""
        self.removed += change == REMOVED
        self.duplicates += change == SECOND_COPY
        if change == RELABELLED:
            self.relabelled[label, str(decision.new_label)] += 1
        values = (
            split,
            str(row),
            decision.image_hash,
            change,
            label,
            decision.new_label or "",
            decision.reviewer,
            decision.time,
            decision.note,
        )
        self.changes.append(dict(zip(CHANGES, values, strict=True)))


def apply(
    run: RunFolder,
    out: Path | None,
    *,
    form: str = "disk",
    dry_run: bool = False,
    skip_unreadable: bool = False,
    progress: Progress = SILENT,
) -> Applied:
    """Clean the run's data set, all its splits, by the run's decisions and write it to ``out``, or
    see what would be done.

    Removed images go wherever they are, relabelled ones get their new label. Of the reviewed split
    an image marked as a duplicate goes where another one of its group of copies stays: one that is
    not marked, else the first that is. All else, every column and every feature stays. Applying to
    what was cleaned changes nothing more.

    Raises ReviewError; RunError where a decision cannot be read, since its image would stay or keep
    its label, unless ``skip_unreadable``.
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
    decisions, skipped = _decisions(run, skip_unreadable, progress)
    cleaner = _Cleaner(decisions, str(info.dataset.split), _groups(run), skipped)
    cleaned = {
        split: _clean_split(replace(reference, split=split), cleaner, progress)
        for split in split_names(reference)
    }
    if out is not None and not dry_run:
        with storage_errors(out):
            write_cleaned(cleaned, out, form, reference, reports(cleaner.applied))
    return cleaner.applied


def _decisions(
    run: RunFolder, skip_unreadable: bool, progress: Progress
) -> tuple[dict[str, Decision], str]:
    """The decisions that count, by the image's hash, and the sentence about those that cannot be
    read. Raises RunError where there are such and they are not to be skipped."""
    notes: list[str] = []
    history = read_history(run, notes.append)
    skipped = about_unreadable(run, history.unreadable) if history.unreadable else ""
    if skipped and not skip_unreadable:
        newer = any(line.newer for line in history.unreadable)
        cure = "Upgrade: pip install -U review-embeddings" if newer else "Mend them in the file"
        raise RunError(
            f"{skipped} Their images would stay or keep their labels. {cure}; or apply the other "
            f"decisions with {SKIP_UNREADABLE}."
        )
    for text in notes:
        progress.note(text)
    return history.current(), skipped


def _clean_split(
    reference: DatasetReference, cleaner: _Cleaner, progress: Progress
) -> datasets.Dataset:
    rows, opened = load_rows(reference), open_dataset(reference)
    with progress.stage(
        f"Applying decisions to {reference.split}", total=len(rows), unit="images"
    ) as advance:
        return cleaner.clean(rows, opened, advance)


def _check_out(out: Path, reference: DatasetReference) -> None:
    """The cleaned data set never replaces another one and never lies inside its source."""
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
    columns = [c.IMAGE_HASH, c.DUPLICATE_GROUP]
    part = table.read(run, checkpoints=[manifest.steps[-1]], columns=columns)
    part = part[part[c.DUPLICATE_GROUP] >= 0]
    return dict(zip(part[c.IMAGE_HASH], part[c.DUPLICATE_GROUP].astype(str), strict=True))


class _Cleaner:
    """Goes through the splits one after the other."""

    def __init__(
        self,
        decisions: Mapping[str, Decision],
        reviewed: str,
        groups: Mapping[str, str],
        skipped: str,
    ) -> None:
        self.applied = Applied(skipped=skipped)
        self._decisions = decisions
        self._reviewed = reviewed
        self._groups = groups

    def clean(
        self, rows: datasets.Dataset, opened: OpenedDataset, advance: Callable[[int], None]
    ) -> datasets.Dataset:
        """One split without the removed rows and with the new labels."""
        split = str(opened.reference.split)
        labels = _label_names(opened, len(rows))
        hashes = list(_hashes(opened.rows, str(opened.reference.image_column), advance))
        staying = self._staying(hashes)
        kept: list[int] = []
        new_labels: dict[int, str] = {}
        for row, (image, label) in enumerate(zip(hashes, labels, strict=True)):
            decision = None if image is None else self._decisions.get(image)
            change = self._change(decision, label, split, staying)
            if change not in {REMOVED, SECOND_COPY}:
                kept.append(row)
            if decision is None or not change:
                continue
            if change == RELABELLED:
                new_labels[row] = str(decision.new_label)
            self.applied.add(change, split, row, label, decision)
        self.applied.rows[split], self.applied.kept[split] = len(rows), len(kept)
        if new_labels:
            rows = _relabelled(rows, str(opened.reference.label_column), new_labels)
        return rows if len(kept) == len(rows) else rows.select(kept)

    def _staying(self, hashes: Sequence[str | None]) -> set[str]:
        """The groups of copies of which an image stays whatever becomes of the duplicates."""
        going = {
            image
            for image, decision in self._decisions.items()
            if decision.decision in {DUPLICATE, REMOVE}
        }
        return {self._group(image) for image in hashes if image is not None and image not in going}

    def _group(self, image: str) -> str:
        return self._groups.get(image, image)

    def _change(self, decision: Decision | None, label: str, split: str, staying: set[str]) -> str:
        """The change of an image, empty for none. The first duplicate of a group of which none is
        in ``staying`` stays and joins it."""
        if decision is None:
            return ""
        if decision.decision == REMOVE:
            return REMOVED
        if decision.decision == RELABEL:
            return RELABELLED if decision.new_label != label else ""
        if decision.decision != DUPLICATE or split != self._reviewed:
            return ""
        group = self._group(decision.image_hash)
        if group not in staying:
            staying.add(group)
            return ""
        return SECOND_COPY


def _label_names(opened: OpenedDataset, count: int) -> list[str]:
    """The label of each row, empty for none."""
    if opened.labels is None:
        return [""] * count
    names = opened.classes or []
    return [names[label] if label >= 0 else "" for label in opened.labels]


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


# -- reports


def reports(applied: Applied) -> dict[str, str]:
    """What lies beside the splits, by file name."""
    return {"changes.csv": changes_csv(applied), "summary.txt": summary(applied)}


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
    lines += [f"left out: {applied.skipped}"] if applied.skipped else []
    return "\n".join(lines) + "\n"
