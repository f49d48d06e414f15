"""Owns ``precision.json``: what half precision was found to do to the images of a run, on which
`AUTO` relies. Compares nothing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.run.files import read_record, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import FORMAT

PROOF_FORMAT = 1
"""Raised when an older version could no longer read ``precision.json``."""


@dataclass(frozen=True)
class ProofSubject:
    """What a proof is about: it says nothing of others."""

    config: str
    """Fingerprint of the model's configuration."""
    pooling: str
    device: str
    """Model of the GPU or of the processor."""


@dataclass(frozen=True)
class ProvenCheckpoint:
    """A checkpoint in half precision beside float32, on a sample of images."""

    step: int
    correlation: float
    """Of the ranks of the OOD scores (Spearman), in [-1, 1]."""
    worst: float
    """Share of the most atypical 5 % that are the same."""
    neighbors: float
    """Share of the ten nearest images that are the same."""
    labels: float | None
    """Share of the 50 labels most likely wrong that are the same; None without labels or head."""
    distance: float
    """Median distance of the ten nearest in float32: near 0 where a class lies on one point."""


@dataclass(frozen=True)
class PrecisionProof:
    """The contents of ``precision.json``."""

    about: ProofSubject
    tried: str
    """Half precision."""
    taken: str
    """That, or fp32."""
    reason: str
    """Why it is not the half, in words; empty where it is."""
    images: int
    """In the sample."""
    speed: float
    """Times as fast as float32."""
    seconds: float
    """That the proof took."""
    checkpoints: list[ProvenCheckpoint] = field(default_factory=list)


def read_proof(run: RunFolder) -> PrecisionProof | None:
    """The one of a run; None where there is none, or none that this version can read: what is
    stored says itself in which precision it is."""
    if not run.precision.is_file():
        return None
    try:
        return read_record(run.precision, PrecisionProof, known_format=PROOF_FORMAT, shared=True)
    except RunError:
        return None


def write_proof(run: RunFolder, proof: PrecisionProof) -> None:
    """Keep it, whole."""
    write_json(run.precision, {FORMAT: PROOF_FORMAT, **asdict(proof)})
