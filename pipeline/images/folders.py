"""Reads a folder of images as a person would: which of its folders are splits, which are classes,
and what is said of each image. Nothing that may be an image is dropped without a reason."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from review_embeddings.pipeline.errors import DatasetError, reason_of
from review_embeddings.pipeline.images.candidates import is_candidate, is_hidden, names_classes
from review_embeddings.pipeline.images.card import Card
from review_embeddings.pipeline.images.metadata import (
    FILE_NAME,
    NAMELESS,
    Metadata,
    is_metadata,
    read_metadata,
)
from review_embeddings.pipeline.images.splitwords import (
    UNLABELLED,
    in_order,
    split_names_of,
    split_of,
)
from review_embeddings.pipeline.images.walk import Entry, Walk, escaped, local_path
from review_embeddings.pipeline.settings import DatasetReference

ONLY_SPLIT = "train"
"""The split of a folder that has none."""

FOLDERS = ("folder", "top-folder")
"""Ways of ``--labels-from`` by which metadata is not read."""

ARCHIVES = frozenset({".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})

TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".xlsx", ".xls"})

Folders = tuple[str, ...]
"""Names of folders, the outermost first."""


@dataclass(frozen=True)
class LeftOut:
    """A file that may be an image and is none of the data set."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The files of a folder by what they are."""

    images: list[Entry]
    """All that may be images."""
    left_out: list[LeftOut]
    metadata: list[Entry]
    others: list[Entry]
    """No images."""
    runs: list[str] = field(default_factory=list)
    """Folders that hold a run, which are no data."""


@dataclass(frozen=True)
class FolderSplits:
    """The images of a folder by split, and what was found out on the way."""

    splits: dict[str, list[Entry]]
    """By name of files."""
    classes: list[str] | None
    """Names of the folders that are classes, in their order; None for none."""
    labels: dict[str, str]
    """The folder that is the class of an image, by the image's name."""
    metadata: Metadata | None
    left_out: list[LeftOut]
    notes: list[str]
    """How it was read, where it can be read in two ways."""
    several_images: bool = False
    """Whether metadata names several images a row, which ``datasets`` reads."""


def list_folder(walk: Walk) -> Listing:
    """Tell images from other files, those in zip files among them."""
    images, left_out, metadata, others = [], [], [], []
    for entry in _with_zipped(walk.entries):
        if is_metadata(entry):
            metadata.append(entry)
        elif not is_candidate(entry):
            if entry.problem and entry.ending in {"", ".zip"}:  # a folder, a dead link, an archive
                left_out.append(LeftOut(entry.name, entry.problem))
            else:
                others.append(entry)
        elif entry.problem:
            left_out.append(LeftOut(entry.name, entry.problem))
        elif is_hidden(entry):
            left_out.append(LeftOut(entry.name, "in a hidden folder"))
        else:
            images.append(entry)
    return Listing(images, left_out, metadata, others, walk.runs)


def _with_zipped(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The files, and after each zip file those in it, as if it had been unpacked where it lies."""
    for entry in entries:
        if entry.ending != ".zip" or entry.problem or "://" in entry.file:
            yield entry
            continue
        try:
            inside = _zipped(entry)
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            yield replace(entry, problem=f"cannot be opened: {reason_of(error)}")
        else:
            yield entry
            yield from inside


def _zipped(entry: Entry) -> list[Entry]:
    folder, stem = posixpath.split(entry.name[: -len(".zip")])
    inside = (folder, stem) if split_of(stem) else (folder,)
    with zipfile.ZipFile(local_path(entry.file)) as archive:
        members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    names = [escaped(posixpath.join(*inside, member)).lstrip("/") for member in members]
    return [
        Entry(name, f"zip://{member}::{Path(entry.file)}")
        for name, member in zip(names, members, strict=True)
    ]


def read_folder(
    listing: Listing, reference: DatasetReference, card: Card | None = None
) -> FolderSplits:
    """Read a folder in the way that was asked for, or else as its card says, or in the likelier
    way. Raises DatasetError for metadata that cannot be used."""
    metadata = None
    if reference.labels_from not in FOLDERS:
        metadata = read_metadata(listing.metadata)
    notes = list[str]()
    splits, rest, left_out = _split(listing, reference, notes, card or Card())
    labels = (
        {}
        if reference.labels_from in {"none", "metadata"}
        else _labels(
            [
                (name, folders)
                for split, entries in splits.items()
                if not UNLABELLED.fullmatch(split)
                for name, folders in _telling(entries, rest)
            ],
            reference,
            notes,
        )
    )
    if metadata is not None:
        left_out = [*left_out, *_not_there(metadata, listing)]
        _note_unnamed(metadata, listing.images, notes)
    elif reference.labels_from == "metadata" and not listing.metadata:
        raise DatasetError(
            f"--labels-from metadata: {reference.source} has no metadata.csv, .jsonl or .parquet. "
            f"Add one with the columns file_name and label, or use --labels-from folder."
        )
    _note_annotations(listing, notes)
    _note_unread(listing, notes, labelled=bool(labels) or metadata is not None)
    if listing.runs:
        notes.append(f"Passed over folders that hold a run or a model: {_few(listing.runs)}")
    classes = sorted_names(set(labels.values()))
    everything = [*listing.left_out, *left_out]
    several = metadata is None and bool(listing.metadata) and reference.labels_from not in FOLDERS
    return FolderSplits(splits, classes or None, labels, metadata, everything, notes, several)


def sorted_names(names: Iterable[str]) -> list[str]:
    """Names in the order of classes: whole numbers by value, anything else as text."""
    listed = sorted(names)
    if all(name.isascii() and name.isdigit() for name in listed):
        return sorted(listed, key=lambda name: (int(name), name))
    return listed


# -- splits


_Splits = tuple[dict[str, list[Entry]], dict[str, Folders], list[LeftOut]]
"""The files of each split, the folders of each file inside its split, and those in none."""


def _split(listing: Listing, reference: DatasetReference, notes: list[str], card: Card) -> _Splits:
    if reference.split_folders is None:
        named = card.split_files(entry.name for entry in listing.images)
        if named:
            return _split_by_card(listing, named)
    telling = [entry for entry in listing.images if names_classes(entry)]
    above, names = _split_folders([entry.parts for entry in telling], reference, notes)
    inside = {entry.name: entry.parts for entry in listing.images}
    if names is None:
        return ({ONLY_SPLIT: listing.images} if listing.images else {}), inside, []
    splits: dict[str, list[Entry]] = {split: [] for split in in_order(names.values())}
    left_out = list[LeftOut]()
    for entry in listing.images:
        folder = entry.parts[len(above) : len(above) + 1]
        if entry.parts[: len(above)] == above and folder and folder[0] in names:
            splits[names[folder[0]]].append(entry)
            inside[entry.name] = entry.parts[len(above) + 1 :]
        else:
            reason = f"in none of the folders of the splits ({_few(sorted(names))})"
            left_out.append(LeftOut(entry.name, reason))
    return splits, inside, left_out


def _split_by_card(listing: Listing, named: dict[str, dict[str, str]]) -> _Splits:
    splits: dict[str, list[Entry]] = {split: [] for split in named}
    inside, left_out = dict[str, Folders](), list[LeftOut]()
    for entry in listing.images:
        found = [split for split, names in named.items() if entry.name in names]
        for split in found:
            above = named[split][entry.name]
            splits[split].append(entry)
            inside[entry.name] = entry.parts[len(above.split("/")) if above else 0 :]
        if not found:
            left_out.append(LeftOut(entry.name, "in no split that README.md names"))
    return splits, inside, left_out


def _split_folders(
    paths: Sequence[Folders], reference: DatasetReference, notes: list[str]
) -> tuple[Folders, dict[str, str] | None]:
    """The folders that hold those of the splits, and the split of each of these; None where the
    folders are no splits."""
    above: Folders = ()
    forced = bool(reference.split_folders)
    while reference.split_folders is not False:
        here = [path[len(above) :] for path in paths]
        tops = {path[0] for path in here if path}
        lone = len(tops) == 1
        names = split_names_of(tops, forced=forced and not lone)
        if names is not None:
            _note_splits(names, [path[1:] for path in here if path], notes, forced=forced)
            return above, names
        if not lone:
            _note_words(tops, notes)
            break
        above = (*above, *tops)
    return (), None


def _note_splits(
    names: dict[str, str], inside: Sequence[Folders], notes: list[str], *, forced: bool
) -> None:
    if not any(inside) and not forced:
        notes.append(
            f"Read the folders {_few(sorted(names))} as splits, without classes; "
            f"--no-split-folders reads them as classes"
        )


def _note_words(tops: set[str], notes: list[str]) -> None:
    if words := sorted(name for name in tops if split_of(name)):
        notes.append(
            f"Read all {len(tops)} folders as classes or what holds them, {_few(words)} among "
            f"them; --split-folders reads them as splits"
        )


# -- labels


def _telling(entries: Iterable[Entry], inside: dict[str, Folders]) -> Iterator[tuple[str, Folders]]:
    return ((entry.name, inside[entry.name]) for entry in entries if names_classes(entry))


def _labels(
    images: Sequence[tuple[str, Folders]], reference: DatasetReference, notes: list[str]
) -> dict[str, str]:
    """The class of each image by the folders that it lies in: the innermost where all lie equally
    deep, else the outermost that tells them apart. Images in no folder have none."""
    asked = reference.labels_from
    paths = [folders for _, folders in images]
    above = 0 if asked == "top-folder" else _common(paths)
    depths = {len(folders) for folders in paths if len(folders) > above}
    if asked == "folder" and not depths:  # one folder, which is a class where that is asked for
        above, depths = above - 1, {above}
    inner = len(depths) == 1 and asked != "top-folder"
    labels = {
        name: folders[-1 if inner else above]
        for name, folders in images
        if len(folders) > above >= 0
    }
    if len(set(labels.values())) < 2 and asked not in {"folder", "top-folder"}:
        return {}
    if asked is None:
        _note_depth(depths, above, notes, strays=len(images) - len(labels))
    return labels


def _common(paths: Sequence[Folders]) -> int:
    """How many folders all images lie in."""
    common = posixpath.commonprefix([list(path) for path in paths]) if paths else []
    return len(common)


def _note_depth(depths: set[int], above: int, notes: list[str], *, strays: int) -> None:
    if len(depths) > 1:
        notes.append(
            "Images lie in folders of different depth: the outermost is the class; "
            "--labels-from none uses no labels"
        )
    elif depths and max(depths) > above + 1:
        notes.append(
            "Classes are the innermost folders; --labels-from top-folder takes the outermost"
        )
    if strays:
        notes.append(f"{_counted(strays, 'image')} beside the folders of the classes: no label")


# -- what is beside the images


def _not_there(metadata: Metadata, listing: Listing) -> Iterator[LeftOut]:
    known = {entry.name for entry in listing.images} | {one.name for one in listing.left_out}
    others = {entry.name for entry in listing.others}
    if nameless := len(metadata.rows.get(NAMELESS, ())):
        reason = f"{nameless:,} of its rows have no {FILE_NAME}"
        yield LeftOut(metadata.files[0], reason)
    for name in metadata.rows:
        if name not in known and name != NAMELESS:
            what = "no image" if name in others else "not there"
            yield LeftOut(name, f"named by {_few(metadata.files)}, and {what}")


def _note_unnamed(metadata: Metadata, images: Sequence[Entry], notes: list[str]) -> None:
    if unnamed := sum(entry.name not in metadata.rows for entry in images):
        notes.append(
            f"{_counted(unnamed, 'image')} not named by {_few(metadata.files)}: nothing is known "
            f"but the image"
        )


def _note_annotations(listing: Listing, notes: list[str]) -> None:
    """Say of annotations of boxes that whole images are reviewed."""
    stems = {_stem(entry) for entry in listing.images}
    beside = (entry for entry in listing.others if entry.ending == ".txt")
    if sum(_stem(entry) in stems for entry in beside) > len(stems) // 2:
        notes.append(
            "The text files named as the images (YOLO) are not read: whole images are reviewed, "
            "not boxes"
        )
    if any(_is_coco(entry) for entry in listing.others):
        notes.append("The COCO annotations are not read: whole images are reviewed, not boxes")


def _note_unread(listing: Listing, notes: list[str], *, labelled: bool) -> None:
    """Say what is beside the images, may hold more of them or their labels, and is not read."""
    archives = [entry.name for entry in listing.others if entry.ending in ARCHIVES]
    if archives:
        notes.append(f"Not looked into, as they are neither unpacked nor .zip: {_few(archives)}")
    tables = [entry.name for entry in listing.others if entry.ending in TABLES]
    if tables and not labelled:
        notes.append(
            f"Not read: {_few(tables)}; what is known of the images is read of metadata.csv, "
            f".jsonl or .parquet, with the columns file_name and label"
        )


def _stem(entry: Entry) -> str:
    return posixpath.splitext(entry.name.rsplit("/", 1)[-1])[0]


def _is_coco(entry: Entry) -> bool:
    if entry.ending != ".json" or "://" in entry.file or entry.problem:
        return False
    try:
        with Path(local_path(entry.file)).open("rb") as file:
            begin = file.read(2**16)
            file.seek(max(0, entry.size - 2**16))
            text = begin + file.read(2**16)
    except OSError:
        return False
    return b'"annotations"' in text or (b'"images"' in text and b'"categories"' in text)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun} is" if count == 1 else f"{count:,} {noun}s are"


def _few(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
