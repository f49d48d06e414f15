"""The images of a run: read once, and again where what they are read from has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import CheckpointError, DatasetError, SettingsError
from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset
from review_embeddings.pipeline.images.decode import decode, to_rgb
from review_embeddings.pipeline.images.pixels import PixelCache, PixelWriter
from review_embeddings.pipeline.images.reading import (
    CHUNK,
    SkippedImage,
    prepared,
    read_all,
)
from review_embeddings.pipeline.images.runimages import RunImages, images_key, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.images.walk import walked_once
from review_embeddings.pipeline.images.writer import ImagesWriter, writing_images
from review_embeddings.pipeline.models.checkpoints import FoundCheckpoints
from review_embeddings.pipeline.models.classnames import notes_of
from review_embeddings.pipeline.models.heads import (
    YES_NO,
    Head,
    head_of,
    problem_type_of,
    some_names,
)
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.stages.keys import Models, ProcessorSource
from review_embeddings.pipeline.stages.reading import PreprocessedParts, Reading
from review_embeddings.pipeline.stages.registry import IMAGES, PIXELS, STAGES, pixels_key
from review_embeddings.pipeline.stages.renamed import former_names
from review_embeddings.pipeline.stages.resolve import embedded_steps, resolved
from review_embeddings.pipeline.stages.rules import note_better, plan_reading
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.threads import chunks, in_threads


@dataclass(frozen=True)
class CurrentImages:
    """The images of a run, up to date."""

    info: RunInfo
    """With what is known of the data set once it was opened."""
    images: RunImages
    before: RunImages | None
    """Those that the run had until now."""


def images_of(
    session: BuildSession,
    info: RunInfo,
    found: FoundCheckpoints,
    wanted: Sequence[int],
    processor: ProcessorSource | None = None,
) -> CurrentImages:
    """The images of the run, read again only where the reference or the files it names have
    changed.

    They are preprocessed on the way, by the image processor of the first wanted checkpoint where
    none is given. Raises ReviewError.
    """
    with walked_once():
        return _images_of(session, info, found, wanted, processor)


def _images_of(
    session: BuildSession,
    info: RunInfo,
    found: FoundCheckpoints,
    wanted: Sequence[int],
    processor: ProcessorSource | None,
) -> CurrentImages:
    if storage.is_address(info.dataset.source):
        session.progress.note(
            f"The data set lies on a server and is asked there: {info.dataset.source}"
        )
    images, reread = read_images(session.run), session.request.reread
    planned = plan_reading(session.run, info, images, None, reread=reread)
    if images is not None and planned.reason is None:
        check_classes(session.progress, info, found, wanted, images)
        check_against(session.run, info)
        note_better(session, info, images)
        return CurrentImages(info, images, images)
    info, signature = planned.info, planned.signature
    opened = _open(session, planned.reference, info, found, wanted)
    opened = replace(opened, former=former_names(images, opened))
    check_classes(session.progress, info, found, wanted, opened)
    info = replace(info, dataset=opened.reference, classes=opened.classes)
    check_against(session.run, info)
    if session.run.read_info() is None:
        session.write_info(info)
    models = Models(session.run, info, found, session.request.device)
    processor = processor or _first_processor(models, wanted)
    session.begin_writing()
    with session.timed("images", min(len(opened.rows), info.dataset.limit or len(opened.rows))):
        _read(session, opened, signature, processor)
    new = read_images(session.run)
    assert new is not None
    if images is not None and (reread or images.key == images_key(info.dataset)):
        _note_changes(session.progress, images, new)
    return CurrentImages(info, new, images)


def open_images(
    reference: DatasetReference, found: FoundCheckpoints, wanted: Sequence[int]
) -> OpenedDataset:
    """Open a data set; labels that are numbers are those of the outputs of the first wanted
    checkpoint with a head."""
    opened = open_dataset(reference)
    if not opened.numbered:
        return opened
    problem_type = problem_type_of(found)
    for step in wanted:
        own = step in found.steps and not found.by_step(step).is_base
        head = head_of(found.by_step(step), problem_type) if own else None
        if head is not None and head.kind != YES_NO:
            return _as_outputs(opened, head, step)
    return opened


def _as_outputs(opened: OpenedDataset, head: Head, step: int) -> OpenedDataset:
    first = opened.reference.first_label or 0
    names = head.names or [str(first + output) for output in range(head.count)]
    numbered = opened.with_classes(names, of=f"the {head.count} outputs of checkpoint {step}")
    if head.names is None or set(opened.classes or []) <= set(names):
        return numbered
    pairs = [f"{first + output} is {name}" for output, name in enumerate(names[:3])]
    note = f"Labels are taken for the numbers of the outputs: {', '.join(pairs)}"
    account = replace(numbered.account, notes=[*numbered.account.notes, note])
    return replace(numbered, account=account)


def _open(
    session: BuildSession,
    reference: DatasetReference,
    info: RunInfo,
    found: FoundCheckpoints,
    wanted: Sequence[int],
) -> OpenedDataset:
    """Open the data set, with the name of its source as run.json keeps it."""
    session.progress.note(f"Opening data set {reference.source}")
    opened = open_images(reference, found, wanted)
    session.progress.note(_reviewed(opened, info.dataset.limit))
    if opened.classes is None:
        session.progress.note(
            "It has no labels, or none that were found; a column can be named with --label-column"
        )
    for note in opened.account.notes:
        session.progress.note(note)
    return replace(opened, reference=replace(opened.reference, source=info.dataset.source))


def _reviewed(opened: OpenedDataset, limit: int | None) -> str:
    """What of the data set the run is about; those that cannot be read are told later."""
    split, total = opened.reference.split, len(opened.rows)
    if limit is None or limit >= total:
        return f"Reviewing its split {split!r}: {total:,} images"
    return f"Reviewing a sample of its split {split!r}: {limit:,} of {total:,} images"


def _note_changes(progress: Progress, before: RunImages, images: RunImages) -> None:
    if images.digest != before.digest:
        gone, new = (
            len(set(one.hashes) - set(other.hashes))
            for one, other in ((before, images), (images, before))
        )
        progress.note(
            f"The data set has changed since: {len(before):,} images then, {len(images):,} now "
            f"({gone:,} pictures gone, {new:,} new)"
        )


def check_classes(
    progress: Progress,
    info: RunInfo,
    found: FoundCheckpoints,
    wanted: Sequence[int],
    images: RunImages | OpenedDataset,
) -> None:
    """Raise before any long work where a head was made for other classes than the data set has, and
    note what a person may not expect of one."""
    problem_type = problem_type_of(found)
    heads = {
        f"Checkpoint {step}": head_of(found.by_step(step), problem_type)
        for step in wanted
        if step in found.steps and found.by_step(step).has_own_head
    }
    if images.former:
        pairs = [f"{one!r} was {before!r}" for one, before in images.former.items()]
        progress.note(
            f"The data set has renamed classes, as its pictures show: {some_names(pairs)}"
        )
    for text in notes_of(heads, images.classes, images.former):
        progress.note(text)
    several = any(head is not None and not head.is_of_one_label for head in heads.values())
    if several and images.classes is not None and not info.settings.cross_validate:
        progress.note(
            "The model gives each class a probability of its own (multi_label_classification): "
            "label scores, label ranks, suggested labels and the margin, which assume one label an "
            "image, are left empty; --cross-validate judges the labels as if each image had one"
        )


def check_against(run: RunFolder, info: RunInfo) -> None:
    """Raise for a split that cannot be looked in, before it is remembered and before any long
    work."""
    split, known = info.settings.against, run.read_info()
    if split is None:
        return
    if split == info.dataset.split:
        raise SettingsError(
            f"--against {split} is the split that is reviewed. Name another one, or none."
        )
    if known is None or known.settings.against != split:
        source = resolved(run, info.dataset.source)
        open_dataset(replace(info.dataset, source=source, split=split), option="--against")


def _first_processor(models: Models, wanted: Sequence[int]) -> ProcessorSource | None:
    """The image processor by which images are preprocessed while they are read: of the first wanted
    checkpoint that has one; None where none of them is needed.

    Raises CheckpointError where none has one and nothing is embedded yet, before any image is read.
    """
    problem: CheckpointError | None = None
    for step in wanted:
        if step in models.found.steps:
            source = models.processor_of(models.found.by_step(step))
            try:
                source.load()
            except CheckpointError as error:
                problem = problem or error
            else:
                return source
    if problem is not None and not embedded_steps(models.run, models.info, models.found):
        raise problem
    return None


# -- reading


@dataclass(frozen=True)
class Selected:
    """The images of an opened data set that a run is to hold."""

    opened: OpenedDataset
    signature: str | None
    """Fingerprint of its files."""
    rows: NDArray[np.int64]
    """Shape (N,): rows of the split, ascending."""
    labels: NDArray[np.integer]
    """Shape (N,): class index, -1 without one."""
    processor: ProcessorSource | None
    """By which they are preprocessed while they are read; None for not at all."""

    @property
    def key(self) -> str:
        """Fingerprint of all that reading gives."""
        return fingerprint(
            images=images_key(self.opened.reference),
            signature=self.signature,
            processor=self.processor and self.processor.digest,
        )


def _read(
    session: BuildSession,
    opened: OpenedDataset,
    signature: str | None,
    processor: ProcessorSource | None,
) -> None:
    """Read and decode every image once: it goes to images.parquet, or what is known of it, and its
    pixels to the cache."""
    sample = opened.reference
    rows = balanced_sample(opened.labels, len(opened.rows), sample.limit, sample.seed)
    labels = np.full(len(rows), -1) if opened.labels is None else opened.labels[rows]
    selected = Selected(opened, signature, rows, labels, processor)
    read = _read_in_place if sample.in_place else _read_copies
    written = read(session, selected)
    session.progress.note(_sum(selected, written))
    for text, some in (
        (f"of {len(rows):,} images that cannot be read", _unread(written.skipped)),
        ("beside the rows", [one for one in written.skipped if one.image_id is None]),
    ):
        if some:
            first = some[0].path or f"row {some[0].image_id}"
            session.progress.note(
                f"Left out {len(some):,} {text}, such as {first}: {some[0].reason.rstrip('.')}. "
                f"All are in {session.run.skipped}"
            )


def _unread(skipped: Sequence[SkippedImage]) -> list[SkippedImage]:
    return [one for one in skipped if one.image_id is not None]


def _sum(selected: Selected, written: ImagesWriter) -> str:
    """What became of everything that was found."""
    account, total = selected.opened.account, len(selected.opened.rows)
    parts = [f"{written.count:,} images", f"{len(written.skipped):,} skipped"]
    if total > len(selected.rows):
        parts.append(f"{total - len(selected.rows):,} not in the sample")
    elsewhere = sum(account.elsewhere.values())
    if elsewhere:
        names = ", ".join(account.elsewhere)
        parts.append(f"{elsewhere:,} in other splits ({names})")
    everything = total + len(account.left_out) + elsewhere
    text = f"{everything:,} {account.unit}: {', '.join(parts)}"
    if account.others:
        noun = "file that is no image" if account.others == 1 else "files that are no images"
        text += f"; {account.others:,} {noun}"
    return text


def _read_in_place(session: BuildSession, selected: Selected) -> ImagesWriter:
    opened = selected.opened
    locations = opened.rows.data.table.take(selected.rows)
    locations = locations.append_column("image_id", [selected.rows])
    reading = Reading(
        session.run,
        STAGES["images"],
        locations.append_column("label", [selected.labels]),
        str(opened.reference.image_column),
        _folder_of(session.run, opened.reference),
        preprocessed_parts(session.run, selected.processor, selected.key),
        selected.key,
    )
    version = STAGES["images"].version
    with writing_images(session.run, opened, selected.signature, version) as images:
        for record in reading.records(session.engine):
            images.add(record)
    reading.finish(pixels_key(_digest_of(session.run)))
    return images


def preprocessed_parts(
    run: RunFolder, processor: ProcessorSource | None, key: str
) -> PreprocessedParts:
    """Where the pixels of images go that are read in place."""
    if processor is None or processor.given is not None:
        return PreprocessedParts(run.reference, (), "", key)
    candidates = tuple(map(storage.for_all, processor.candidates))
    return PreprocessedParts(run.reference, candidates, processor.digest, key)


def _read_copies(session: BuildSession, selected: Selected) -> ImagesWriter:
    processor = selected.processor
    if processor is None:
        return _write_copies(session, selected, None, None)
    cache = PixelCache(session.run, processor.load(), processor.digest)
    with writing_pixels(cache) as pixels:
        images = _write_copies(session, selected, cache, pixels)
        pixels.finish(pixels_key(_digest_of(session.run)))
    return images


@contextmanager
def writing_pixels(cache: PixelCache) -> Iterator[PixelWriter]:
    """Write a cache anew; what was written is removed when the context is left by an error."""
    pixels = cache.writer()
    try:
        yield pixels
    except BaseException:
        pixels.abandon()
        raise


def _write_copies(
    session: BuildSession,
    selected: Selected,
    cache: PixelCache | None,
    pixels: PixelWriter | None,
) -> ImagesWriter:
    """Copy the images of a data set into the run; their pixels go where they belong."""
    total, version = len(selected.rows), STAGES["images"].version
    with (
        writing_images(session.run, selected.opened, selected.signature, version) as images,
        session.progress.stage(IMAGES.title, total=total, unit="images") as advance,
    ):
        root = _folder_of(session.run, selected.opened.reference)
        prepare = cache.prepare if cache else None
        for records, batches in read_all(_cells(selected), root, prepare):
            for batch in batches:
                if pixels:
                    pixels.add(batch)
            for record in records:
                images.add(record)
            advance(len(records))
    return images


def _cells(selected: Selected) -> Iterator[tuple[int, int, Any]]:
    """Row, label and cell of each image, read from the data set some at a time."""
    column = str(selected.opened.reference.image_column)
    rows = selected.opened.rows.select(selected.rows).select_columns([column])
    cells = (
        cell for start in range(0, len(rows), CHUNK) for cell in rows[start : start + CHUNK][column]
    )
    return zip(selected.rows.tolist(), selected.labels.tolist(), cells, strict=True)


def _folder_of(run: RunFolder, reference: DatasetReference) -> Path:
    """The folder of a data set."""
    return Path(resolved(run, reference.source)).resolve()


def _digest_of(run: RunFolder) -> str:
    written = read_images(run)
    assert written is not None
    return written.digest


# -- preprocessed images


def pixels_of(session: BuildSession, processor: ProcessorSource, images: RunImages) -> None:
    """See to it that the images are there as this processor gives them: in the cache, or decoded
    once more. Raises ReviewError."""
    if PixelCache(session.run, None, processor.digest).open(pixels_key(images.digest)) is not None:
        return
    session.begin_writing()
    with session.timed("pixels", len(images)):
        by_file = images.column is not None and processor.given is None
        make = _preprocess_in_place if by_file else _preprocess_copies
        make(session, processor, images)


def _preprocess_copies(
    session: BuildSession, processor: ProcessorSource, images: RunImages
) -> None:
    cache = PixelCache(session.run, processor.load(), processor.digest)

    def prepare(files: list[bytes]) -> list[NDArray[Any]]:
        decoded = (to_rgb(decode(data), images.grey_rules) for data in files)
        return list(prepared(decoded, cache.prepare))

    with (
        writing_pixels(cache) as pixels,
        session.progress.stage(PIXELS.title, total=len(images), unit="images") as advance,
    ):
        for batches in in_threads(prepare, chunks(images.read_files(), CHUNK)):
            for batch in batches:
                pixels.add(batch)
                advance(len(batch))
        pixels.finish(pixels_key(images.digest))


def _preprocess_in_place(
    session: BuildSession, processor: ProcessorSource, images: RunImages
) -> None:
    """Read images again where they lie, which must be those that the run was made from."""
    key = fingerprint(images=images.digest, processor=processor.digest)
    locations = images.locations(np.arange(len(images))).append_column("image_id", [images.ids])
    reading = Reading(
        session.run,
        STAGES["pixels"],
        locations.append_column("label", [images.ids]),
        str(images.column),
        session.run.path,
        preprocessed_parts(session.run, processor, key),
        key,
        images.grey_rules,
    )
    for record, image_hash in zip(reading.records(session.engine), images.hashes, strict=True):
        if isinstance(record, SkippedImage) or record.image_hash != image_hash:
            reading.forget()
            raise DatasetError(
                f"Image {record.image_id} of the run is not where it was, or has changed "
                f"({record.path or images.column}). Bring the data set back, or name it anew with "
                "--dataset."
            )
    reading.finish(pixels_key(images.digest))
