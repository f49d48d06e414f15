"""Makes a cleaned data set from decisions: without removed images and second copies, with the new
labels. The source stays as it is.

Decisions are keyed by content, so every split is cleaned, and a data set that was shuffled or
extended since then as well. A split that models are evaluated on stays as it is, with its cleaned
copy beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline import table
from review_embeddings.pipeline.csvfile import csv_rows
from review_embeddings.pipeline.errors import DatasetError, RunError, SettingsError
from review_embeddings.pipeline.images.columns import quoted_names
from review_embeddings.pipeline.images.dataset import load_split, split_names
from review_embeddings.pipeline.images.inplace import feature_of
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.bounded import read_bytes
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.text import is_number
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.kinds import LAST
from review_embeddings.review.decisions.log import about_unreadable, read_history
from review_embeddings.review.exchange.changes import (
    CLEANED,
    RELABELLED,
    Change,
    SplitRows,
    find_changes,
    is_evaluation,
    new_values,
)
from review_embeddings.review.exchange.cleaned import CleanedSplit, check_form, write_cleaned
from review_embeddings.review.exchange.folderform import FolderSplit
from review_embeddings.review.exchange.formcard import configurations
from review_embeddings.review.exchange.forms import DISK, FORMS
from review_embeddings.review.exchange.labelcolumn import label_column, relabelled, with_classes
from review_embeddings.review.exchange.reports import Applied, Snapshot, digest_of, reports
from review_embeddings.review.exchange.sourcerows import image_column_of, stored_images
from review_embeddings.review.exchange.targets import check_folder

if TYPE_CHECKING:
    import datasets

SKIP_UNREADABLE = "--skip-unreadable"
"""Option that applies the decisions that can be read."""

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
"""What a data set on the Hub may be called."""


@dataclass(frozen=True)
class ApplyRequest:
    """How a data set is to be cleaned."""

    form: str = DISK
    """One of `FORMS`."""
    splits: tuple[str, ...] = ()
    """Only these are changed; all where none is named."""
    clean_test: bool = False
    """Whether evaluation splits are cleaned themselves, without a cleaned copy beside them."""
    new_classes: bool = False
    """Whether any class that the data set does not have may be added to it; those that people added
    to the run may in any case."""
    skip_unreadable: bool = False
    """Whether decisions that cannot be read are left out."""
    disputed: str | None = None
    """What is done with images about which reviewers differ, one of `kinds.DISPUTED`; None to
    refuse them."""
    dry_run: bool = False
    """Whether nothing is written."""


EVERYTHING = ApplyRequest()
"""All splits, as `DISK`."""


def apply(
    run: RunFolder,
    out: Path | None,
    request: ApplyRequest = EVERYTHING,
    *,
    progress: Progress = SILENT,
) -> Applied:
    """Clean the run's data set, all its splits, by the run's decisions and write it to ``out``, or
    see what would be done.

    What is done with which row says `find_changes`. An evaluation split with changes stays, and a
    cleaned copy is added. All else, every column and every feature stays. Applying to what was
    cleaned changes nothing more.

    Raises ReviewError; RunError where a decision cannot be read, since its image would stay or keep
    its label, unless that is asked for; SettingsError where the form cannot carry the data set, and
    where reviewers differ about an image, unless the request says what counts.
    """
    info = _info(run)
    reference = _reference(run, info)
    if out is not None:
        check_folder(run, out)
    data = clean(run, request, progress=progress)
    applied = data.applied
    if out is not None and not request.dry_run:
        texts = reports(applied, run, info.dataset, request.form)
        single = request.form == DISK and len(data.splits) == 1 and _is_single(reference)
        with storage_errors(out):
            write_cleaned(data.splits, out, request.form, texts, single=single)
    return applied


@dataclass(frozen=True)
class CleanedData:
    """A cleaned data set that is not written yet."""

    applied: Applied
    splits: dict[str, CleanedSplit]
    source: list[SplitRows]
    """The splits of the source as they were."""
    reference: DatasetReference
    """The source as the run names it."""


def clean(
    run: RunFolder, request: ApplyRequest = EVERYTHING, *, progress: Progress = SILENT
) -> CleanedData:
    """The run's data set, cleaned as `apply` says, in memory. Raises as `apply` does."""
    if request.form not in FORMS:
        raise SettingsError(f"--as {request.form} is not known. Use one of {', '.join(FORMS)}.")
    info = _info(run)
    reference = _reference(run, info)
    history, skipped = applicable_decisions(run, request.skip_unreadable, progress)
    decisions = history.settled(request.disputed)
    source = _Source.open(reference, request, run, info, progress)
    found = find_changes(
        source.splits,
        decisions,
        copy_groups(run),
        reviewed_splits(reference, [split.name for split in source.splits]),
        only=request.splits,
        in_evaluation=request.clean_test,
    )
    applied = Applied(
        found,
        Snapshot.of(history),
        undecided=not decisions,
        skipped=skipped,
        disputed=_about_disputed(history, request.disputed),
    )
    cleaned = _Cleaner(source, request, applied, info.added_classes).clean()
    check_form(cleaned, request.form)
    if request.form != DISK:
        features = {name: split.rows.features for name, split in cleaned.items()}
        applied.configurations = configurations(features)
    if applied.undecided:
        progress.note("There is no decision to apply: what is written is the source as it is")
    return CleanedData(applied, cleaned, source.splits, info.dataset)


def _info(run: RunFolder) -> RunInfo:
    info = run.read_info()
    if info is None:
        raise RunError(f"{run} is no run that was reviewed. Name one that was with --run.")
    return info


def applicable_decisions(
    run: RunFolder, skip_unreadable: bool, progress: Progress
) -> tuple[History, str]:
    """The decisions as they are now, and the sentence about those that cannot be read. Raises
    RunError where there are such and they are not to be skipped."""
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
    return history, skipped


def _about_disputed(history: History, disputed: str | None) -> str:
    """What is done with the images about which reviewers differ; empty where there are none."""
    count = len(history.disputed())
    if not count:
        return ""
    images = "1 image" if count == 1 else f"{count:,} images"
    done = "the last decision counts" if disputed == LAST else "left as they are"
    return f"{images}, {done} (--disputed {disputed})"


def copy_groups(run: RunFolder) -> dict[str, str]:
    """Which group of copies an image of the reviewed split belongs to, by its hash; one that is
    there once is its own."""
    manifest = table.read_manifest(run)
    if manifest is None:
        return {}
    columns = [c.IMAGE_HASH, c.DUPLICATE_GROUP]
    part = table.read(run, checkpoints=[manifest.steps[-1]], columns=columns)
    part = part[part[c.DUPLICATE_GROUP] >= 0]
    return dict(zip(part[c.IMAGE_HASH], part[c.DUPLICATE_GROUP].astype(str), strict=True))


# -- the data set


def _reference(run: RunFolder, info: RunInfo) -> DatasetReference:
    """The data set as it can be opened from here. Raises DatasetError for a path that is not there
    any more: it may be the name of another data set, on the Hub or in the working directory."""
    source = info.dataset.source
    inside = run.path / source
    if inside.exists():
        return replace(info.dataset, source=str(inside), in_place=False)
    images = read_images(run)
    was_local = images is not None and images.signature is not None
    if not storage.is_address(source) and (was_local or not HUB_NAME.fullmatch(source)):
        raise _gone(run, source)
    if not storage.is_address(source) and Path(source).exists():
        raise _gone(run, source, f" (the {source} in the working directory is another one)")
    return replace(info.dataset, in_place=False)


def _gone(run: RunFolder, source: str, more: str = "") -> DatasetError:
    return DatasetError(
        f"The data set of the run, {source}, is not there any more{more}. Bring it back, or name "
        f"where it is: {build_command(run, '--dataset', 'NAME')}"
    )


def _is_single(reference: DatasetReference) -> bool:
    """Whether the source is what `Dataset.save_to_disk` wrote: a data set without splits."""
    return (Path(reference.source) / "state.json").is_file()


def reviewed_splits(reference: DatasetReference, names: Sequence[str]) -> list[str]:
    """The splits that were reviewed, all or in part: ``train`` of ``train[:7]``."""
    split = str(reference.split)
    if split in names:
        return [split]
    parts = [re.sub(r"\[[^\]]*\]", "", part).strip() for part in split.split("+")]
    return [name for name in dict.fromkeys(parts) if name in names]


@dataclass(frozen=True)
class _Source:
    """The data set that is to be cleaned."""

    splits: list[SplitRows]
    rows: dict[str, datasets.Dataset]
    columns: dict[str, str | None]
    """Column of the images of each split."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Files that may be images and are no rows, with the reasons."""
    skipped: dict[str, dict[int, str]] = field(default_factory=dict)
    """Why the run could not read images of the reviewed split, by split and row."""

    @staticmethod
    def open(
        reference: DatasetReference,
        request: ApplyRequest,
        run: RunFolder,
        info: RunInfo,
        progress: Progress,
    ) -> _Source:
        """Read what there is to know of every row of every split. Raises DatasetError where none
        of the images is that of the run."""
        images, names = read_images(run), split_names(reference)
        unknown = [name for name in request.splits if name not in names]
        if unknown:
            raise SettingsError(
                f"--split {unknown[0]} is no split of {reference.source}; it has "
                f"{quoted_names(names)}. Name one of them."
            )
        source = _Source([], {}, {})
        if reference.split in names and reference.limit is None:
            source.skipped[str(reference.split)] = _skipped(run)
        for name in names:
            source._add(replace(reference, split=name), images, info.classes or [], progress)
        _check_images(source, images, reference, run)
        return source

    def _add(
        self,
        reference: DatasetReference,
        images: RunImages | None,
        classes: Sequence[str],
        progress: Progress,
    ) -> None:
        loaded = load_split(reference)
        name, rows = str(reference.split), loaded.rows
        self.left_out.update((one.name, one.reason) for one in loaded.account.left_out)
        column = image_column_of(rows.features, reference)
        title = f"Applying decisions to {name}"
        with progress.stage(title, total=len(rows), unit="images") as advance:
            found = stored_images(rows, column, advance)
        labels = label_column(rows, reference.label_column)
        if labels is not None and images is not None and images.label_names is not None:
            known = dict(zip(images.hashes, images.label_names, strict=True))
            reviewed = {row: known.get(str(one.image_hash)) for row, one in enumerate(found)}
            named = {row: label for row, label in reviewed.items() if label}
            labels = labels.named_by(named, classes)
        self.rows[name], self.columns[name] = rows, column
        self.splits.append(SplitRows(name, found, labels))


def _skipped(run: RunFolder) -> dict[int, str]:
    """Why the run could not read images of its split, by their rows."""
    try:
        text = read_bytes(run.skipped).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}
    rows = [row for row in csv_rows(text) if is_number(row.get("image_id", ""))]
    return {int(row["image_id"]): row.get("reason", "") or "it cannot be read" for row in rows}


def _check_images(
    source: _Source, images: RunImages | None, reference: DatasetReference, run: RunFolder
) -> None:
    there = {image.image_hash for split in source.splits for image in split.images}
    if images is not None and len(images) and there.isdisjoint(images.hashes):
        raise DatasetError(
            f"Data set {reference.source} has none of the {len(images):,} images of the run: it is "
            f"another one, or was changed. Bring the old one back, or name where it is: "
            f"{build_command(run, '--dataset', 'NAME')}"
        )


# -- cleaning


class _Cleaner:
    """Makes the splits of the cleaned data set."""

    def __init__(
        self,
        source: _Source,
        request: ApplyRequest,
        applied: Applied,
        added_classes: Sequence[str],
    ) -> None:
        """``added_classes`` are those that people added to the run."""
        self._source = source
        self._request = request
        self._applied = applied
        self._added_classes = added_classes
        self._label_column = next(
            (one.labels.column for one in source.splits if one.labels is not None), None
        )
        self._added = self._new_classes()
        applied.left_out.update(source.left_out)

    def clean(self) -> dict[str, CleanedSplit]:
        """All splits, in the order of the source; each cleaned copy behind its original."""
        cleaned: dict[str, CleanedSplit] = {}
        for split in self._source.splits:
            changes = self._applied.found.of_split(split.name)
            name = split.name
            self._applied.rows[name] = len(split.images)
            self._applied.missing += [
                (name, row, image.path, image.problem)
                for row, image in enumerate(split.images)
                if image.problem
            ]
            self._applied.unreadable += self._unreadable(split)
            if changes and is_evaluation(name) and not self._request.clean_test:
                copy = name + CLEANED
                self._applied.left[name] = f"left as it is; {copy} is the cleaned one"
                cleaned[name] = self._split(split, {}, name)
                name = copy
            cleaned[name] = self._split(split, changes, name)
        return cleaned

    def _unreadable(self, split: SplitRows) -> Iterator[tuple[str, int, str, str]]:
        """The rows whose image is there and cannot be read, such as a file that is cut off."""
        known = self._source.skipped.get(split.name, {})
        for row, image in enumerate(split.images):
            if image.problem or image.image_hash is None:
                continue
            reason = known.get(row, "" if image.ending else "no image that is known by its content")
            if reason:
                yield split.name, row, image.path, reason

    def _new_classes(self) -> list[str]:
        """The classes that are new to the data set. Raises SettingsError where they may not be
        added."""
        unknown = dict[str, None]()
        for split in self._source.splits:
            _, names = new_values(split, self._applied.found.of_split(split.name))
            unknown |= dict.fromkeys(names)
            declared = split.labels is not None and hasattr(split.labels.feature, "names")
            if refused := [name for name in names if not (declared and self._may_add(name))]:
                cure = "Allow them with --new-classes" if declared else "Relabel to one it can say"
                raise SettingsError(
                    f"Column {self._label_column!r} of split {split.name!r} does not know the "
                    f"classes {quoted_names(refused)}, to which images were relabelled. {cure}."
                )
        in_order = [name for name in self._added_classes if name in unknown]
        return list(dict.fromkeys([*in_order, *unknown]))

    def _may_add(self, name: str) -> bool:
        return self._request.new_classes or name in self._added_classes

    def _split(self, split: SplitRows, changes: Mapping[int, Change], name: str) -> CleanedSplit:
        rows, labels = self._source.rows[split.name], split.labels
        if self._added and labels is not None:
            rows = with_classes(rows, labels.column, self._added)
            feature = feature_of(rows.features, labels.column)
            names = getattr(feature, "names", None)
            named = dict(enumerate(names)) if names is not None else labels.names
            labels = replace(labels, feature=feature, names=named)
            split = replace(split, labels=labels)
        values, _ = new_values(split, changes)
        if values and labels is not None:
            rows = relabelled(rows, labels, values)
        kept = [
            row
            for row in range(len(split.images))
            if row not in changes or changes[row].change == RELABELLED
        ]
        if len(kept) != len(rows):
            rows = rows.select(kept)
        self._applied.kept[name], self._applied.origins[name] = len(kept), split.name
        images = [split.images[row] for row in kept]
        hashes = {row: split.images[row].image_hash for row in kept}
        self._applied.hashes[name] = digest_of(hashes)
        folder = FolderSplit(
            rows,
            self._source.columns[split.name],
            [_class_after(split, row, changes) for row in kept],
            [image.path for image in images],
            [image.ending for image in images],
            [image.image_hash is not None for image in images],
        )
        return CleanedSplit(rows, folder, list(hashes.values()))


def _class_after(split: SplitRows, row: int, changes: Mapping[int, Change]) -> str:
    return str(changes[row].decision.new_label) if row in changes else split.label_of(row)
