"""Finds what a data set is and which splits it has, and opens one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.hub import looked_up
from review_embeddings.pipeline.images.card import Card, read_card
from review_embeddings.pipeline.images.columns import quoted_names, rows_of
from review_embeddings.pipeline.images.folderrows import folder_rows, with_one_label
from review_embeddings.pipeline.images.folders import (
    ONLY_SPLIT,
    LeftOut,
    Listing,
    list_folder,
    read_folder,
)
from review_embeddings.pipeline.images.inplace import unsupported
from review_embeddings.pipeline.images.plainpath import plain_path
from review_embeddings.pipeline.images.shards import (
    LOADERS,
    open_shards,
    shard_splits,
    shards_in_place,
    shards_of,
    splits_in_place,
)
from review_embeddings.pipeline.images.splitwords import split_of
from review_embeddings.pipeline.images.tars import Tars, read_tars, tar_rows, tars_in_place
from review_embeddings.pipeline.images.walk import Entry, Walk, escaped, local_path, walk
from review_embeddings.pipeline.run.bounded import read_json_file
from review_embeddings.pipeline.settings import DatasetReference

EVALUATION = frozenset(
    {"test", "testing", "tests", "eval", "evaluation", "evaluate", "val", "valid", "validation"}
    | {"dev", "holdout", "heldout", "hold_out", "held_out", "hold-out", "held-out"}
)
"""First or last words of the names of splits that models are compared on."""

TRAINING = frozenset({"train", "training", "trainset", "trn"})
"""First or last words of the names of splits that models are trained on."""

SPLITS_BY_PREFERENCE = ("test", "validation", "valid", "val", "dev", "train")
"""Which split is reviewed where none was named: held-out images first, as the published example
does."""

FIRST_RULES = 1
"""Version of the rules by which `datasets` alone said what a folder holds."""

MAX_NAMED = 3
"""Files that a note names."""

FILES, ROWS = "files", "rows"


@dataclass(frozen=True)
class Account:
    """What a data set holds beside the rows of its splits."""

    unit: str = ROWS
    """`FILES` where a row is a file."""
    left_out: Sequence[LeftOut] = ()
    """Files that may be images and are in no split."""
    others: int = 0
    """Files that are no images."""
    notes: Sequence[str] = ()
    """How it was read, where it can be read in two ways."""
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """Rows of the splits that are not opened, where that is known."""

    def without(self, split: str) -> Account:
        """The account of one split: the others lie elsewhere."""
        others = {name: count for name, count in self.elsewhere.items() if name != split}
        return replace(self, elsewhere=others)


NO_ACCOUNT = Account()
"""Of a data set of which nothing lies beside its rows."""


@dataclass(frozen=True)
class DataSource:
    """A data set whose splits are known, none of them opened."""

    splits: list[str]
    open: Callable[[str], Any]
    """Gives a `datasets.Dataset`, or a `Split` that is read in place."""
    sliceable: bool = False
    """Whether ``test[:500]`` and ``train+test`` can be opened."""
    account: Account = NO_ACCOUNT
    by_split: bool = False
    """Whether only whole splits can be opened, of which slices are cut then."""
    inside: Callable[[str], Account] = lambda split: NO_ACCOUNT
    """What lies in the files of a split beside its rows, found out when it is opened."""

    def account_of(self, split: str) -> Account:
        """The account of one split, or of what a slice names."""
        known = self.account.without(split)
        parts = [self.inside(name) for name in _split_parts(split) if name in self.splits]
        return replace(
            known,
            left_out=[*known.left_out, *(one for part in parts for one in part.left_out)],
            notes=[*known.notes, *(note for part in parts for note in part.notes)],
        )


def find_source(reference: DatasetReference) -> DataSource:
    """What a reference names. Raises DatasetError, or whatever ``datasets`` raises."""
    path = Path(reference.source)
    if path.is_dir() and any((path / name).is_file() for name in (SAVED, SAVED_SPLITS)):
        return _saved(reference, path)
    if reference.reading != FIRST_RULES and (path.is_dir() or _is_remote_folder(reference.source)):
        found = _in_folder(reference, path)
        if found is not None:
            return found
    if reference.reading != FIRST_RULES and path.is_file() and path.suffix.lower() in LOADERS:
        status = path.stat()
        file = Entry(path.name, escaped(str(path.resolve())), status.st_size, status.st_mtime_ns)
        return _of_shards(reference, Listing([], [], [], [file]), Card(), path.suffix.lower())
    with looked_up(reference.source, "Getting the data set {name} from the Hub") as away:
        if away is None:
            return _built(reference, find_builder(reference), NO_ACCOUNT)
        try:
            return _built(reference, find_builder(reference), NO_ACCOUNT)
        except Exception as error:
            raise DatasetError(
                f"Data set {reference.source} is no path here and cannot be loaded: it is not in "
                f"the cache of this machine, and {away}. Check the name and the network, or give a "
                f"folder of images by class, a .parquet file or a save_to_disk folder."
            ) from error


def _is_remote_folder(source: str) -> bool:
    """Whether an address is one of files and no page of the web."""
    is_file = Path(source).suffix.lower() in LOADERS
    return "://" in source and not is_file and not source.startswith(("http://", "https://"))


def _built(reference: DatasetReference, builder: Any, account: Account) -> DataSource:
    """What a builder of ``datasets`` has found."""
    if reference.in_place:
        splits = splits_in_place(builder, reference.source)
        return DataSource(list(splits), lambda name: splits[name](), account=account)
    builder.download_and_prepare()
    return DataSource(
        [str(name) for name in builder.info.splits or {}],
        lambda name: builder.as_dataset(split=name),
        sliceable=True,
        account=account,
    )


# -- save_to_disk

SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"


def _saved(reference: DatasetReference, path: Path) -> DataSource:
    import datasets

    if reference.in_place:
        raise unsupported(reference.source)
    if (path / SAVED).is_file():
        saved = _load_saved(path)
        assert isinstance(saved, datasets.Dataset)
        return DataSource([str(saved.split or "train")], lambda name: saved)
    names = read_json_file(path / SAVED_SPLITS)["splits"]
    listed = [str(name) for name in names]
    return DataSource(listed, lambda name: _load_saved(path / name), sliceable=True, by_split=True)


def _load_saved(path: Path) -> Any:
    """One saved split; ``datasets`` cannot load one without rows."""
    import datasets

    state = read_json_file(path / SAVED)
    if state.get("_data_files"):
        return datasets.load_from_disk(plain_path(str(path)))
    info = datasets.DatasetInfo.from_directory(str(path))
    empty = info.features.arrow_schema.empty_table()
    return rows_of(empty, info, datasets.NamedSplit(state["_split"] or "train"))


# -- folders


def kind_of_folder(reference: DatasetReference) -> str:
    """What a folder of this machine holds its images in: an ending of `LOADERS`, or `FILES`; empty
    for other data sets."""
    path = Path(reference.source)
    if not path.is_dir() or any((path / name).is_file() for name in (SAVED, SAVED_SPLITS)):
        return ""
    listing = list_folder(walk(reference.source))
    ending, _ = shards_of(listing)
    return ending or (FILES if listing.images else "")


def _in_folder(reference: DatasetReference, path: Path) -> DataSource | None:
    """The images of a folder, or the files that hold them; None where it has neither."""
    card = read_card(path, reference.config) if path.is_dir() else Card()
    found = walk(reference.source)
    inside = [entry for entry in found.entries if entry.name.startswith(card.folder)]
    listing = list_folder(Walk(inside, found.runs))
    ending, shards = shards_of(listing)
    if shards:
        return _of_shards(reference, listing, card, ending) if path.is_dir() else None
    if not listing.images and not listing.left_out:
        return None
    read = with_one_label(read_folder(listing, reference, card), reference)
    sizes = {split: len(entries) for split, entries in read.splits.items()}
    account = Account(FILES, read.left_out, len(listing.others), read.notes, sizes)
    if read.several_images:
        return _built(reference, find_builder(reference), account)
    rows = partial(folder_rows, read, features=card.features)
    return DataSource(list(read.splits), rows, sliceable=True, account=account, by_split=True)


def _of_shards(
    reference: DatasetReference, listing: Listing, card: Card, ending: str
) -> DataSource:
    _, shards = shards_of(listing)
    notes = list[str]()
    is_file = Path(reference.source).is_file()
    splits = {ONLY_SPLIT: shards} if is_file else shard_splits(shards, card, notes)
    files = {split: [one.file for one in some] for split, some in splits.items()}
    used = {one.name for some in splits.values() for one in some}
    beside = f"beside the {ending} files that hold the images"
    left_out = [
        *listing.left_out,
        *(LeftOut(one.name, beside) for one in listing.images),
        *(
            LeftOut(one.name, "in no split that README.md names")
            for one in shards
            if one.name not in used
        ),
    ]
    others = [one.name for one in listing.others if one.ending in LOADERS and one not in shards]
    if others:
        more = " ..." if len(others) > MAX_NAMED else ""
        notes.append(f"Not read beside {ending} files: {', '.join(others[:MAX_NAMED])}{more}")
    account = Account(ROWS, left_out, len(listing.others) - len(shards), notes)

    if reference.in_place and ending == ".arrow":
        raise unsupported(reference.source)
    if ending == ".tar":
        return _of_tars(files, account, in_place=reference.in_place)
    opened = shards_in_place if reference.in_place else open_shards
    return DataSource(
        list(files),
        lambda split: opened(ending, files[split], card.features),
        sliceable=not reference.in_place,
        account=account,
        by_split=True,
    )


def _of_tars(files: Mapping[str, Sequence[str]], account: Account, *, in_place: bool) -> DataSource:
    @cache
    def tars(split: str) -> Tars:
        return read_tars([local_path(file) for file in files[split]])

    opened = tars_in_place if in_place else tar_rows
    return DataSource(
        list(files),
        lambda split: opened(tars(split)),
        sliceable=not in_place,
        account=account,
        by_split=True,
        inside=lambda split: Account(ROWS, tars(split).left_out, notes=tars(split).notes),
    )


def find_builder(reference: DatasetReference) -> Any:
    """What ``datasets`` makes of a file, a folder, an address that fsspec reaches or a Hub name;
    nothing is copied yet."""
    import datasets
    from datasets.data_files import DataFilesDict, get_data_patterns
    from datasets.load import infer_module_for_data_files

    source, path = reference.source, Path(reference.source)
    if path.is_file() or "://" in source:
        loader = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}.get(
            path.suffix.lower()
        )
        if loader is not None:
            return datasets.load_dataset_builder(loader, data_files=source)
        if path.is_file():
            raise DatasetError(
                f"Data set {path} is a {path.suffix or 'nameless'} file. Give a folder, a "
                f".parquet, .arrow or .tar file, or a Hub name."
            )
        files = DataFilesDict.from_patterns(get_data_patterns(source), base_path=source)
        loader, options = infer_module_for_data_files(files)
        return datasets.load_dataset_builder(loader, data_files=files, **options)
    if not path.exists() and (path.is_absolute() or source.startswith((".", "~"))):
        raise DatasetError(
            f"Data set {source} is not there. Give the path of a folder or file that is, or a Hub "
            f"name."
        )
    return datasets.load_dataset_builder(source, name=reference.config, revision=reference.revision)


# -- splits


def open_split(source: DataSource, split: str) -> Any:
    """A split, or what a slice such as ``train[:7]`` names of it."""
    import datasets

    if split in source.splits or not source.by_split:
        return source.open(split)
    names = _split_parts(split)
    opened = {name: source.open(name) for name in names}
    sizes = {name: len(rows) for name, rows in opened.items()}
    parts = [
        opened[part.splitname].select(range(part.from_, part.to))
        for part in datasets.ReadInstruction.from_spec(split).to_absolute(sizes)
    ]
    return datasets.concatenate_datasets(parts)


def _split_parts(split: str) -> list[str]:
    """The splits that a slice names: ``train`` and ``test`` of ``train[:7]+test``."""
    parts = (re.sub(r"\[[^\]]*\]", "", part).strip() for part in split.split("+"))
    return list(dict.fromkeys(parts))


def _meant(asked: str, splits: Sequence[str]) -> str | None:
    """The split that another spelling means."""
    known = split_of(asked)
    others = ("dev", "eval", "evaluation") if known == "validation" else ()
    return next((name for name in (known, *others) if name in splits), None)


def choose_split(reference: DatasetReference, source: DataSource, option: str) -> str:
    """The split to use: the one named (``test[:500]`` counts where the library can slice), or the
    preferred one."""
    splits = source.splits
    if not splits:
        raise DatasetError(f"Data set {reference.source} has no images. Give one that has.")
    if reference.split is None:
        return next((name for name in SPLITS_BY_PREFERENCE if name in splits), splits[0])
    names = _split_parts(reference.split) if source.sliceable else [reference.split]
    if not all(name in splits for name in names):
        if (meant := _meant(reference.split, splits)) is not None:
            return meant
        raise DatasetError(
            f"Data set {reference.source} has no split {reference.split!r}; it has "
            f"{quoted_names(splits)}. Name one of them with {option}."
        )
    return reference.split


def names_evaluation(split: str) -> bool:
    """Whether models are compared on a split: ``test``, ``test_seen``, ``imagenet-val``,
    ``dev2``."""
    return _has_word(split, EVALUATION)


def names_training(split: str) -> bool:
    """Whether models are trained on it: ``train``, ``train_clean``, ``cifar-train``; never where it
    names an evaluation too."""
    return _has_word(split, TRAINING) and not names_evaluation(split)


def _has_word(split: str, known: frozenset[str]) -> bool:
    name = split.lower()
    words = name.replace("-", "_").replace(".", "_").split("_")
    return name in known or not known.isdisjoint(
        word.rstrip("0123456789") for word in (words[0], words[-1])
    )
