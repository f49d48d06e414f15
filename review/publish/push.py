"""Pushes a cleaned data set to the Hub, in one commit or pull request whose text says what is
different. What will leave is shown before it does."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import HubError, SettingsError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.temporary import remove_leftovers, temporary_path
from review_embeddings.pipeline.userfolders import cache_folder
from review_embeddings.review.difference.compare import ComparedRow, Differences, compare, together
from review_embeddings.review.difference.texts import headline, markdown
from review_embeddings.review.exchange.apply import ApplyRequest, CleanedData, clean
from review_embeddings.review.exchange.changes import SplitRows
from review_embeddings.review.exchange.formcard import DEFAULT, SplitFiles, card_configs
from review_embeddings.review.exchange.forms import PARQUET
from review_embeddings.review.exchange.parquet import keeps_features
from review_embeddings.review.exchange.reports import (
    CHANGES_FILE,
    PROVENANCE_FILE,
    Applied,
    reports,
)
from review_embeddings.review.publish.card import HubCard
from review_embeddings.review.publish.files import check_local_paths, write_splits
from review_embeddings.review.publish.hub import CARD, HubRepository, RemoteState

CHUNK = 2**20
"""Bytes that are read at once."""

REPORTS = "review-embeddings"
"""Folder of the reports on the Hub."""

DIGEST = 10
"""Digits in a title of the digest of what a commit holds."""


@dataclass(frozen=True)
class PushRequest:
    """Where a cleaned data set is pushed, and how."""

    repo: str
    """``NAMESPACE/NAME``, or the name alone of one of the user's own."""
    create_pr: bool = False
    """Whether it is proposed as a pull request, instead of a commit to ``main``."""
    private: bool = False
    """Whether a data set that is not there yet is made a private one."""
    with_names: bool = False
    """Whether reviewers, notes and local paths go with it."""


@dataclass(frozen=True)
class Pushed:
    """What came of it."""

    applied: Applied
    address: str
    """Of the pull request, the commit, or what is there already; empty where nothing was sent."""
    new: bool
    """Whether anything was sent."""


@dataclass(frozen=True)
class _Parcel:
    """All that leaves."""

    files: dict[str, Path]
    """By their name on the Hub."""
    deleted: list[str]
    """Files there that the new ones replace."""
    notes: dict[str, str]
    """What is in a file, for people."""
    title: str
    text: str


def push(
    run: RunFolder,
    request: ApplyRequest,
    target: PushRequest,
    show: Callable[[str], None],
    *,
    progress: Progress = SILENT,
) -> Pushed:
    """Clean the run's data set as `apply` does and push it; with ``request.dry_run`` only show what
    would leave. ``show`` takes the lines of that.

    Raises ReviewError. What is interrupted leaves the data set on the Hub as it was, and the same
    call goes on.
    """
    _check_name(target.repo)
    with _work_folder() as work, storage_errors(work):
        hub, state = _reach(target, request, work / "before", show)
        data = clean(run, replace(request, form=PARQUET), progress=progress)
        parcel = _pack(run, data, target, state, work)
        for line in _listing(parcel, target, hub, state):
            show(line)
        if request.dry_run or hub is None:
            return Pushed(data.applied, "", False)
        return _send(hub, state, parcel, target, data.applied, progress)


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder for what leaves, gone afterwards; that of a push that was killed goes, too."""
    folder = cache_folder() / "pushes"
    with storage_errors(folder):
        work = temporary_path(folder / "files")
        remove_leftovers(folder)
        work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_name(name: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise SettingsError(
            f"--push-to-hub {name} is no name of a data set. Name one: NAMESPACE/NAME."
        ) from error


def _reach(
    target: PushRequest, request: ApplyRequest, work: Path, show: Callable[[str], None]
) -> tuple[HubRepository | None, RemoteState | None]:
    """The data set on the Hub and what it holds, before anything is read. Where nothing is to be
    sent, it need not be reached."""
    try:
        hub = HubRepository.connect(target.repo)
        state = hub.state(work)
    except HubError as error:
        if not request.dry_run:
            raise
        show(f"What the Hub holds is not known. {error}")
        return None, None
    if state is None and target.create_pr:
        raise HubError(
            f"There is no data set {hub.address} to make a pull request for, or this token may not "
            f"see it. Check the name, or make it: leave out --create-pr."
        )
    if state is not None and target.private and not state.private:
        raise HubError(
            f"{hub.address} is there already, and public; --private is for a new one. Name "
            f"another, or leave out --private."
        )
    return hub, state


def _send(
    hub: HubRepository,
    state: RemoteState | None,
    parcel: _Parcel,
    target: PushRequest,
    applied: Applied,
    progress: Progress,
) -> Pushed:
    if target.create_pr and (known := hub.open_request(parcel.title)) is not None:
        return Pushed(applied, known, False)
    if state is None:
        hub.create(private=target.private)
    with progress.stage("Sending", total=len(parcel.files), unit="files") as advance:
        sent = hub.commit(
            parcel.files,
            parcel.deleted,
            parcel.title,
            parcel.text,
            parent=None if state is None else state.revision,
            create_pr=target.create_pr,
        )
        advance(len(parcel.files))
    return Pushed(applied, sent.address, sent.new)


# -- what leaves


def _pack(
    run: RunFolder, data: CleanedData, target: PushRequest, state: RemoteState | None, work: Path
) -> _Parcel:
    """Write all files that leave into a folder."""
    if not target.with_names:
        check_local_paths(data.splits)
    folder = work / "files"
    names = write_splits(data.splits, folder, work, bare=not target.with_names)
    config = data.reference.config or DEFAULT
    card = HubCard.read(state.card if state is not None else "")
    texts = reports(
        data.applied.repeatable(),
        run,
        data.reference,
        PARQUET,
        for_everyone=not target.with_names,
    )
    found = _differences(data)
    text = _text(found, data.applied)
    if not card.body.strip():
        card = replace(card, body=f"\n# {target.repo.rpartition('/')[2]}\n\n{text}")
    texts = {f"{REPORTS}/{name}": content for name, content in texts.items()}
    texts[CARD] = card.with_configs(config, _configs(data, names, config))
    (folder / REPORTS).mkdir()
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8", errors="backslashreplace")
    new = [*(name for some in names.values() for name in some), *texts]
    files = {name: folder / name for name in new}
    known = state.files if state is not None else []
    replaced = [name for name in card.data_files(config, known) if name not in files]
    title = f"Clean with review-embeddings: {headline(found)} ({_digest(files, replaced)})"
    return _Parcel(files, replaced, _notes(data, names, target), title, text)


def _configs(
    data: CleanedData, names: Mapping[str, list[str]], config: str
) -> list[dict[str, Any]]:
    """What the card says of the files; under the name of the source where all splits have the same
    columns."""
    files = {}
    for split, some in names.items():
        features = data.splits[split].rows.features
        files[split] = SplitFiles(some, features, not keeps_features(features))
    return [
        one
        if config == DEFAULT
        else {**one, "config_name": _name_below(config, one["config_name"])}
        for one in card_configs(files)
    ]


def _name_below(config: str, name: str) -> str:
    return config if name == DEFAULT else f"{config}-{name}"


def _differences(data: CleanedData) -> Differences:
    """Between each split as it leaves and the split of the source that it comes from."""
    source = {split.name: split for split in data.source}
    return together(
        compare(
            list(_rows(source[origin], name)),
            list(_cleaned_rows(data, name)),
            splits=([name], [name]),
        )
        for name, origin in data.applied.origins.items()
    )


def _rows(split: SplitRows, name: str) -> Iterator[ComparedRow]:
    for row, image in enumerate(split.images):
        yield ComparedRow(name, row, image.image_hash, split.label_of(row))


def _cleaned_rows(data: CleanedData, name: str) -> Iterator[ComparedRow]:
    split = data.splits[name]
    for row, (image_hash, label) in enumerate(zip(split.hashes, split.folder.classes, strict=True)):
        yield ComparedRow(name, row, image_hash, label)


def _text(found: Differences, applied: Applied) -> str:
    """The text of the pull request or the commit."""
    names = {
        split: f"{origin}, cleaned" for split, origin in applied.origins.items() if split != origin
    }
    names |= dict.fromkeys(applied.left, "left as it is")
    return (
        f"{markdown(found, names)}\nEach change is a row of `{REPORTS}/{CHANGES_FILE}`; "
        f"`{REPORTS}/{PROVENANCE_FILE}` says from which decisions it comes.\n"
    )


def _digest(files: Mapping[str, Path], deleted: list[str]) -> str:
    """Of all that a commit does, so that the same one is known again."""
    known = hashlib.sha256()
    for name, path in sorted(files.items()):
        known.update(f"{name}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while part := file.read(CHUNK):
                known.update(part)
    known.update("\n".join(sorted(deleted)).encode())
    return known.hexdigest()[:DIGEST]


def _notes(
    data: CleanedData, names: Mapping[str, list[str]], target: PushRequest
) -> dict[str, str]:
    notes = {}
    for split, files in names.items():
        rows = data.splits[split].rows
        columns = ", ".join(rows.column_names)
        notes[files[0]] = f"{split}: {len(rows):,} rows with {columns}"
    more = "with" if target.with_names else "without"
    notes[f"{REPORTS}/{CHANGES_FILE}"] = (
        f"what was changed, {more} reviewers, notes and local paths"
    )
    notes[f"{REPORTS}/{PROVENANCE_FILE}"] = f"from which decisions, {more} the same"
    return notes


def _listing(
    parcel: _Parcel, target: PushRequest, hub: HubRepository | None, state: RemoteState | None
) -> Iterator[str]:
    """What will leave, and where it goes."""
    where = target.repo if hub is None else hub.address
    kind = "a new data set, private" if target.private else "a new data set, which all can see"
    if state is not None:
        kind = "private" if state.private else "which all can see"
    if hub is None:
        kind = "private if it is new" if target.private else "which all can see if it is new"
    how = "a pull request" if target.create_pr else "a commit on main"
    yield f"To {where} ({kind}), as {how}:"
    for name, path in parcel.files.items():
        note = parcel.notes.get(name, "")
        yield f"  {name}, {_size(path.stat().st_size)}{f' ({note})' if note else ''}"
    if parcel.deleted:
        yield "Replaced there, and deleted:"
        yield from (f"  {name}" for name in parcel.deleted)
    yield "It says:"
    yield f"  {parcel.title}"
    yield from (f"  {line}".rstrip() for line in parcel.text.splitlines())


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"
