"""Takes a run from checkpoints and a data set to the long table; knows what is already there and
what must be redone.

Every result carries a fingerprint of what it was computed from. Unchanged input is never computed
again, changed input always is, and a process that is killed leaves nothing behind that counts. The
work itself is done in the other modules."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.duplicates import (
    find_leaks,
    group_duplicates,
    near_duplicates,
)
from review_embeddings.pipeline.analysis.imagequality import (
    image_quality,
    measure,
    require_cleanvision,
)
from review_embeddings.pipeline.analysis.labels import (
    LabelQuality,
    label_quality,
    neighbor_probabilities,
    out_of_fold_probabilities,
)
from review_embeddings.pipeline.analysis.mapkinds import map_kind
from review_embeddings.pipeline.analysis.maps import compute_maps
from review_embeddings.pipeline.analysis.neighbors import Neighbors
from review_embeddings.pipeline.analysis.outliers import (
    NEIGHBORS,
    ood_scores,
    rank_scores,
    worst_count,
)
from review_embeddings.pipeline.analysis.project import Projection, align, lay_as_they_are
from review_embeddings.pipeline.analysis.trajectories import Seen, TrajectoryBuilder, moved, overlap
from review_embeddings.pipeline.analysis.trust import NEAR, MapTrust, map_trust
from review_embeddings.pipeline.engines.engines import (
    Encoding,
    Engine,
    Local,
    OnRay,
    Reading,
    check_engine,
)
from review_embeddings.pipeline.errors import (
    BusyError,
    CheckpointError,
    DatasetError,
    ReviewError,
    RunError,
    SettingsError,
)
from review_embeddings.pipeline.images.dataset import OpenedDataset, open_dataset, source_signature
from review_embeddings.pipeline.images.decode import decode, to_rgb
from review_embeddings.pipeline.images.pixels import PixelCache, Pixels, PixelWriter
from review_embeddings.pipeline.images.reading import CHUNK, ImageRecord, SkippedImage, read_all
from review_embeddings.pipeline.images.runimages import RunImages, images_key, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.images.writer import writing_images
from review_embeddings.pipeline.models.checkpoints import (
    Checkpoint,
    FoundCheckpoints,
    SkippedCheckpoint,
    find_checkpoints,
    select,
)
from review_embeddings.pipeline.models.config import is_timm, read_config
from review_embeddings.pipeline.models.device import OF_AUTO, fastest_precision
from review_embeddings.pipeline.models.encode import NotFiniteError, encode_all
from review_embeddings.pipeline.models.encoder import Encoder
from review_embeddings.pipeline.models.heads import Head, head_of, map_classes, some_names
from review_embeddings.pipeline.models.loader import EncoderLoader, config_print
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_weights
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder, is_run, reference_to
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import (
    AUTO,
    NOTHING,
    DatasetReference,
    Request,
    check_settings,
)
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.threads import chunks, in_threads

METHODS = {
    "neighbors": 1,
    "outliers": 1,
    "projections": 1,
    "trust": 1,
    "heldout": 1,
    "quality": 1,
    "motion": 1,
    "duplicates": 2,
    "leaks": 1,
    "image_quality": 2,
    "table": 4,
}
"""Raised for a stage whose results change although its input does not."""

QUALITY = np.dtype(
    [
        ("self_confidence", "<f4"),
        ("score", "<f4"),
        ("rank", "<i4"),
        ("suggested", "<i4"),
        ("issue", "?"),
    ]
)
"""How the label quality of an image is kept."""

ONCE = 0
"""Stands for the checkpoint in results that are of the images whatever the checkpoint."""

Results = tuple[dict[str, NDArray[Any]], dict[str, Any]]
"""The arrays of a stage for one checkpoint, and what is kept beside them."""

Stage = Callable[[int, NDArray[Any], RunImages], Results]
"""Takes the step, its embeddings and the images."""

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


def build(
    run: RunFolder, request: Request, *, progress: Progress = SILENT, wait: bool = False
) -> Built:
    """Bring the table of a run up to date with the checkpoints and settings asked for. Raises
    ReviewError.

    With ``wait`` another process that writes to the run is waited for; without, it is a BusyError.
    """
    with ExitStack() as stack:
        return Builder(run, request, progress, stack, wait=wait).build()


class Builder:
    """One call of `build`: the run, what was asked for, and the clock."""

    def __init__(
        self,
        run: RunFolder,
        request: Request,
        progress: Progress,
        stack: ExitStack,
        *,
        live: bool = False,
        wait: bool = False,
    ) -> None:
        """With ``live``, embeddings are written under a lock that the caller holds; with ``wait``,
        writing waits for its turn."""
        self.run = run
        self.request = request
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self.work: dict[str, int] = {}
        self._stack = stack
        self._live = live
        self._wait = wait
        self._waiting: list[int] = []
        self._writing = self._embedding = False
        self._pixels: dict[str, Pixels] = {}
        self._started: Engine | None = None

    @property
    def _engine(self) -> Engine:
        """What does the long work; started when there is some."""
        if self._started is None:
            local = self.request.engine == "local"
            self._started = (
                Local(self.request.device) if local else OnRay(self.request.address, self.progress)
            )
            self._stack.callback(self._started.close)
        return self._started

    def build(self) -> Built:
        check_engine(self.request.engine, self.request.address)
        info = self.resolve_info()
        check_settings(info.settings)
        if self.request.settings.get("processor") not in {None, NOTHING}:
            load_processor(
                [self._resolve(str(info.settings.processor))]
            )  # a wrong name is refused before it is kept
        found = self._find_checkpoints(info)
        available = sorted({*found.steps, *self._embedded_steps(info)})
        wanted = (
            select(available, self.request.wanted) if self.request.wanted is not None else available
        )
        info, images = self.images(info, found, wanted)
        if self.request.settings.get("cross_validate") and images.labels is None:
            self.progress.note("--cross-validate does nothing here: there are no labels.")
        if info.settings.image_quality:
            self._look_at(images)
        current = self._results(info, found, images, wanted)
        self.write_info(info)
        manifest = self._table(info, images, current)
        shown = [step for step in wanted if step in current]
        return Built(
            self.run,
            info,
            images,
            manifest,
            shown,
            available,
            self._waiting,
            self.seconds,
            self.work,
        )

    def _begin_writing(self) -> None:
        """Take the run's lock before the first write; a run that is complete is only read.

        Raises RunError where nothing may be written.
        """
        if self.request.only_read:
            raise RunError(
                f"Run {self.run} is not up to date: checkpoints, images or settings have changed. "
                f"Run: {_command(self.run)}"
            )
        if not self._writing:
            self._stack.enter_context(self.run.lock(wait=self._wait))
            self._writing = True

    def _begin_embedding(self) -> None:
        """Take the lock for embeddings as well; BusyError where a training that embeds has it."""
        if not self._live and not self._embedding:
            self._stack.enter_context(self.run.embedding_lock())
            self._embedding = True
            self._begin_writing()

    @contextmanager
    def _timed(self, stage: str, count: int) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        self.work[stage] = self.work.get(stage, 0) + count

    # -- run.json and checkpoints

    def resolve_info(self) -> RunInfo:
        """What the run folder says, changed by what was asked for."""
        known = self.run.read_info()
        source = self.request.dataset.get("source")
        if known is None and source is None:
            if not is_run(self.run.path) and not self.request.checkpoints:
                raise RunError(
                    f"{self.run} is no run: it has neither run.json nor checkpoint-<step> folders. "
                    "Name a Trainer's output folder with --run, or try: review-embeddings demo"
                )
            raise RunError(
                f"{self.run} was not reviewed before, so its data set is not known. "
                "Name it with --dataset (a Hub name, a folder of images, a .parquet file) and, "
                "where it has several, --split."
            )
        info = known or RunInfo(dataset=DatasetReference(source=""))
        said = {key: value for key, value in self.request.dataset.items() if value is not None}
        if source is not None:
            said["source"] = self._local_reference(source)
            if (
                said["source"] != info.dataset.source
            ):  # another data set: nothing of the old one applies
                info = replace(info, dataset=DatasetReference(source=said["source"]), classes=None)
        if said.get("limit") == 0:
            said["limit"] = None
        dataset = replace(info.dataset, **said)
        wishes = {key: value for key, value in self.request.settings.items() if value is not None}
        if wishes.get("processor") is not None:
            wishes["processor"] = self._local_reference(wishes["processor"])
        if wishes.get("against") == NOTHING:
            wishes["against"] = None
        settings = replace(info.settings, **wishes)
        base = info.base if self.request.base is None else self._local_reference(self.request.base)
        folder = info.checkpoints
        if self.request.checkpoints is not None:
            path = storage.opened(self.request.checkpoints)
            if not path.is_dir():
                raise RunError(
                    f"The folder of checkpoints {self.request.checkpoints} is not there. Name one "
                    f"that holds checkpoint-<step> folders."
                )
            folder = reference_to(path, self.run)
        return replace(info, dataset=dataset, settings=settings, base=base, checkpoints=folder)

    def write_info(self, info: RunInfo) -> None:
        """Keep what was asked for: of a new run at once, of a known one only when its results are
        there."""
        if info != self.run.read_info():
            self._begin_writing()
            self.run.write_info(info)

    def _local_reference(self, name: str) -> str | None:
        """A path as run.json keeps it; a Hub name as it is; None for what is taken back."""
        if name == NOTHING:
            return None
        path = Path(name).expanduser()
        return reference_to(path, self.run) if path.exists() else name

    def _resolve(self, name: str) -> str:
        """The other way round: a path that can be opened from here, or a Hub name."""
        inside = self.run.path / name
        return str(inside) if inside.exists() else name

    def _find_checkpoints(self, info: RunInfo) -> FoundCheckpoints:
        base = None if info.base is None else self._resolve(info.base)
        embedded = self.run.result_facts("embeddings", 0)
        if (
            base is not None
            and not Path(base).exists()
            and embedded is not None
            and embedded.get("base") == info.base
        ):
            # the run was copied without its base model; what was computed from it is still there
            base = None
        root = self.run.checkpoint_root(info)
        storage.renew(root)  # a training may have put new ones into a store
        found = find_checkpoints(root, base)
        if (
            self.request.checkpoints is not None
            and all(checkpoint.is_base for checkpoint in found.usable)
            and not found.skipped
        ):
            raise RunError(
                f"{storage.address_of(root)} holds no checkpoints. "
                "Name a folder with checkpoint-<step> folders or a model with --checkpoints."
            )
        for skipped in found.skipped:
            self.progress.note(f"Left out {skipped.name}: {skipped.reason}")
        nothing = not found.usable and not self._embedded_steps(info)
        if nothing and found.skipped:
            raise CheckpointError(_nothing_usable(self.run.path, found.skipped))
        if nothing:
            raise RunError(
                f"Run {self.run} is empty: there is no checkpoint-<step> folder with "
                f"model.safetensors in it. "
                "Name the Trainer's output folder with --run or --checkpoints."
            )
        return found

    def _embedded_steps(self, info: RunInfo) -> list[int]:
        """Steps with embeddings, but for those of a base model that is not the run's any more."""
        steps = self.run.steps_with("embeddings")
        bases = {
            step: (self.run.result_facts("embeddings", step) or {}).get("base") for step in steps
        }
        return [step for step in steps if bases[step] in {None, info.base}]

    # -- images

    def images(
        self, info: RunInfo, found: FoundCheckpoints, wanted: Sequence[int]
    ) -> tuple[RunInfo, RunImages]:
        """The images of the run, read again only where the reference or the files it names have
        changed."""
        images = read_images(self.run)
        reference = replace(info.dataset, source=self._resolve(info.dataset.source))
        signature = source_signature(reference, self.run)
        if (
            images is not None
            and images.key == images_key(info.dataset)
            and signature in {None, images.signature}
        ):
            self._check_classes(found, wanted, images.classes)
            self._check_against(info)
            return info, images
        self.progress.note(f"Opening data set {reference.source}")
        opened = open_dataset(reference)
        self.progress.note(
            f"Reviewing its split {opened.reference.split!r}: {len(opened.rows):,} images"
        )
        before = images if images is not None and images.key == images_key(info.dataset) else None
        if opened.classes is None:
            self.progress.note(
                "It has no labels, or none that were found; a column can be named with "
                "--label-column"
            )
        self._check_classes(found, wanted, opened.classes)
        opened = replace(opened, reference=replace(opened.reference, source=info.dataset.source))
        info = replace(info, dataset=opened.reference, classes=opened.classes)
        self._check_against(info)
        if self.run.read_info() is None:
            self.write_info(info)
        self._begin_writing()
        with self._timed("images", min(len(opened.rows), info.dataset.limit or len(opened.rows))):
            self._read_images(opened, signature, self._processor_for_first(info, found, wanted))
        images = read_images(self.run)
        assert images is not None
        if before is not None and images.digest != before.digest:
            gone, new = (
                len(set(one.hashes) - set(other.hashes))
                for one, other in ((before, images), (images, before))
            )
            self.progress.note(
                f"The data set has changed since: {len(before):,} images then, {len(images):,} now "
                f"({gone:,} pictures gone, {new:,} new)"
            )
        return info, images

    def _check_against(self, info: RunInfo) -> None:
        """Raise for a split that cannot be looked in, before it is remembered and before any long
        work."""
        split, known = info.settings.against, self.run.read_info()
        if split is None:
            return
        if split == info.dataset.split:
            raise SettingsError(
                f"--against {split} is the split that is reviewed. Name another one, or none."
            )
        if known is None or known.settings.against != split:
            open_dataset(
                replace(info.dataset, source=self._resolve(info.dataset.source), split=split),
                option="--against",
            )

    def _processor_for_first(
        self, info: RunInfo, found: FoundCheckpoints, wanted: Sequence[int]
    ) -> ProcessorSource | None:
        """The image processor of the first wanted checkpoint, for which the images are prepared
        while they are read."""
        for step in wanted:
            if step in found.steps:
                source = self._processor_of(found.by_step(step), info, found)
                try:
                    load_processor(source.candidates)
                except (
                    CheckpointError
                ):  # it is said when something has to be embedded, and not where everything is
                    return None
                return source
        return None

    def _read_images(
        self, opened: OpenedDataset, signature: str | None, source: ProcessorSource | None
    ) -> None:
        """Read and decode every image once: it goes to images.parquet, or what is known of it, and
        its pixels to the cache."""
        chosen = balanced_sample(
            opened.labels, len(opened.rows), opened.reference.limit, opened.reference.seed
        )
        labels = np.full(len(chosen), -1) if opened.labels is None else opened.labels[chosen]
        reading = None
        if opened.reference.in_place:
            places, column, root = (
                opened.rows.data.table.take(chosen),
                opened.reference.image_column,
                self._root(opened.reference),
            )
            about = fingerprint(
                images=images_key(opened.reference),
                signature=signature,
                processor=source and source.digest,
            )
            reading = self._reading(
                places, chosen, labels, source, column=column, root=root, fingerprint=about
            )
        cache = (
            None
            if reading or source is None
            else PixelCache(self.run, load_processor(source.candidates), source.digest)
        )
        pixels = cache.writer() if cache else None
        failed = True
        try:
            with (
                writing_images(self.run, opened, signature) as images,
                self.progress.stage("Reading images", total=len(chosen), unit="images") as advance,
            ):
                for records in (
                    self._engine.read(reading)
                    if reading
                    else self._read(opened, chosen, labels, cache, pixels)
                ):
                    for record in records:
                        images.add(record)
                    advance(len(records))
            failed = False
        finally:
            if pixels and failed:
                pixels.abandon()
        skipped = images.skipped
        if skipped:
            self.progress.note(
                f"Left out {len(skipped)} of {len(chosen)} images that cannot be read, such as row "
                f"{skipped[0].image_id}: "
                f"{skipped[0].reason.rstrip('.')}. All are in {self.run.skipped}"
            )
        written = read_images(self.run)
        if finishing := reading or pixels:
            assert written is not None
            finishing.finish(written.digest)

    def _read(
        self,
        opened: OpenedDataset,
        chosen: NDArray[np.int64],
        labels: NDArray[np.integer],
        cache: PixelCache | None,
        pixels: PixelWriter | None,
    ) -> Iterator[list[ImageRecord | SkippedImage]]:
        """The images of a data set with their bytes; their pixels go where they belong."""
        column = str(opened.reference.image_column)
        rows = opened.rows.select(chosen).select_columns([column])
        cells = (
            cell
            for start in range(0, len(rows), CHUNK)
            for cell in rows[start : start + CHUNK][column]
        )
        images = zip(chosen.tolist(), labels.tolist(), cells, strict=True)
        for records, prepared in read_all(
            images, self._root(opened.reference), cache.prepare if cache else None
        ):
            if pixels is not None and prepared is not None:
                pixels.add(prepared)
            yield records

    def _reading(
        self,
        places: Any,
        ids: NDArray[np.int64],
        labels: NDArray[np.integer],
        source: ProcessorSource | None,
        **said: Any,
    ) -> Reading:
        """What is to be read of a data set that stays where it is; ``said`` are further fields of
        it."""
        places = places.append_column("image_id", [ids]).append_column("label", [labels])
        processors = () if source is None else tuple(map(storage.for_all, source.candidates))
        return Reading(
            self.run.reference,
            places,
            processors=processors,
            pixels=source.digest if source else "",
            **said,
        )

    def _root(self, reference: DatasetReference) -> Path:
        """The folder of a data set."""
        return Path(self._resolve(reference.source)).resolve()

    def _check_classes(
        self, found: FoundCheckpoints, wanted: Sequence[int], classes: list[str] | None
    ) -> None:
        """Raise before any long work where a head was made for other classes than the data set
        has."""
        for step in wanted:
            if step in found.steps and not found.by_step(step).is_base:
                head = head_of(found.by_step(step))
                names = map_classes(head, classes, name=f"Checkpoint {step}")
                if (
                    head is not None
                    and head.names is not None
                    and classes is not None
                    and names != head.names
                ):
                    self.progress.note(
                        f"Checkpoint {step} calls its classes {some_names(head.names)}, the data "
                        f"set "
                        f"{some_names(classes)}: "
                        "they are matched by their order."
                    )

    def _look_at(self, images: RunImages) -> None:
        """Say which images are poor as pictures, where that is not known already."""
        value = fingerprint(pictures=images.digest, method=METHODS["image_quality"])
        if self.run.is_current("image_quality", ONCE, value):
            return
        require_cleanvision()
        self._begin_writing()

        def look(files: list[bytes]) -> NDArray[Any]:
            return measure([to_rgb(decode(data)) for data in files])

        with (
            self._timed("image quality", len(images)),
            self.progress.stage(
                "Looking at the images", total=len(images), unit="images"
            ) as advance,
        ):
            parts = []
            for part in in_threads(look, chunks(images.read_pictures(), CHUNK)):
                parts.append(part)
                advance(len(part))
            self.run.write_arrays(
                ONCE, value, {"image_quality": image_quality(np.concatenate(parts))}, {}
            )

    # -- embeddings, neighbours, scores, projections

    def _results(
        self, info: RunInfo, found: FoundCheckpoints, images: RunImages, wanted: Sequence[int]
    ) -> dict[int, dict[str, Any]]:
        """Facts of the embeddings of every checkpoint that the table is to hold, all stages up to
        date."""
        known = {*found.steps, *self._embedded_steps(info)}
        before = table.known_steps(self.run)
        for step in before:
            if step not in known:
                self.progress.note(
                    f"Checkpoint {step} leaves the table: neither its weights nor its embeddings "
                    f"are part of the run any more."
                )
        kept = [step for step in before if step in known and step not in wanted]
        current: dict[int, dict[str, Any]] = {}
        first_error: ReviewError | None = None
        steps = sorted({*wanted, *kept})
        now = self._embedded_now(steps, info, found, images) if self.request.piecemeal else steps
        for step in steps:
            key = self._embedding_key(step, info, found, images)
            if key is None or not self.run.is_current("embeddings", step, key.fingerprint):
                if key is None or step not in found.steps:
                    gone = (
                        f"Checkpoint {step} cannot be embedded again for these images and "
                        f"settings: its weights are not there any more."
                    )
                    if step in wanted and self.request.wanted is not None:
                        raise CheckpointError(
                            f"{gone} Name their folder with --checkpoints, or another checkpoint."
                        )
                    self.progress.note(gone)
                    continue
                if step in kept:
                    self.progress.note(
                        f"Checkpoint {step} leaves the table: its weights, the images or settings "
                        f"have changed. "
                        f"`review-embeddings build --run {self.run}` brings it back."
                    )
                    continue
                if step not in now:
                    self._waiting.append(step)
                    continue
                try:
                    following = self._following([other for other in now if other > step], found)
                    self.embed(found.by_step(step), key, info, found, images, following=following)
                except (CheckpointError, BusyError) as error:
                    if self.request.wanted is not None:
                        raise
                    first_error = first_error or error
                    if isinstance(error, BusyError) and self.request.piecemeal:
                        self._waiting.append(step)
                    else:
                        self.progress.note(f"Left out checkpoint {step}: {error}")
                    continue
            facts = self.run.result_facts("embeddings", step)
            assert facts is not None
            current[step] = facts
        self._score(
            {step: facts["fingerprint"] for step, facts in current.items()},
            images,
            info.settings.cross_validate,
        )
        if not current:
            raise first_error or RunError(
                f"No checkpoint of {self.run} has embeddings of these images, and their weights "
                f"are not there any more. "
                "Name their folder with --checkpoints."
            )
        return current

    def _following(self, later: Sequence[int], found: FoundCheckpoints) -> Checkpoint | None:
        """The next of some checkpoints that has weights and was never embedded."""
        steps = (
            step
            for step in later
            if step in found.steps and self.run.result_facts("embeddings", step) is None
        )
        step = next(steps, None)
        return None if step is None else found.by_step(step)

    def _embedded_now(
        self, steps: Sequence[int], info: RunInfo, found: FoundCheckpoints, images: RunImages
    ) -> list[int]:
        """The steps that a piecemeal request may embed: the first, and the newest that is not
        embedded yet."""
        for step in reversed(steps):
            key = self._embedding_key(step, info, found, images)
            if key is None or not self.run.is_current("embeddings", step, key.fingerprint):
                return [steps[0], step]
        return []

    def _embedding_key(
        self, step: int, info: RunInfo, found: FoundCheckpoints, images: RunImages
    ) -> EmbeddingKey | None:
        """What the embeddings of a checkpoint are computed from; for one that is gone, what they
        were, None if that is not known."""
        facts = self.run.result_facts("embeddings", step)
        known = facts["key"] if facts else None
        if step not in found.steps:
            settings = {
                "images": images.digest,
                "pooling": info.settings.pooling,
                "precision": self._precision(step, info),
            }
            return EmbeddingKey(**{**known, **settings}) if known else None
        checkpoint = found.by_step(step)
        stamp = WeightsStamp(known["weights"], facts["weight_files"]) if facts and known else None
        return self.key_of(checkpoint, stamp_weights(checkpoint.source, stamp), info, found, images)

    def key_of(
        self,
        checkpoint: Checkpoint,
        weights: WeightsStamp,
        info: RunInfo,
        found: FoundCheckpoints,
        images: RunImages,
    ) -> EmbeddingKey:
        """What the embeddings of a checkpoint with these weights are computed from."""
        return EmbeddingKey(
            weights=weights.sha256,
            config=config_print(checkpoint.source),
            processor=self._processor_of(checkpoint, info, found).digest,
            with_head=self._head(checkpoint, images) is not None,
            images=images.digest,
            pooling=info.settings.pooling,
            precision=self._precision(checkpoint.step, info),
        )

    def _precision(self, step: int, info: RunInfo) -> str:
        """The arithmetic of a checkpoint's embeddings; where that is free, the one they have, the
        one that others have, the fastest."""
        if info.settings.precision != AUTO:
            return info.settings.precision
        own = self._stored_precision(step)
        others = (
            map(self._stored_precision, self.run.steps_with("embeddings")) if own is None else ()
        )
        return own or next(filter(None, others), None) or fastest_precision(self.request.device)

    def _stored_precision(self, step: int) -> str | None:
        """In which of `OF_AUTO` the embeddings of a checkpoint were computed; None where there are
        none or it was another."""
        facts = self.run.result_facts("embeddings", step)
        known = facts["key"]["precision"] if facts and facts["key"] else None
        return known if known in OF_AUTO else None

    def _head(self, checkpoint: Checkpoint, images: RunImages) -> Head | None:
        """The head to be used: none for a base model that was made for other classes."""
        head = head_of(checkpoint)
        if head is not None and checkpoint.is_base:
            try:
                map_classes(head, images.classes, name="base")
            except CheckpointError:
                return None
        return head

    def _processor_of(
        self, checkpoint: Checkpoint, info: RunInfo, found: FoundCheckpoints
    ) -> ProcessorSource:
        """Where a checkpoint's image processor comes from.

        The settings, its own folder, the run's folder, another checkpoint, or the model it was made
        from. The base model is prepared like the checkpoints, so that step 0 sees the same pixels.
        """
        others = [
            other.source for other in found.usable if not other.is_base and other is not checkpoint
        ]
        own = [] if checkpoint.is_base else [checkpoint.source]
        places = [*own, str(self.run.checkpoint_root(info)), *others]
        if info.settings.processor is not None:
            places = [self._resolve(info.settings.processor)]
        for place in places:
            if file := _processor_file(Path(place)):
                content = json.loads(file.read_text(encoding="utf-8"))
                return ProcessorSource(
                    [str(file.parent)], fingerprint(processor=_without_class_names(content))
                )
        origin = str(read_config(checkpoint.source).get("_name_or_path") or "")
        names = (
            places
            if info.settings.processor is not None
            else [name for name in (checkpoint.source, origin) if name]
        )
        return ProcessorSource(names, fingerprint(processor=names))

    def embed(
        self,
        checkpoint: Checkpoint,
        key: EmbeddingKey,
        info: RunInfo,
        found: FoundCheckpoints,
        images: RunImages,
        loaded: Callable[[str], Encoder] | None = None,
        following: Checkpoint | None = None,
    ) -> None:
        """Embed every image with one checkpoint and write embeddings and probabilities.

        ``loaded`` gives its encoder in a precision where the weights are in memory already;
        ``following`` is read meanwhile.
        """
        try:
            self._embed(checkpoint, key, info, found, images, loaded, following)
        except NotFiniteError:
            if info.settings.precision != AUTO or key.precision == "fp32":
                raise
            self.progress.note(
                f"Checkpoint {checkpoint.step} gives values that {key.precision} cannot hold: fp32 "
                f"is taken"
            )
            self._embed(
                checkpoint, replace(key, precision="fp32"), info, found, images, loaded, following
            )

    def _embed(
        self,
        checkpoint: Checkpoint,
        key: EmbeddingKey,
        info: RunInfo,
        found: FoundCheckpoints,
        images: RunImages,
        loaded: Callable[[str], Encoder] | None,
        following: Checkpoint | None,
    ) -> None:
        self._begin_embedding()
        source = self._processor_of(checkpoint, info, found)
        pixels = self._pixels_for(source, images)
        head = self._head(checkpoint, images)
        with (
            self._timed("embeddings", len(images)),
            self.progress.stage(
                f"Embedding with checkpoint {checkpoint.step}", total=len(images), unit="images"
            ) as advance,
        ):
            name = f"Checkpoint {checkpoint.step}"
            if loaded is not None:
                batches = encode_all(
                    loaded(key.precision), pixels, batch_size=self.request.batch_size, name=name
                )
            else:
                said = (key.pooling, key.precision, key.with_head, source.digest, images.digest)
                encoding = Encoding(
                    self.run.reference,
                    replace(checkpoint, source=storage.for_all(checkpoint.source)),
                    *said,
                    self.request.device,
                    self.request.batch_size,
                )
                batches = self._engine.encode(encoding, key.fingerprint, following)
            first = next(batches)
            specs = {"embeddings": ((len(images), first.embeddings.shape[1]), np.float32)}
            if first.probabilities is not None:
                if head is not None and first.probabilities.shape[1] != head.count:
                    raise CheckpointError(
                        f"{name} gives {first.probabilities.shape[1]} classes, its config.json "
                        f"names {head.count}."
                    )
                specs["probabilities"] = ((len(images), first.probabilities.shape[1]), np.float32)
            with self.run.writing(checkpoint.step, key.fingerprint, specs) as writer:
                for batch in itertools.chain([first], batches):
                    writer.append("embeddings", batch.embeddings)
                    if batch.probabilities is not None:
                        writer.append("probabilities", batch.probabilities)
                    advance(len(batch.embeddings))
                stamp = (
                    stamp_weights(checkpoint.source)
                    if loaded is None
                    else WeightsStamp(key.weights, [])
                )
                writer.facts.update(
                    epoch=checkpoint.epoch,
                    loss=checkpoint.loss,
                    dimension=first.embeddings.shape[1],
                    base=info.base if checkpoint.is_base else None,
                    head=None if head is None else asdict(head),
                    key=asdict(key),
                    weight_files=stamp.files,
                )

    def encode(self, step: int, pictures: Sequence[Any]) -> NDArray[np.float32]:
        """Embeddings, shape (Q, D), of RGB pictures that are not the run's, as a checkpoint of it
        would embed them as its images.

        Raises CheckpointError where the checkpoint's weights are not there.
        """
        info = self.resolve_info()
        found, images = self._find_checkpoints(info), read_images(self.run)
        if step not in found.steps or images is None:
            raise CheckpointError(
                f"Checkpoint {step} cannot embed other pictures: its weights are not there. Name "
                f"their folder with --checkpoints, "
                "or search by an image of the run with --image."
            )
        checkpoint = found.by_step(step)
        processor = load_processor(self._processor_of(checkpoint, info, found).candidates)
        with_head = self._head(checkpoint, images) is not None
        loader = EncoderLoader(self.request.device)
        self._stack.callback(loader.close)
        encoder = loader.encoder(
            checkpoint,
            pooling=info.settings.pooling,
            precision=self._precision(step, info),
            with_head=with_head,
        )
        pixels = Pixels(processor(pictures), None)
        return np.concatenate(
            [
                batch.embeddings
                for batch in encode_all(encoder, pixels, batch_size=None, name=f"Checkpoint {step}")
            ]
        )

    def _pixels_for(self, source: ProcessorSource, images: RunImages) -> Pixels:
        """The images as this processor prepares them, from the cache or decoded once more."""
        if source.digest not in self._pixels:
            cache = PixelCache(self.run, None, source.digest)
            pixels = cache.open(images.digest)
            if pixels is None:
                self._begin_writing()
                with self._timed("pixels", len(images)):
                    if images.column is None:
                        self._prepare_pixels(
                            PixelCache(self.run, load_processor(source.candidates), source.digest),
                            images,
                        )
                    else:
                        self._prepare_in_place(source, images)
                pixels = cache.open(images.digest)
                assert pixels is not None
            self._pixels[source.digest] = pixels
        return self._pixels[source.digest]

    def _prepare_pixels(self, cache: PixelCache, images: RunImages) -> None:
        writer = cache.writer()
        failed = True
        try:
            with self.progress.stage(
                "Preparing images", total=len(images), unit="images"
            ) as advance:

                def prepare(files: list[bytes]) -> NDArray[Any]:
                    return cache.prepare([to_rgb(decode(data)) for data in files])

                for batch in in_threads(prepare, chunks(images.read_pictures(), CHUNK)):
                    writer.add(batch)
                    advance(len(batch))
            failed = False
        finally:
            if failed:
                writer.abandon()
        writer.finish(images.digest)

    def _prepare_in_place(self, source: ProcessorSource, images: RunImages) -> None:
        """Read images again where they lie, which must be those that the run was made from."""
        places, column = images.where(np.arange(len(images))), str(images.column)
        about = fingerprint(images=images.digest, processor=source.digest)
        reading = self._reading(
            places,
            images.ids,
            images.ids,
            source,
            column=column,
            root=self.run.path,
            fingerprint=about,
        )
        hashes = iter(images.hashes)
        with self.progress.stage("Preparing images", total=len(images), unit="images") as advance:
            for records in self._engine.read(reading):
                for record in records:
                    if isinstance(record, SkippedImage) or record.image_hash != next(hashes):
                        reading.shards.remove()
                        raise DatasetError(
                            f"Image {record.image_id} of the run is not where it was, or has "
                            f"changed ({record.path or column}). "
                            "Bring the data set back, or name it anew with --dataset."
                        )
                advance(len(records))
        reading.finish(images.digest)

    def _score(self, prints: Mapping[int, str], images: RunImages, folds: int) -> None:
        """What follows from the embeddings of each checkpoint alone, each only where its input has
        changed."""
        stages: dict[str, Stage] = {
            "neighbors": self._find_neighbors,
            "outliers": self._score_outliers,
        }
        if images.labels is not None:
            if folds:
                stages["heldout"] = partial(self._judge_held_out, folds)
            stages["quality"] = partial(self._judge_labels, bool(folds))
        derived = {
            step: derived_fingerprints(value, _labels_print(images), folds)
            for step, value in prints.items()
        }
        missing = {
            step: [
                name for name in stages if not self.run.is_current(name, step, derived[step][name])
            ]
            for step in prints
        }
        for step in self._told("Neighbours and scores", [step for step in prints if missing[step]]):
            embeddings = self.run.read_array("embeddings", step)
            for stage in missing[step]:
                with self._timed(stage, len(embeddings)):
                    arrays, facts = stages[stage](step, embeddings, images)
                    self.run.write_arrays(step, derived[step][stage], arrays, facts)

    def _told(self, title: str, steps: Sequence[int]) -> Iterator[int]:
        """The checkpoints for which something has to be written, one after the other, with
        progress; nothing is said where none are."""
        if steps:
            self._begin_writing()
            with self.progress.stage(title, total=len(steps), unit="checkpoints") as advance:
                for step in steps:
                    yield step
                    advance(1)

    def _find_neighbors(self, step: int, embeddings: NDArray[Any], images: RunImages) -> Results:
        facts = self.run.result_facts("embeddings", step)
        assert facts is not None
        value = fingerprint(embeddings=facts["fingerprint"], neighbors=METHODS["neighbors"])
        neighbors = self._engine.neighbors(self.run, step, max(NEIGHBORS, NEAR), value)
        if neighbors.recall < 1:
            self.progress.note(
                f"The neighbours at checkpoint {step} are approximate, because there are "
                f"{len(images):,} images: "
                f"{100 * neighbors.recall:.1f} % of the true ones were found in a sample."
            )
        said = {"metric": neighbors.metric, "recall": neighbors.recall}
        return {"neighbors": neighbors.indices, "distances": neighbors.distances}, said

    def _score_outliers(self, step: int, embeddings: NDArray[Any], images: RunImages) -> Results:
        return {"outliers": ood_scores(embeddings, self._stored_neighbors(step))}, {}

    def _maps(self, kind: str, prints: Mapping[int, str], images: RunImages) -> None:
        """The map of every checkpoint and how far it can be trusted, where these are not there
        already."""
        steps = list(prints)
        everything = fingerprint(embeddings=list(prints.values())) if map_kind(kind).of_all else ""
        values = {step: _map_print(kind, prints[step], everything) for step in steps}
        missing = [
            step for step in steps if not self.run.is_current("projections", step, values[step])
        ]
        if missing:
            self._begin_writing()
            mapped = steps if map_kind(kind).of_all else missing
            self._say_how_long(kind, len(images), len(mapped))
            with self._timed("projections", len(images) * len(missing)):
                for step, projection in self._projections(kind, steps, missing):
                    variance = projection.explained_variance
                    facts = {"explained_variance": None if variance is None else list(variance)}
                    self.run.write_arrays(
                        step, values[step], {"projections": projection.points}, facts
                    )
        trusts = {
            step: fingerprint(map=values[step], k=NEAR, method=METHODS["trust"]) for step in steps
        }
        for step in self._told(
            "Trust of the maps",
            [step for step in steps if not self.run.is_current("trust", step, trusts[step])],
        ):
            with self._timed("trust", len(images)):
                points = self.run.read_array("projections", step)
                trust = map_trust(
                    self.run.read_array("embeddings", step), self._stored_neighbors(step), points
                )
                said = {"trustworthiness": trust.trustworthiness, "continuity": trust.continuity}
                self.run.write_arrays(step, trusts[step], {"trust": trust.kept}, said)

    def _projections(
        self, kind: str, steps: Sequence[int], missing: Sequence[int]
    ) -> Iterator[tuple[int, Projection]]:
        read = partial(self.run.read_array, "embeddings")
        if kind == "pca":
            yield from ((step, self._engine.projection(self.run, step)) for step in missing)
            return
        wanted = steps if map_kind(kind).of_all else missing
        with self.progress.stage(
            f"Mapping by {kind}", total=len(wanted), unit="checkpoints"
        ) as advance:
            made = compute_maps(map_kind(kind), read, wanted, advance)
            yield from zip(wanted, made, strict=True)

    def _say_how_long(self, kind: str, images: int, checkpoints: int) -> None:
        seconds = map_kind(kind).estimated_seconds(images, checkpoints)
        if seconds > 0:
            cap, minutes = map_kind(kind).cap or images, max(1, round(seconds / 60))
            sampled = (
                f", on a sample of {cap:,} images, the others placed between them"
                if images > cap
                else ""
            )
            self.progress.note(
                f"--map {kind} takes about {minutes} minute{'s' * (minutes > 1)} on two idle "
                f"cores{sampled}."
            )

    def _judge_held_out(
        self, folds: int, step: int, embeddings: NDArray[Any], images: RunImages
    ) -> Results:
        assert images.labels is not None and images.classes is not None
        with self.progress.stage(
            f"Cross-validating checkpoint {step}", total=folds, unit="folds"
        ) as advance:
            likely = out_of_fold_probabilities(
                embeddings, images.labels, len(images.classes), folds, advance=advance
            )
        return {"heldout": likely}, {}

    def _judge_labels(
        self, held_out: bool, step: int, embeddings: NDArray[Any], images: RunImages
    ) -> Results:
        assert images.labels is not None and images.classes is not None
        likely = self._probabilities(step, images, held_out=held_out)
        if likely is None:
            likely = neighbor_probabilities(
                images.labels, self._stored_neighbors(step).indices, len(images.classes)
            )
        quality = label_quality(images.labels, likely)
        kept = np.empty(len(images), dtype=QUALITY)
        for name in QUALITY.names or ():
            kept[name] = getattr(quality, name)
        return {"quality": kept}, {}

    def _probabilities(
        self, step: int, images: RunImages, *, held_out: bool
    ) -> NDArray[np.float64] | None:
        """A checkpoint's probabilities of the data set's classes, shape (N, C), rows summing to 1;
        None without a head.

        ``held_out`` takes those of the classifiers that were not shown the labels instead.
        """
        if held_out:
            return np.asarray(self.run.read_array("heldout", step), dtype=np.float64)
        facts = self.run.result_facts("embeddings", step)
        assert facts is not None and images.classes is not None
        if "probabilities" not in facts["arrays"]:
            return None
        names = map_classes(
            Head(**facts["head"]) if facts["head"] else None,
            images.classes,
            name=f"Checkpoint {step}",
        )
        assert names is not None
        likely = np.asarray(self.run.read_array("probabilities", step), dtype=np.float64)[
            :, [names.index(name) for name in images.classes]
        ]
        likely = np.maximum(
            likely, np.finfo(np.float64).tiny
        )  # a head that knows other classes may give these nothing at all
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    def _searched_for_copies(self, steps: Sequence[int]) -> set[int]:
        """The checkpoints whose neighbours propose copies: the first and the last; while
        checkpoints keep coming, the first."""
        return {steps[0]} if self.request.piecemeal else {steps[0], steps[-1]}

    def _leaks(
        self, info: RunInfo, steps: Sequence[int], prints: Mapping[int, str], images: RunImages
    ) -> table.Leaks:
        """Which images are in the other split too; that is embedded in a run inside this one."""
        split = str(info.settings.against)
        inside = RunFolder(self.run.path / f"against-{re.sub(r'[^A-Za-z0-9_.-]', '_', split)}")
        found = find_checkpoints(self.run.checkpoint_root(info), None)
        step = next((step for step in reversed(steps) if step in found.steps), None)
        if step is None:
            raise CheckpointError(
                f"--against {split} needs the weights of a checkpoint, and none are there any more."
            )
        value = fingerprint(
            embeddings=prints[step],
            split=split,
            key=images_key(info.dataset),
            method=METHODS["leaks"],
        )
        if not self.run.is_current("leaks", step, value) or read_images(inside) is None:
            self._begin_writing()
            other = self._built_beside(info, inside, split, step)
            with self._timed("leaks", len(images)):
                near = find_leaks(
                    images.hashes,
                    self.run.read_array("embeddings", step),
                    self._pictures(images),
                    (other.hashes, inside.read_array("embeddings", step), self._pictures(other)),
                    device=self.request.device,
                    scratch=self._scratch(),
                )
                rows = np.where(near.place >= 0, other.ids[near.place], -1)
                kept = np.stack([rows, near.kind.astype(np.int64)], axis=1)
                self.run.write_arrays(step, value, {"leaks": kept}, {})
        row, kind = np.array(self.run.read_array("leaks", step)).T
        there = read_images(inside)
        assert there is not None
        place = np.where(row >= 0, np.searchsorted(there.ids, row), -1).tolist()
        code = {name: number for number, name in enumerate(images.classes or [])}
        names = there.label_names or [None] * len(there)
        label = np.array(
            [-1 if at < 0 else code.get(names[at] or "", -1) for at in place], dtype=np.int32
        )
        return table.Leaks(
            row, kind.astype(np.int8), label, [None if at < 0 else there.paths[at] for at in place]
        )

    def _built_beside(self, info: RunInfo, inside: RunFolder, split: str, step: int) -> RunImages:
        """The images of another split, embedded with one checkpoint."""
        reference = {
            **asdict(info.dataset),
            "source": self._resolve(info.dataset.source),
            "split": split,
            "limit": 0,
        }
        settings = {
            name: getattr(info.settings, name) for name in ("pooling", "precision", "processor")
        }
        request = Request(
            dataset={name: value for name, value in reference.items() if value is not None},
            settings={name: value for name, value in settings.items() if value is not None},
            checkpoints=str(self.run.checkpoint_root(info)),
            wanted=[str(step)],
            device=self.request.device,
            batch_size=self.request.batch_size,
            engine=self.request.engine,
            address=self.request.address,
        )
        return build(inside, request, progress=self.progress).images

    def _scratch(self) -> Path:
        """A folder for what is needed for a while and may be large."""
        self.run.cache.mkdir(exist_ok=True)
        return self.run.cache

    def _pictures(self, images: RunImages) -> Callable[[Sequence[int]], Iterator[tuple[int, Any]]]:
        """Reads RGB images by their places, and says how far it is."""

        def pictures(places: Sequence[int]) -> Iterator[tuple[int, Any]]:
            with self.progress.stage(
                "Comparing pictures", total=len(places), unit="images"
            ) as advance:
                for place, data in images.read_some(places):
                    yield place, to_rgb(decode(data))
                    advance(1)

        return pictures

    def _copies(self, step: int, embeddings_print: str, images: RunImages) -> NDArray[np.int64]:
        """Pairs of places of images with the same picture, proposed by one checkpoint."""
        value = fingerprint(embeddings=embeddings_print, k=NEAR, method=METHODS["duplicates"])
        if not self.run.is_current("duplicates", step, value):
            self._begin_writing()
            with self._timed("duplicates", len(images)):
                pairs = near_duplicates(
                    images.hashes,
                    self._stored_neighbors(step),
                    self._pictures(images),
                    scratch=self._scratch(),
                )
                kept = np.concatenate(
                    [np.full((1, 2), -1), pairs]
                )  # never empty, because an empty file cannot be mapped
                self.run.write_arrays(step, value, {"duplicates": kept}, {})
        return np.array(self.run.read_array("duplicates", step)[1:])

    def _motion(self, prints: Mapping[int, str]) -> None:
        """How far each image moved from each checkpoint to the next, and how many of its neighbours
        stayed."""
        before = {step: earlier for earlier, step in itertools.pairwise(prints)}
        values = {
            step: fingerprint(
                before=prints[earlier], embeddings=prints[step], k=NEAR, method=METHODS["motion"]
            )
            for step, earlier in before.items()
        }
        for step in self._told(
            "Movement",
            [step for step in before if not self.run.is_current("motion", step, values[step])],
        ):
            pair = (before[step], step)
            embeddings, neighbors = (
                [self.run.read_array(name, at) for at in pair]
                for name in ("embeddings", "neighbors")
            )
            with self._timed("motion", len(embeddings[0])):
                motion = np.stack([moved(*embeddings), overlap(*neighbors)], axis=1).astype(
                    np.float32
                )
                self.run.write_arrays(step, values[step], {"motion": motion}, {})

    def _stored_neighbors(self, step: int) -> Neighbors:
        facts = self.run.result_facts("neighbors", step)
        assert facts is not None
        return Neighbors(
            np.asarray(self.run.read_array("neighbors", step)),
            np.asarray(self.run.read_array("distances", step)),
            facts["metric"],
        )

    # -- the table

    def _table(
        self, info: RunInfo, images: RunImages, current: Mapping[int, Mapping[str, Any]]
    ) -> table.Manifest:
        """Align all checkpoints and write the table, where anything in it has changed."""
        mapped, classes = self._predictions(images, current)
        align_to = self.request.align_to or info.settings.align_to
        # while checkpoints keep coming, a map of all of them would be made again with each
        kind = (
            "pca"
            if self.request.piecemeal and map_kind(info.settings.map).of_all
            else info.settings.map
        )
        value = fingerprint(
            methods=METHODS,
            columns=[[column.name, column.kind] for column in table.COLUMNS],
            images=[images.digest, images.ids.tolist()],
            labels=_labels_print(images),
            prediction_classes=classes,
            checkpoints=[
                [step, facts["fingerprint"], facts["epoch"], facts["loss"]]
                for step, facts in current.items()
            ],
            align_to=align_to,
            scaling=info.settings.scaling,
            cross_validate=info.settings.cross_validate,
            against=info.settings.against,
            image_quality=info.settings.image_quality,
            map=kind,
        )
        manifest = table.read_manifest(self.run)
        files = (
            []
            if manifest is None
            else [manifest.images, *(facts.file for facts in manifest.checkpoints)]
        )
        whole = all(storage.exists(self.run.table / name) for name in files)
        if manifest is not None and whole and manifest.fingerprint == value:
            return manifest
        self._begin_writing()
        steps = list(current)
        prints = {step: facts["fingerprint"] for step, facts in current.items()}
        self._maps(kind, prints, images)
        self._motion(prints)
        copies = [
            self._copies(step, prints[step], images)
            for step in steps
            if step in self._searched_for_copies(steps)
        ]
        leaks = self._leaks(info, steps, prints, images) if info.settings.against else None
        with self._timed("table", len(current)):
            maps = [self.run.read_array("projections", step) for step in steps]
            fixed = map_kind(kind).shared_basis
            aligned = (
                lay_as_they_are(maps)
                if fixed
                else align(maps, align_to=align_to, scaling=info.settings.scaling)
            )
            trajectories = TrajectoryBuilder(
                np.full(len(images), -1) if images.labels is None else images.labels
            )

            def parts() -> Iterator[table.TablePart]:
                for index, step in enumerate(steps):
                    part = self._part(
                        step,
                        current[step],
                        mapped[step],
                        aligned.points[index],
                        aligned.alignments[index],
                        images,
                    )
                    trajectories.add(
                        self._seen(
                            part,
                            images,
                            first=index == 0,
                            held_out=bool(info.settings.cross_validate),
                        )
                    )
                    yield part

            return table.write(
                self.run,
                images,
                parts(),
                lambda: table.Findings(
                    trajectories.finish(),
                    group_duplicates(images.hashes, np.concatenate(copies)),
                    leaks,
                    np.array(self.run.read_array("image_quality", ONCE))
                    if info.settings.image_quality
                    else None,
                ),
                fingerprint=value,
                align_to=align_to,
                scaling=info.settings.scaling,
                kind=kind,
                prediction_classes=classes,
            )

    def _predictions(
        self, images: RunImages, current: Mapping[int, Mapping[str, Any]]
    ) -> tuple[dict[int, NDArray[np.int32] | None], list[str] | None]:
        """For each checkpoint the class of each of its outputs, as an index into the classes that
        they all share."""
        names: dict[int, list[str] | None] = {}
        classes = list(images.classes or [])
        for step, facts in current.items():
            head = Head(**facts["head"]) if facts["head"] else None
            names[step] = (
                map_classes(head, images.classes, name=f"Checkpoint {step}")
                if "probabilities" in facts["arrays"]
                else None
            )
            classes += [name for name in names[step] or [] if name not in classes]
        index = {name: position for position, name in enumerate(classes)}
        mapped = {
            step: None if own is None else np.array([index[name] for name in own], dtype=np.int32)
            for step, own in names.items()
        }
        return mapped, classes if any(own is not None for own in names.values()) else None

    def _seen(
        self, part: table.TablePart, images: RunImages, *, first: bool, held_out: bool
    ) -> Seen:
        """What the trajectories take of a checkpoint; the first one has moved from nowhere."""
        motion = None if first else self.run.read_array("motion", part.step)
        return Seen(
            step=part.step,
            percentile=part.percentile,
            outlier=part.rank <= worst_count(len(images)),
            neighbors=self.run.read_array("neighbors", part.step),
            moved=None if motion is None else motion[:, 0],
            kept=None if motion is None else motion[:, 1],
            probabilities=None
            if images.labels is None
            else self._probabilities(part.step, images, held_out=held_out),
        )

    def _part(
        self,
        step: int,
        facts: Mapping[str, Any],
        outputs: NDArray[np.int32] | None,
        points: Any,
        fit: Any,
        images: RunImages,
    ) -> table.TablePart:
        scores = np.asarray(self.run.read_array("outliers", step))
        ranking = rank_scores(scores)
        projection = self.run.result_facts("projections", step)
        assert projection is not None
        predictions = confidence = None
        if outputs is not None:
            probabilities = self.run.read_array("probabilities", step)
            best = probabilities.argmax(axis=1)
            predictions, confidence = (
                outputs[best],
                np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0],
            )
            confidence = confidence.clip(0.0, 1.0)
        return table.TablePart(
            step=step,
            epoch=facts["epoch"],
            loss=facts["loss"],
            predictions=predictions,
            confidence=confidence,
            points=points,
            scores=scores,
            rank=ranking.rank,
            percentile=ranking.percentile,
            dimension=facts["dimension"],
            explained_variance=None
            if projection["explained_variance"] is None
            else tuple(projection["explained_variance"]),
            scale=fit.scale,
            disparity=fit.disparity,
            quality=None if images.labels is None else self._stored_quality(step),
            trust=self._stored_trust(step),
        )

    def _stored_quality(self, step: int) -> LabelQuality:
        stored = self.run.read_array("quality", step)
        return LabelQuality(**{name: np.array(stored[name]) for name in QUALITY.names or ()})

    def _stored_trust(self, step: int) -> MapTrust:
        facts = self.run.result_facts("trust", step)
        assert facts is not None
        return MapTrust(
            np.array(self.run.read_array("trust", step)),
            facts["trustworthiness"],
            facts["continuity"],
        )


def _command(run: RunFolder) -> str:
    return f"review-embeddings build --run {run}"


@dataclass(frozen=True)
class EmbeddingKey:
    """Everything that the embeddings of one checkpoint are computed from."""

    weights: str
    config: str
    processor: str
    with_head: bool
    images: str
    pooling: str
    precision: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(**{entry.name: getattr(self, entry.name) for entry in fields(self)})


@dataclass(frozen=True)
class ProcessorSource:
    """Where to load an image processor from, and what tells it from others."""

    candidates: list[str]
    digest: str


def derived_fingerprints(embeddings: str, labels: str | None, folds: int) -> dict[str, str]:
    """Fingerprints of the stages that follow from the embeddings of one checkpoint and the labels,
    in their order."""
    neighbors = fingerprint(
        embeddings=embeddings, k=max(NEIGHBORS, NEAR), method=METHODS["neighbors"]
    )
    return {
        "neighbors": neighbors,
        "outliers": fingerprint(neighbors=neighbors, k=NEIGHBORS, method=METHODS["outliers"]),
        "heldout": fingerprint(
            embeddings=embeddings, labels=labels, folds=folds, method=METHODS["heldout"]
        ),
        "quality": fingerprint(
            neighbors=neighbors, labels=labels, folds=folds, method=METHODS["quality"]
        ),
    }


def _map_print(kind: str, embeddings: str, everything: str) -> str:
    """Fingerprint of the map of a checkpoint; ``everything`` is that of all embeddings, where the
    map depends on them."""
    if kind == "pca":
        return fingerprint(embeddings=embeddings, method=METHODS["projections"])
    return fingerprint(
        embeddings=embeddings, everything=everything, map=kind, method=METHODS["projections"]
    )


def _labels_print(images: RunImages) -> str | None:
    return (
        None
        if images.labels is None
        else fingerprint(labels=images.labels.tolist(), classes=images.classes)
    )


def _processor_file(folder: Path) -> Path | None:
    for name in PROCESSOR_FILES:
        if (folder / name).is_file():
            return folder / name
    config = read_config(str(folder)) if folder.is_dir() else {}
    return folder / "config.json" if is_timm(config) else None


def _without_class_names(content: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an image processor; of timm's config.json only the part that is about
    images."""
    if "pretrained_cfg" in content:
        return {"pretrained_cfg": content["pretrained_cfg"]}
    return {
        name: value
        for name, value in content.items()
        if name not in {"image_processor_type", "feature_extractor_type"}
    }


def _nothing_usable(path: Path, skipped: Iterable[SkippedCheckpoint]) -> str:
    reasons = "; ".join(
        f"{checkpoint.name}: {checkpoint.reason}" for checkpoint in itertools.islice(skipped, 3)
    )
    return f"No checkpoint of {path} can be used. {reasons}"
