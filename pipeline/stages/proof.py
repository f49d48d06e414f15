"""Decides between float32 and half precision by looking: a sample of the run's images is embedded
in both, at the first and the last checkpoint, before the first embedding counts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.agreement import Encoded, PrecisionAgreement, agreement
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.images.pixels import PixelCache, Pixels
from review_embeddings.pipeline.models.classnames import map_classes
from review_embeddings.pipeline.models.device import fast_half
from review_embeddings.pipeline.models.encode import (
    EncodedBatch,
    NotFiniteError,
    encode_all,
)
from review_embeddings.pipeline.models.encoder import Encoder
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.proof import (
    PrecisionProof,
    ProofSubject,
    ProvenCheckpoint,
    read_proof,
    write_proof,
)
from review_embeddings.pipeline.settings import AUTO
from review_embeddings.pipeline.stages.images import pixels_of
from review_embeddings.pipeline.stages.registry import pixels_key
from review_embeddings.pipeline.stages.session import BuildSession
from review_embeddings.pipeline.stages.stage import ONCE, Job, Stage
from review_embeddings.pipeline.stages.state import RunState

EXACT = "fp32"

SAMPLE = 2000
"""Images that are looked at: those with the lowest hashes."""

WORTH = 8
"""Times the work of a proof that a run has to be, so that the slowest half precision that is taken
pays for it."""

MIN_SPEED = 1.3
"""Times as fast as float32 that half precision has to be."""

CHUNK = 256
"""Images that are timed at once, in one precision after the other."""

PROOF = Stage(
    name="precision",
    version=1,
    compute=agreement,
    scope="images",
    title="Comparing half precision with fp32",
    about="whether half precision leaves outliers, neighbours and suspected labels as they are",
)
"""Not stored as other results are: it decides in which arithmetic these are computed."""


@dataclass(frozen=True)
class Limit:
    """What an `PrecisionAgreement` has to reach at least."""

    field: str
    least: float
    title: str


LIMITS = (
    Limit("correlation", 0.9995, "rank correlation of the outlier scores"),
    Limit("worst", 0.97, "share of the most atypical 5 % that stay"),
    Limit("neighbors", 0.98, "share of the ten nearest images that stay"),
    Limit("labels", 48 / 50, "share of the first 50 suspected labels that stay"),
)


@dataclass(frozen=True)
class DueProof:
    """A proof that is to be made."""

    half: str
    steps: list[int]
    rows: NDArray[np.int64]
    """Positions of the sample, ascending."""
    seconds: float | None = None
    """About how long it takes; None where this model was not timed on this device."""

    @property
    def job(self) -> Job:
        """For people who ask what a build would do."""
        timed = "" if self.seconds else "; how long it takes is not known here"
        return Job(PROOF, ONCE, None, f"not proven yet{timed}", self.seconds)


def due_proof(session: BuildSession, state: RunState, wanted: Sequence[int]) -> DueProof | None:
    """The proof that comes before the embeddings of the ``wanted`` steps; None where nothing is to
    be decided, or float32 costs less than to find out."""
    request, models = session.request, state.models
    steps = [step for step in wanted if step in models.found.steps]
    is_free = state.settings.precision == AUTO and not state.info.recorded
    if request.piecemeal or request.only_read or not is_free or not steps:
        return None
    if session.run.steps_with("embeddings"):
        return None
    ends = list(dict.fromkeys([steps[0], steps[-1]]))
    sample = min(SAMPLE, len(state.images))
    if len(steps) * len(state.images) < WORTH * len(ends) * sample:
        return None
    half = fast_half(request.device)
    known, subject = read_proof(session.run), models.proof_subject
    if half is None or (known is not None and known.about == subject):
        return None
    hashes = np.array(state.images.hashes)
    rows = np.sort(np.argsort(hashes, kind="stable")[:sample])
    pace = seconds_an_image(session.run, subject)
    return DueProof(half, ends, rows, None if pace is None else pace * len(rows) * len(ends))


def seconds_an_image(run: RunFolder, subject: ProofSubject) -> float | None:
    """How long it took to look at an image with the same model on the same device, in the run or in
    one beside it; None where that was not done. The pooling makes no difference."""
    beside = sorted(run.path.absolute().parent.glob(f"*/{run.precision.name}"))
    for folder in (run, *(RunFolder(file.parent) for file in beside)):
        proof = read_proof(folder)
        if proof is None or replace(proof.about, pooling=subject.pooling) != subject:
            continue
        if (looked := proof.images * len(proof.checkpoints)) and proof.seconds > 0:
            return proof.seconds / looked
    return None


class _ExactNotFiniteError(Exception):
    """float32 itself gives values that are not finite, so that nothing can be compared."""


def prove(session: BuildSession, state: RunState, wanted: Sequence[int]) -> None:
    """Make the proof that is due, and keep it; of a checkpoint whose values in float32 are not
    finite there is none. Raises ReviewError."""
    due = due_proof(session, state, wanted)
    if due is None:
        return
    session.begin_embedding()
    for step in due.steps:
        source = state.models.processor_of(state.models.found.by_step(step))
        pixels_of(session, source, state.images)
    started, total = time.perf_counter(), len(due.rows) * len(due.steps)
    found: dict[int, PrecisionAgreement] = {}
    speeds, reason = list[float](), ""
    with (
        session.timed(PROOF.name, total),
        session.progress.stage(PROOF.title, total=total, unit="images") as advance,
    ):
        try:
            for step in due.steps:
                found[step], speed = _look(session, state, due, step, advance)
                speeds.append(speed)
                if reason := reason_against(found[step], speed):
                    break
        except NotFiniteError:
            reason = "it cannot hold the values of the model"
        except _ExactNotFiniteError as error:
            session.progress.note(f"Precision: fp32, not compared with {due.half}: {error}")
            return
    proof = PrecisionProof(
        about=state.models.proof_subject,
        tried=due.half,
        taken=EXACT if reason else due.half,
        reason=reason,
        images=len(due.rows),
        speed=min(speeds, default=0.0),
        seconds=time.perf_counter() - started,
        checkpoints=[ProvenCheckpoint(step, **asdict(one)) for step, one in found.items()],
    )
    write_proof(session.run, proof)
    session.progress.note(f"Precision: {proof_text(proof)}")


def reason_against(found: PrecisionAgreement, speed: float) -> str:
    """Why half precision is not taken, in words; empty where it is."""
    for limit in LIMITS:
        value = getattr(found, limit.field)
        if value is not None and not value >= limit.least:
            return f"{limit.title} {value:.4f}, at least {limit.least:g} is needed"
    if not speed >= MIN_SPEED:
        return f"{speed:.2f} times as fast, at least {MIN_SPEED} is needed"
    return ""


def proof_text(proof: PrecisionProof) -> str:
    """What was found, in a line."""
    steps = " and ".join(str(one.step) for one in proof.checkpoints)
    where = f" at checkpoint {steps}" if steps else ""
    looked = f"{proof.images:,} images{where}, in {proof.seconds:.0f} s"
    if proof.reason:
        return f"fp32, not {proof.tried}: {proof.reason} ({looked})"
    least = [
        f"{limit.title} {min(values):.4f}" for limit in LIMITS if (values := _values(proof, limit))
    ]
    return f"{proof.taken}, {proof.speed:.1f} times as fast as fp32: {', '.join(least)} ({looked})"


def _values(proof: PrecisionProof, limit: Limit) -> list[float]:
    found = (getattr(one, limit.field) for one in proof.checkpoints)
    return [value for value in found if value is not None]


def _look(
    session: BuildSession, state: RunState, due: DueProof, step: int, advance: Advance
) -> tuple[PrecisionAgreement, float]:
    """A checkpoint in both precisions, and how many times as fast the half is."""
    key, checkpoint = state.key(step), state.models.found.by_step(step)
    assert key is not None
    cache = PixelCache(session.run, None, key.processor)
    pixels = cache.open(pixels_key(state.images.digest))
    assert pixels is not None
    with ExitStack() as stack:
        encoders = {}
        for precision in (EXACT, due.half):
            loader = EncoderLoader(session.request.device)
            stack.callback(loader.close)
            encoders[precision] = loader.encoder(
                checkpoint, pooling=key.pooling, precision=precision, with_head=key.with_head
            )
        timed = _Timed(
            encoders, key.probabilities, session.request.batch_size, f"Checkpoint {step}"
        )
        for start in range(0, len(due.rows), CHUNK):
            timed.add(_some(pixels, due.rows[start : start + CHUNK]))
            advance(min(CHUNK, len(due.rows) - start))
    state.forget_key(step)
    columns = _class_columns(state, step)
    exact, half = (timed.encoded(one, columns) for one in (EXACT, due.half))
    labels = state.images.labels
    common = agreement(exact, half, None if labels is None else labels[due.rows])
    return common, timed.speed(EXACT, due.half)


def _some(pixels: Pixels, rows: NDArray[np.int64]) -> Pixels:
    parts = [pixels.array[row : row + 1] for row in rows.tolist()]
    return Pixels(np.concatenate(parts), pixels.normalisation)


def _class_columns(state: RunState, step: int) -> list[int] | None:
    """Which outputs of a checkpoint's head are the data set's classes, in their order; None where
    it does not judge labels."""
    head, images = state.models.head(state.models.found.by_step(step), state.images), state.images
    if head is None or images.classes is None or not head.is_of_one_label or head.count == 1:
        return None
    names = map_classes(head, images.classes, name=f"Checkpoint {step}", former=images.former)
    return None if names is None else [names.index(name) for name in images.classes]


class _Timed:
    """The same images through several encoders in turn."""

    def __init__(
        self, encoders: Mapping[str, Encoder], kind: str | None, batch_size: int | None, name: str
    ) -> None:
        self._encoders, self._kind, self._size, self._name = encoders, kind, batch_size, name
        self._seconds: dict[str, list[float]] = {one: [] for one in encoders}
        self._batches: dict[str, list[EncodedBatch]] = {one: [] for one in encoders}

    def add(self, pixels: Pixels) -> None:
        """Encode some images with each."""
        for precision, encoder in self._encoders.items():
            started = time.perf_counter()
            batches = self._encode(precision, encoder, pixels)
            self._batches[precision] += batches
            self._seconds[precision].append(time.perf_counter() - started)

    def _encode(self, precision: str, encoder: Encoder, pixels: Pixels) -> list[EncodedBatch]:
        try:
            batches = encode_all(
                encoder, pixels, batch_size=self._size, name=self._name, kind=self._kind
            )
            return list(batches)
        except NotFiniteError as error:
            if precision == EXACT:
                message = f"{self._name} gives values that are not finite"
                raise _ExactNotFiniteError(message) from error
            raise

    def encoded(self, precision: str, columns: Sequence[int] | None) -> Encoded:
        """All of them in one precision."""
        batches = self._batches[precision]
        outputs = [one.probabilities for one in batches if one.probabilities is not None]
        shares = None
        if columns is not None and outputs:
            made = ClassProbabilities.of_outputs(np.concatenate(outputs), columns, one_label=True)
            shares = made.shares
        return Encoded(np.concatenate([one.embeddings for one in batches]), shares)

    def speed(self, slow: str, fast: str) -> float:
        """Times as fast, the median over the images that came together; the first do not count,
        with which a model is checked."""
        pairs = list(zip(self._seconds[slow], self._seconds[fast], strict=True))
        return median(one / other for one, other in pairs[1:] or pairs)
