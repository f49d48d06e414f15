"""Verifies every stored file of a run against its checksum, says what brings back those that are
damaged, and which embeddings an earlier version made wrong. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.engines.shards import Shards
from review_embeddings.pipeline.errors import DamagedError, ReviewError, RunError, StorageError
from review_embeddings.pipeline.images.pixels import verify_cached
from review_embeddings.pipeline.images.runimages import READ_AGAIN, read_images
from review_embeddings.pipeline.machine import refusal_in, sentence_about
from review_embeddings.pipeline.models.checkpoints import (
    Checkpoint,
    FoundCheckpoints,
    SkippedCheckpoint,
    find_checkpoints,
)
from review_embeddings.pipeline.models.loader import config_fingerprint
from review_embeddings.pipeline.models.weights import stamp_weights
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.checksums import check, forget
from review_embeddings.pipeline.run.commandline import build_command, command_line
from review_embeddings.pipeline.run.files import (
    CHECKSUMS,
    check_files,
    open_array,
    read_json,
    record_errors,
)
from review_embeddings.pipeline.run.folder import ResultHeader, RunFolder
from review_embeddings.pipeline.run.parquets import CheckedParquet
from review_embeddings.pipeline.run.records import record_of
from review_embeddings.pipeline.stages.keys import Models
from review_embeddings.pipeline.stages.regime import CURE as TRAINED_AGAIN
from review_embeddings.pipeline.training.log import changed_rows

COPY = "Nothing here makes it again: bring back a copy"
"""The cure for what only the run folder holds."""


@dataclass(frozen=True)
class Damage:
    """A stored file that is not as it was written."""

    path: Path
    message: str
    """What is wrong and what brings it back, with the path."""


@dataclass
class VerifiedRun:
    """What came of looking at every stored file."""

    checked: int = 0
    """Files that are as they were written."""
    unknown: int = 0
    """Files that an earlier version wrote without a checksum, as far as can be told whole."""
    damaged: list[Damage] = field(default_factory=list)
    unreadable: list[Damage] = field(default_factory=list)
    """Files that the machine refuses to read, which says nothing of what they hold."""


Check = Callable[[], bool]
"""Whether there was a checksum to look at; raises ReviewError for a damaged file."""


def verify(run: RunFolder, progress: Progress = SILENT) -> VerifiedRun:
    """Look at every stored file of a run, whatever was looked at before. Raises RunError where
    there is no run."""
    if not run.run_json.is_file():
        raise RunError(f"{run} is no run that was built: it has no run.json. Name one with --run.")
    forget()
    found = VerifiedRun()
    checks = list(_all_checks(run))
    with progress.stage("Verifying", total=len(checks), unit="files") as advance:
        for path, is_known in checks:
            try:
                known = is_known()
            except StorageError as error:
                found.unreadable.append(Damage(path, str(error)))
            except OSError as error:
                if (refusal := refusal_in(error)) is None:
                    raise
                where = sentence_about(refusal, refusal.path or path, writing=False)
                found.unreadable.append(Damage(path, where))
            except ReviewError as error:
                found.damaged.append(Damage(path, str(error)))
            else:
                found.checked += known
                found.unknown += not known
            advance(1)
    return found


def _all_checks(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    yield from _records(run)
    yield from _images(run)
    yield from _results(run)
    yield from _tables(run)
    yield from _passing(run)
    yield from _weights(run)
    for inner in sorted(run.path.glob("against-*")):
        if RunFolder(inner).run_json.is_file() and not inner.is_symlink():
            yield from _all_checks(RunFolder(inner))


def _records(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    """What the run says of itself, and its log."""
    cures = {
        run.run_json: f"{COPY}; if it was edited and is right, any command that writes it does",
        run.training: COPY,
        run.history: f"Delete it; `{build_command(run)}` reads the trainer's records again",
        run.vectors_reference: f"Delete it; `{command_line('index', '--run', run)}` makes it again",
    }
    for path, cure in cures.items():
        if path.is_file():
            yield path, _json_check(path, f"{cure}.")
    if run.log.is_file():
        yield run.log, partial(_check_log, run.log)


def _json_check(path: Path, cure: str) -> Check:
    def is_known() -> bool:
        return "checksum" in read_json(path, cure=cure, keep_checksum=True)

    return is_known


def _check_log(path: Path) -> bool:
    rows, changed = changed_rows(path)
    if changed:
        raise DamagedError(path, f"{len(changed)} of its rows were changed. {COPY}.")
    return rows > 0


def _images(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    def is_known() -> bool:
        with CheckedParquet(storage.fetched(run.images), READ_AGAIN) as file:
            if known := file.verify():
                return known
        images = read_images(run)
        if images is not None and images.column is None:
            for number, data in images.read_some(range(len(images))):
                if hashlib.sha256(data).hexdigest() != images.hashes[number]:
                    raise DamagedError(
                        run.images, f"image {images.ids[number]} is another one. {READ_AGAIN}"
                    )
        return False

    if storage.exists(run.images):
        yield run.images, is_known
    if storage.exists(run.trained_images):
        yield run.trained_images, partial(_check_parquet, run.trained_images, TRAINED_AGAIN)


def _check_parquet(path: Path, cure: str) -> bool:
    with CheckedParquet(storage.fetched(path), cure) as file:
        return file.verify()


def _results(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    """The arrays of all stages, and what lies beside them."""
    for marker in sorted(run.path.glob("*/[0-9]*.json")):
        if marker.stem.isdecimal():
            yield marker, _result_check(run, marker, _cure_of(run, marker))


def _cure_of(run: RunFolder, marker: Path) -> str:
    """Of a stage's result."""
    if marker.parent.name != "embeddings":
        return f"Delete {marker}; `{build_command(run)}` computes it again."
    return (
        f"Delete {marker}; `{build_command(run)}` embeds it again where the weights of checkpoint "
        f"{int(marker.stem)} are still there. Else bring back a copy."
    )


def _result_check(run: RunFolder, marker: Path, cure: str) -> Check:
    def is_known() -> bool:
        content = read_json(marker, cure=cure, keep_checksum=True)
        with record_errors(marker, cure=cure):
            header = record_of(ResultHeader, content)
        for name, size in header.arrays.items():
            path = run.array(name, int(marker.stem))
            if storage.size_of(path) != size:
                raise DamagedError(path, f"it has not the {size:,} bytes that it had. {cure}")
            check(storage.fetched(path), header.checksums.get(name), cure)
            open_array(path, cure)
        return bool(header.checksums)

    return is_known


def _tables(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    cure = f"Delete {run.table}; `{build_command(run)}` writes it again."
    if not run.table_manifest.is_file():
        return
    yield run.table_manifest, _json_check(run.table_manifest, cure)
    try:
        manifest = table.read_manifest(run)
    except RunError:  # told of the manifest
        return
    if manifest is None:
        yield run.table_manifest, partial(_refuse_table, run, cure)
        return
    for name in manifest.files:
        yield run.table / name, _part_check(run, name, manifest.checksums, cure)


def _refuse_table(run: RunFolder, cure: str) -> bool:
    raise DamagedError(run.table_manifest, f"it is none of this version. {cure}")


def _part_check(run: RunFolder, name: str, checksums: Mapping[str, str], cure: str) -> Check:
    def is_known() -> bool:
        path = storage.fetched(run.table / name)
        check(path, checksums.get(name), cure)
        with CheckedParquet(path, cure) as file:
            file.read()
        return name in checksums

    return is_known


def _passing(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    """What is made anew where it is gone: preprocessed images, parts of results."""
    for marker in sorted(run.cache.glob("pixels-*.json")):
        yield marker, partial(verify_cached, marker)
    for sums in sorted(run.resume.glob(f"*/{CHECKSUMS}")):
        yield sums.parent, partial(_check_state, run, sums.parent)
    for marker in sorted(run.shards.glob("*/*.json")):
        shards = Shards(run.reference, marker.parent.name)
        yield marker, partial(shards.verify, int(marker.stem))


def _check_state(run: RunFolder, folder: Path) -> bool:
    check_files(folder, f"Delete {run.resume}; the same finetune trains from the start.")
    return True


def _weights(run: RunFolder) -> Iterator[tuple[Path, Check]]:
    """Weights that were embedded: whether they are still those."""
    try:
        info = run.read_info()
        if info is None or info.recorded:
            return
        found = find_checkpoints(run.checkpoint_root(info))
        for skipped in found.skipped:
            yield (
                run.checkpoint_root(info) / skipped.name,
                partial(_refuse, run.checkpoint_root(info) / skipped.name, skipped),
            )
        for checkpoint in found.usable:
            stored = run.result_metadata("embeddings", checkpoint.step) or {}
            if not checkpoint.is_base and isinstance(stored.get("key"), dict):
                yield Path(checkpoint.source), _weights_check(checkpoint, stored["key"])
    except ReviewError:  # of a file that was named, or a base model that build names
        return


def _refuse(path: Path, skipped: SkippedCheckpoint) -> bool:
    """Raise RunError, or PermissionError where it is not known what the files hold."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            file.open("rb").close()
    reason = skipped.reason.removesuffix(".")
    raise RunError(f"{skipped.name} is left out: {reason}. Bring back a copy.")


def _weights_check(checkpoint: Checkpoint, key: Mapping[str, Any]) -> Check:
    def is_known() -> bool:
        stamp = stamp_weights(checkpoint.source, base=checkpoint.adapts)
        config = config_fingerprint(checkpoint.source, checkpoint.adapts)
        for name, value in (("weights", stamp.sha256), ("config", config)):
            if value != key.get(name):
                raise RunError(
                    f"{checkpoint.source} has another {name} than was embedded: it was changed, or "
                    f"is damaged. Bring back a copy; a build embeds what is there now."
                )
        return True

    return is_known


# -- embeddings that an earlier version made wrong


def known_faults(run: RunFolder) -> dict[str, list[int]]:
    """What is wrong with the embeddings that a run's table is made of, and the steps of the
    checkpoints: what the table says itself, and what shows by the configurations that are there."""
    manifest, info = table.read_manifest(run), run.read_info()
    if manifest is None or info is None:
        return {}
    models = Models(run, info, FoundCheckpoints([], []))
    found: dict[str, list[int]] = {}
    for one in manifest.checkpoints:
        stored = [fault.reason for fault in models.stored_faults(one.step)]
        for reason in dict.fromkeys([*one.faults, *stored]):
            found.setdefault(reason, []).append(one.step)
    return found


def faults_in_words(run: RunFolder) -> list[str]:
    """The same as a sentence each."""
    return [
        f"Checkpoint {', '.join(map(str, steps))}: wrong embeddings of an earlier version, and all "
        f"that follows from them: {reason}. `{build_command(run)}` makes them anew "
        "where the weights are still there."
        for reason, steps in known_faults(run).items()
    ]
