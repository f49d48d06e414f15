"""Opens what a proof is about: the splits as the run was trained on them, the decisions, and what
was begun already. Trains nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from review_embeddings.pipeline.errors import DatasetError, SettingsError
from review_embeddings.pipeline.images.dataset import RULES, split_names
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.regime import read_trained_images
from review_embeddings.pipeline.training.data import Splits, open_splits
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.trained import TrainList, read_train_list
from review_embeddings.review.exchange.changes import CHANGING, CLEANED
from review_embeddings.review.exchange.targets import check_folder
from review_embeddings.review.improving.arms import arm_settings, check_split
from review_embeddings.review.improving.decided import read_decided
from review_embeddings.review.improving.folder import (
    AFTER,
    BEFORE,
    CORRECTED,
    EVALUATION,
    LISTS,
    LOCK,
    NEW_OUT,
    WITHOUT,
    ProofFolder,
    ProofRecord,
)
from review_embeddings.review.improving.request import ImproveRequest
from review_embeddings.review.improving.selection import (
    KINDS,
    ChangedImages,
    Decided,
    listed_images,
    select,
)
from review_embeddings.review.improving.texts import no_training_image

OWN = {LISTS, ProofFolder(Path()).changes.name, LOCK}
"""What a folder holds whose proof was killed before anything was known of it."""


@dataclass(frozen=True)
class OpenedProof:
    """What a proof is about."""

    settings: FineTuning
    """Of every training, but for seed and list."""
    record: ProofRecord
    is_new: bool
    """Whether nothing was begun yet."""
    selection: ChangedImages
    """What the decisions of now change; those of then where it is not new are in `lists`."""
    lists: dict[str, TrainList]
    evaluation: TrainList
    classes: list[str]
    """Of the training split before the decisions."""


def open_proof(
    run: RunFolder,
    request: ImproveRequest,
    stored: FineTuning,
    folder: ProofFolder,
    progress: Progress,
) -> OpenedProof:
    """Read the data set and the decisions, and compare them with what was begun. Raises
    ReviewError; SettingsError where no decision is about a training image."""
    splits, eval_split = _open(stored, request)
    settings = replace(arm_settings(stored, eval_split, request.device), limit=None)
    whole, evaluation = _listed(run, stored, splits, progress)
    decided = _decided(run, request, splits, progress)
    selection = select(stored.train_split, _sample(whole, request.limit, stored.seed), decided)
    lists = _lists(selection, select(eval_split, evaluation, decided).applied())
    record = _record(run, settings, request, selection, evaluation, decided, lists, len(whole))
    begun = folder.read()
    if begun is not None:
        record = _continued(folder, begun, record, request, progress)
        names = [name for name in record.digests if name != EVALUATION]
        lists = {name: read_train_list(folder.list(name)) for name in names}
    elif not selection.changes:
        raise SettingsError(no_training_image(run, record, len(decided.decisions)))
    check_baseline(record)
    return OpenedProof(
        settings, record, begun is None, selection, lists, evaluation, splits.classes
    )


def check_out(run: RunFolder, folder: ProofFolder) -> None:
    """Raise SettingsError where the folder holds anything else than a proof about this run."""
    record = folder.read()
    if record is None:
        others = list(folder.path.iterdir()) if folder.path.is_dir() else []
        if not others or not {one.name for one in others} <= OWN:
            check_folder(run, folder.path)
    elif Path(record.run) != run.path.resolve():
        raise SettingsError(f"--out {folder.path} is about another run, {record.run}. {NEW_OUT}.")


# -- the data


def _open(stored: FineTuning, request: ImproveRequest) -> tuple[Splits, str]:
    """The splits as the run has them, and the name of the evaluation split."""
    asked = replace(stored, arguments={}, reading=RULES)
    if request.eval_split is not None:
        check_split(request.eval_split, stored, CLEANED)
        asked = replace(asked, eval_split=request.eval_split)
    splits = open_splits(asked, SILENT)
    return splits, check_split(splits.eval_split, stored, CLEANED)


def _listed(
    run: RunFolder, stored: FineTuning, splits: Splits, progress: Progress
) -> tuple[TrainList, TrainList]:
    """The images that the run was trained on, and those of its evaluation split. Raises
    DatasetError where the training split has others now."""
    names = [splits.classes[label] for label in splits.labels.tolist()]
    title = f"Hashing split {stored.train_split}"
    before = listed_images(splits.train, splits.rows, names, title, progress)
    trained = read_trained_images(run)
    found = {one for one in before.hashes if one is not None}
    if trained is not None and trained != found:
        raise DatasetError(
            f"Split {stored.train_split!r} of {stored.dataset} is not what {run} was trained on: "
            f"{len(trained - found):,} images of then are missing and {len(found - trained):,} are "
            f"new. Bring the old one back."
        )
    opened = splits.evaluation
    assert opened is not None and opened.labels is not None and opened.classes is not None
    rows = np.arange(len(opened.rows), dtype=np.int64)
    labels = [opened.classes[one] if one >= 0 else "" for one in opened.labels.tolist()]
    title = f"Hashing split {splits.eval_split}"
    return before, listed_images(opened, rows, labels, title, progress)


def _decided(
    run: RunFolder, request: ImproveRequest, splits: Splits, progress: Progress
) -> Decided:
    return read_decided(
        run,
        run.read_info(),
        request.decisions,
        split_names(splits.train.reference),
        splits.classes,
        progress,
        skip_unreadable=request.skip_unreadable,
        disputed=request.disputed,
    )


def _sample(listed: TrainList, limit: int | None, seed: int) -> TrainList:
    """A sample of the images that is balanced over their classes."""
    _, numbers = np.unique(np.array(listed.labels), return_inverse=True)
    chosen = balanced_sample(numbers.astype(np.int32), len(listed), limit, seed)
    positions = chosen.tolist()
    return TrainList(
        listed.rows[chosen],
        [listed.hashes[one] for one in positions],
        [listed.labels[one] for one in positions],
    )


def _lists(selection: ChangedImages, corrected: TrainList) -> dict[str, TrainList]:
    """The list of each way of training, and the corrected evaluation split."""
    kinds = selection.kinds
    without = {WITHOUT + kind: selection.applied(without=kind) for kind in kinds}
    ways = {BEFORE: selection.listed, AFTER: selection.applied(), CORRECTED: corrected}
    return {**ways, **(without if len(kinds) > 1 else {})}


# -- what was begun


def _record(
    run: RunFolder,
    settings: FineTuning,
    request: ImproveRequest,
    selection: ChangedImages,
    evaluation: TrainList,
    decided: Decided,
    lists: dict[str, TrainList],
    whole: int,
) -> ProofRecord:
    """What is compared, were it begun now."""
    asked = {one.image_hash for one in decided.decisions.values() if one.decision in CHANGING}
    trained, tested = set(selection.listed.hashes), set(evaluation.hashes) - {None}
    return ProofRecord(
        run=str(run.path.resolve()),
        request=settings,
        train_split=settings.train_split,
        eval_split=str(settings.eval_split),
        decisions=decided.source,
        decisions_as_of=decided.taken,
        images=len(selection.listed),
        evaluated=len(evaluation),
        digests={
            **{name: listed.digest for name, listed in lists.items()},
            EVALUATION: evaluation.digest,
        },
        counts={kind: selection.count(kind) for kind in KINDS},
        about_evaluation=len(asked & tested - trained),
        elsewhere=len(asked - tested - trained),
        limit=None if len(selection.listed) == whole else request.limit,
        of_images=whole,
        leaked=len(tested & trained),
        baseline=None if request.baseline is None else str(request.baseline.resolve()),
    )


def _continued(
    folder: ProofFolder,
    begun: ProofRecord,
    now: ProofRecord,
    request: ImproveRequest,
    progress: Progress,
) -> ProofRecord:
    """What was begun, where it can go on. Raises SettingsError where it is about something else
    than what is asked for now."""
    if begun.digests[EVALUATION] != now.digests[EVALUATION] or begun.eval_split != now.eval_split:
        raise SettingsError(
            f"The evaluation split {now.eval_split!r} is not the one that the first models of "
            f"{folder.path} are compared on: its images or labels were changed since. A better "
            f"accuracy on a changed test set is no proof of better training data. Bring the old "
            f"one back, or {NEW_OUT[0].lower()}{NEW_OUT[1:]}."
        )
    for name, option in (("limit", "--limit"), ("baseline", "--baseline")):
        if getattr(begun, name) != getattr(now, name):
            raise SettingsError(
                f"{folder.path} was begun with another {option}: {getattr(begun, name)}, not "
                f"{getattr(now, name)}. {NEW_OUT}."
            )
    if replace(begun.request, device=None) != replace(now.request, device=None):
        raise SettingsError(
            f"{folder.path} was begun when {begun.run} was trained with other settings. {NEW_OUT}."
        )
    if begun.digests[BEFORE] != now.digests[BEFORE]:
        raise SettingsError(
            f"Split {now.train_split!r} has other labels than when {folder.path} was begun. "
            f"{NEW_OUT}."
        )
    if begun.digests[AFTER] != now.digests[AFTER]:
        if request.decisions is not None:
            raise SettingsError(
                f"{folder.path} was begun with other decisions, as of {begun.decisions_as_of}. "
                f"{NEW_OUT}."
            )
        progress.note(
            f"Going on with the decisions as of {begun.decisions_as_of}; for those of now name a "
            f"new folder with --out"
        )
    return begun


def check_baseline(record: ProofRecord) -> None:
    """Raise SettingsError where the trainings before the decisions of another proof are not those
    that this one needs."""
    if record.baseline is None:
        return
    other = ProofFolder(Path(record.baseline)).read()
    if other is None:
        raise SettingsError(
            f"--baseline {record.baseline} holds no improve.json. Name the --out of an earlier "
            f"`{command_line('improve')}`."
        )
    same = all(other.digests.get(name) == record.digests[name] for name in (BEFORE, EVALUATION))
    if not same or replace(other.request, device=None) != replace(record.request, device=None):
        raise SettingsError(
            f"--baseline {record.baseline} has other training images, settings or evaluation "
            f"images. Leave it out: the trainings before the decisions are made again."
        )
    if other.baseline is not None:
        raise SettingsError(
            f"--baseline {record.baseline} has its own trainings from {other.baseline}. Name that."
        )
