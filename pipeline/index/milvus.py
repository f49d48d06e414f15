"""Keeps the embeddings of a run in a vector database (Milvus) and finds the most similar images in
it.

One collection a run, a partition a checkpoint. A partition's name holds a fingerprint of what its
rows were made from, and rows are put in in the order of the images: what is there tells what is
missing, whoever looks. Without a server the collection is a file in the run folder (Milvus Lite).
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import (
    BusyError,
    ReviewError,
    SettingsError,
    StorageError,
    VectorsError,
    reason_of,
)
from review_embeddings.pipeline.index.reported import reported_errors
from review_embeddings.pipeline.machine import FULL, READ_ONLY, UNAVAILABLE, raise_unavailable
from review_embeddings.pipeline.network import listens
from review_embeddings.pipeline.progress import Advance, Progress
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.files import read_record, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import check_no_link
from review_embeddings.pipeline.run.records import as_json, unknown_keys

REFUSED_FILES = FULL | READ_ONLY | UNAVAILABLE
"""What the machine says of a file that another process has not taken."""

BATCH = 1000
"""Images a message to the database: under 4 MB for 1,000 dimensions."""

EXACT_UP_TO = 100_000
"""Images a checkpoint up to which a new collection compares with all of them; above it, it has an
HNSW graph."""

CONNECT_SECONDS = 10.0
"""How long a server may take to answer at first."""

MAX_LABEL_BYTES = 1024
"""Bytes that a label may have in a collection."""

CANNOT_CONNECT = 2
"""Code of pymilvus' error where it cannot connect."""

PARTITION = re.compile(r"step_(\d+)_([0-9a-f]+)")


@dataclass(frozen=True)
class IndexRows:
    """What a collection holds of one checkpoint, one entry an image."""

    ids: NDArray[np.int64]
    hashes: Sequence[str]
    labels: Sequence[str | None]
    scores: NDArray[np.floating]
    """OOD scores, in [0, 1]; lower is more atypical."""
    vectors: NDArray[np.floating]
    """Shape (N, D)."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Condition:
    """Which images may be among the results."""

    label: str | None = None
    score: tuple[float | None, float | None] = (None, None)
    """OOD score from and up to; None for no bound."""
    among: Sequence[int] | None = None
    """Only these image ids."""
    without: Sequence[int] = ()
    """None of these image ids."""

    @property
    def expression(self) -> str:
        """The condition in Milvus' own words."""
        low, high = self.score
        parts = [
            "" if self.label is None else f"label == {json.dumps(self.label, ensure_ascii=False)}",
            "" if low is None else f"ood_score >= {low:.9g}",
            "" if high is None else f"ood_score <= {high:.9g}",
            "" if self.among is None else f"image_id in {[int(one) for one in self.among]}",
            f"image_id not in {[int(one) for one in self.without]}" if len(self.without) else "",
        ]
        return " and ".join(filter(None, parts))


@dataclass(frozen=True)
class Hit:
    """One image that was found."""

    image_id: int
    similarity: float
    """Cosine of the angle between the embeddings, in [-1, 1]; higher is more similar."""
    ood_score: float
    label: str | None


@dataclass(frozen=True)
class Reference:
    """Which collection of which database a run is indexed in."""

    uri: str | None
    """Address of a server; None for the file in the run folder."""
    collection: str
    unknown: Mapping[str, Any] = unknown_keys()
    """What a newer version keeps in the run folder beside this."""

    @property
    def description(self) -> str:
        """For people."""
        return f"collection {self.collection} of {self.uri or 'the run folder'}"


def resolve(run: RunFolder, uri: str | None, collection: str | None) -> Reference:
    """The collection of the options, else the one that the run remembers, else a file in the run
    folder.

    Raises SettingsError for an address that has a secret in it or is none of a Milvus server, and
    for a name that Milvus does not take.
    """
    known = _remembered(run)
    _check_names(uri, collection)
    if known is not None:
        _check_names(known.uri, known.collection or None)
    if uri is None:
        default = Reference(None, "images") if known is None else known
        return replace(default, collection=collection or default.collection or "images")
    if collection is None and known is not None and known.uri == uri:
        collection = known.collection
    name = re.sub(r"[^A-Za-z0-9_]", "_", run.path.resolve().name)
    return Reference(uri, collection or f"review_{name}_{secrets.token_hex(3)}")


def _check_names(uri: str | None, collection: str | None) -> None:
    if collection is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", collection):
        raise SettingsError(
            f"--collection {collection!r} is no name for a collection. Use letters, digits and _, "
            f"no digit first."
        )
    if uri is None:
        return
    if not re.match(r"(https?|tcp|unix)://", uri):
        raise SettingsError(
            f"--uri {uri} is no address of a Milvus server. Use http://HOST:19530, or leave it out "
            f"for a file in the run."
        )
    if "@" in uri.split("://", 1)[1].split("/", 1)[0]:
        raise SettingsError(
            "--uri has a name or password in it. Put user:password into an environment variable "
            "and name it: --token-env VAR"
        )


class VectorIndex:
    """An open collection."""

    def __init__(self, client: Any, reference: Reference, run: RunFolder) -> None:
        self._client, self.reference, self._run = client, reference, run

    @property
    def exists(self) -> bool:
        """Whether there is a collection yet."""
        with self._errors():
            return bool(self._client.has_collection(self.reference.collection))

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        with self._errors():
            fields = self._client.describe_collection(self.reference.collection)["fields"]
        return int(next(field["params"]["dim"] for field in fields if field["name"] == "embedding"))

    def checkpoints(self) -> dict[int, str]:
        """Step and fingerprint of every checkpoint that has been begun; empty where there is no
        collection."""
        if not self.exists:
            return {}
        with self._errors():
            names = self._client.list_partitions(self.reference.collection)
        found = (PARTITION.fullmatch(name) for name in names)
        return {int(match[1]): match[2] for match in found if match}

    def count(self, step: int) -> int:
        """Images of a checkpoint that it holds."""
        condition = f"checkpoint == {step}"
        with self._errors():
            self._client.load_collection(self.reference.collection)
            rows = self._client.query(
                self.reference.collection,
                filter=condition,
                output_fields=["count(*)"],
                consistency_level="Strong",
            )
        return int(rows[0]["count(*)"])

    def add(self, step: int, fingerprint: str, rows: IndexRows, progress: Progress) -> int:
        """Put a checkpoint into the collection, or what is missing of it; rows of another
        fingerprint go. Returns how many were added.

        Raises VectorsError where the collection has vectors of another length.
        """
        self._prepare(len(rows), rows.vectors.shape[1])
        value = fingerprint[:12]
        done = self._begin(step, value)
        if done > len(rows):
            self._drop(step, value)
            done = self._begin(step, value)
        if done == len(rows):
            return 0
        title = f"Indexing checkpoint {step}"
        with progress.stage(title, total=len(rows), unit="images") as advance:
            advance(done)
            self._insert(step, value, rows, done, advance)
        if self.count(step) != len(rows):
            self._drop(step, value)
            raise VectorsError(
                f"The {self.reference.description} lost some images of checkpoint {step}. "
                f"Start the same command again."
            )
        return len(rows) - done

    def _begin(self, step: int, value: str) -> int:
        """Make the partition of a checkpoint where there is none of this fingerprint, and drop one
        of another; returns how many rows it has."""
        known = self.checkpoints().get(step)
        if known == value:
            return self.count(step)
        if known is not None:
            self._drop(step, known)
        with self._errors():
            self._client.create_partition(self.reference.collection, _partition(step, value))
        return 0

    def _insert(self, step: int, value: str, rows: IndexRows, start: int, advance: Advance) -> None:
        for first in range(start, len(rows), BATCH):
            stop = min(first + BATCH, len(rows))
            with self._errors():
                self._client.insert(
                    self.reference.collection,
                    list(_entries(step, rows, first, stop)),
                    partition_name=_partition(step, value),
                )
            advance(stop - first)
        with self._errors():
            self._client.flush(self.reference.collection)

    def search(
        self,
        step: int,
        fingerprint: str,
        vectors: NDArray[np.floating],
        top: int,
        condition: Condition | None = None,
    ) -> list[list[Hit]]:
        """The ``top`` most similar images at a checkpoint to each vector of shape (Q, D), the most
        similar first.

        Raises VectorsError where the checkpoint is not indexed, was when it had another
        ``fingerprint``, or has vectors of another length.
        """
        self._check_indexed(step, fingerprint[:12], vectors.shape[1])
        with self._errors():
            self._client.load_collection(self.reference.collection)
            found = self._client.search(
                self.reference.collection,
                data=np.asarray(vectors, dtype=np.float32).tolist(),
                limit=top,
                filter=(condition or Condition()).expression,
                partition_names=[_partition(step, fingerprint[:12])],
                output_fields=["image_id", "label", "ood_score"],
                search_params={"metric_type": "COSINE", "params": {"ef": max(64, 4 * top)}},
            )
        return [[_hit(one) for one in hits] for hits in found]

    def _check_indexed(self, step: int, value: str, dimension: int) -> None:
        known = self.checkpoints()
        command = command_line("index", "--run", self._run, "--checkpoint", step)
        if step not in known:
            steps = ", ".join(map(str, sorted(known))) or "none is"
            raise VectorsError(
                f"Checkpoint {step} is not in the {self.reference.description} ({steps} there). "
                f"Put it in with: {command}"
            )
        self._check_dimension(dimension)
        if known[step] != value:
            raise VectorsError(
                f"Checkpoint {step} was embedded, scored or labelled anew since it was indexed. "
                f"Put it in again with: {command}"
            )

    def _prepare(self, images: int, dimension: int) -> None:
        """Make the collection where there is none."""
        if self.exists:
            self._check_dimension(dimension)
            return
        from pymilvus import DataType

        exact = images <= EXACT_UP_TO
        with self._errors():
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("key", DataType.INT64, is_primary=True)
            schema.add_field("checkpoint", DataType.INT64)
            schema.add_field("image_id", DataType.INT64)
            schema.add_field("image_hash", DataType.VARCHAR, max_length=64)
            schema.add_field("label", DataType.VARCHAR, max_length=MAX_LABEL_BYTES)
            schema.add_field("ood_score", DataType.FLOAT)
            schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
            index = self._client.prepare_index_params()
            graph = {} if exact else {"M": 24, "efConstruction": 200}
            index.add_index(
                "embedding",
                index_type="FLAT" if exact else "HNSW",
                metric_type="COSINE",
                params=graph,
            )
            self._client.create_collection(
                self.reference.collection, schema=schema, index_params=index, num_shards=1
            )

    def _check_dimension(self, dimension: int) -> None:
        if self.dimension != dimension:
            raise VectorsError(
                f"The {self.reference.description} holds vectors of {self.dimension} numbers, "
                f"these have {dimension}. "
                "Name another collection with --collection, or the checkpoint that was indexed."
            )

    def _drop(self, step: int, value: str) -> None:
        with self._errors():
            if self.reference.uri is not None:
                self._client.release_partitions(
                    self.reference.collection, [_partition(step, value)]
                )
            self._client.drop_partition(self.reference.collection, _partition(step, value))

    def _errors(self) -> Any:
        return milvus_errors(self.reference, self._run)


def _partition(step: int, value: str) -> str:
    return f"step_{step}_{value}"


def _entries(step: int, rows: IndexRows, start: int, stop: int) -> Iterator[dict[str, Any]]:
    for row in range(start, stop):
        yield {
            "key": (step << 32) | row,
            "checkpoint": step,
            "image_id": int(rows.ids[row]),
            "image_hash": rows.hashes[row],
            "label": rows.labels[row] or "",
            "ood_score": float(rows.scores[row]),
            "embedding": rows.vectors[row].astype(np.float32),
        }


def _hit(found: Any) -> Hit:
    entity = found["entity"]
    return Hit(
        int(entity["image_id"]),
        float(found["distance"]),
        float(entity["ood_score"]),
        entity["label"] or None,
    )


@contextmanager
def opened(
    run: RunFolder, reference: Reference, *, token: str | None = None
) -> Iterator[VectorIndex]:
    """Open a database. Raises VectorsError where pymilvus is not installed or the server is not
    there or refuses the token.

    Raises BusyError where another process has the run's file open.
    """
    try:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import ConnectionConfigException
    except ImportError as error:
        raise VectorsError(
            "This needs Milvus' client, which is not installed. Run: pip install "
            "'review-embeddings[milvus]'"
        ) from error
    for name in ("pymilvus", "grpc", "milvus_lite"):  # they report every error that they raise
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if reference.uri is None:
        check_no_link(run.vectors, run.path)
    with milvus_errors(reference, run), reported_errors() as reported:
        uri = reference.uri or str(run.vectors.resolve())
        try:
            client = MilvusClient(uri, token=token or "", timeout=CONNECT_SECONDS)
        except ConnectionConfigException as error:
            if reference.uri is not None:
                raise
            raise_unavailable(reported.last or error, run.vectors, REFUSED_FILES)
            raise _error_of_file(run) from error
    try:
        yield VectorIndex(client, reference, run)
    finally:
        client.close()
        if reference.uri is None:
            _release(run)


def _error_of_file(run: RunFolder) -> ReviewError:
    """Why the file in the run folder cannot be opened."""
    if not run.path.is_dir():
        return StorageError(f"There is no run folder {run}.")
    return BusyError(
        f"{run.vectors} cannot be opened: another process has it open, or milvus-lite is "
        f"not installed. "
        "Wait until that has finished, or run: pip install 'review-embeddings[milvus]'"
    )


def _release(run: RunFolder) -> None:
    """End Milvus Lite's server for a file, which would keep other processes out as long as this one
    lasts."""
    try:
        from milvus_lite.server_manager import server_manager_instance
    except ImportError:
        return
    server_manager_instance.release_server(str(run.vectors.resolve()))


def remember(run: RunFolder, reference: Reference) -> None:
    """Keep where a run is indexed, for later commands; no secret is part of it."""
    known = _remembered(run)
    if known != reference:
        kept = replace(reference, unknown={} if known is None else known.unknown)
        write_json(run.vectors_reference, as_json(kept))


def _remembered(run: RunFolder) -> Reference | None:
    """Where the run was indexed last."""
    if not run.vectors_reference.is_file():
        return None
    cure = "Delete it and name --uri and --collection once more; without them it is a file here."
    return read_record(run.vectors_reference, Reference, cure=cure, shared=True)


@contextmanager
def milvus_errors(reference: Reference, run: RunFolder) -> Iterator[None]:
    """Turn what Milvus refuses into a VectorsError with what to do."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        text = str(getattr(error, "message", "") or error)
        where = reference.uri or str(run.vectors)
        raise_unavailable(error, f"the vector database {where}", REFUSED_FILES)
        # the code stands for a wrong token too
        if error.code == CANNOT_CONNECT and reference.uri is not None:
            if listens(reference.uri, port=19530, seconds=CONNECT_SECONDS):
                raise VectorsError(
                    f"The server at {where} refuses: the token is wrong or missing, or it is no "
                    f"Milvus server. "
                    "Put user:password (or an API key) into an environment variable and name it "
                    "with --token-env."
                ) from None
            raise VectorsError(
                f"There is no Milvus server at {where} that answers. Start it, correct --uri, or "
                f"leave --uri out for a file in the run."
            ) from None
        raise VectorsError(f"Milvus ({where}) refuses: {reason_of(Exception(text))}") from error
