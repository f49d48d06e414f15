"""Which stages there are: the whole build on one page.

A new per-image result is one entry here, with its computation in `stages.compute`; its column is
declared in `table.columns`, with the stored array as its source.

What changes the meaning of a result raises that stage's version, or adds a key to its fingerprint
(`hashed`) only where the old value can differ. The tests of frozen runs then name what recomputes.
"""

from __future__ import annotations

from review_embeddings.pipeline.analysis.mapkinds import MapKind
from review_embeddings.pipeline.analysis.outliers import NEIGHBORS as OOD_NEIGHBORS
from review_embeddings.pipeline.analysis.trust import NEAR
from review_embeddings.pipeline.registry import Registry
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.stages import compute
from review_embeddings.pipeline.stages.judging import COEFFICIENTS, NUMBERS, SCALING
from review_embeddings.pipeline.stages.reading import read_rows
from review_embeddings.pipeline.stages.stage import Reduction, Stage

SCORES = "Neighbours and scores"

IMAGES = Stage(
    name="images",
    version=1,
    compute=read_rows,
    identity={"key": "dataset", "signature": "files"},
    scope="images",
    hashed_from=2,
    rows=1024,
    title="Reading images",
    keep="always",
    long=True,
    about="finds, reads and decodes every image of the split (`images.parquet`, `skipped.csv`)",
)
"""Finds, reads and decodes every image of the split, once; with it come `PIXELS`."""

PIXELS = Stage(
    name="pixels",
    version=2,
    compute=read_rows,
    identity={"processor": "processor", "images": "images"},
    scope="images",
    hashed_from=2,
    rows=1024,
    title="Preprocessing images",
    keep="always",
    long=True,
    about="the images as a model takes them, for all checkpoints of one image processor (`cache/`)",
)
"""The images as a model takes them, once for all checkpoints of one image processor.

Version 1 did not tell classes with the same settings apart, and trusted the first image."""

IMAGE_QUALITY = Stage(
    name="image_quality",
    version=3,
    baseline=2,
    compute=compute.judge_images,
    inputs={"files": "files", "advance": "advance"},
    outputs=("image_quality",),
    identity={"pictures": "images"},
    scope="images",
    needs=("image_quality",),
    title="Looking at the images",
    timed_as="image quality",
    about="what cleanvision says of the pictures themselves (`--image-quality`)",
)
"""Version 2 looked at gray images in three channels as if they had one."""

EMBEDDINGS = Stage(
    name="embeddings",
    version=1,
    compute=compute.embed,
    outputs=("embeddings",),
    metadata=("epoch", "loss", "dimension", "head", "key", "weight_files"),
    identity={
        "weights": "checkpoint.weights",
        "config": "checkpoint.config",
        "processor": "checkpoint.processor",
        "with_head": "checkpoint.with_head",
        "images": "checkpoint.images",
        "pooling": "checkpoint.pooling",
        "precision": "checkpoint.precision",
    },
    optional={"head_kind": "checkpoint.head_kind", "mended": "checkpoint.mended"},
    hashed_from=2,
    rows=1024,  # a multiple of every size of batches that nobody has asked for
    title="Embedding with checkpoint {step}",
    long=True,
    accelerated=True,
    about="a vector an image and, with a head, class probabilities (`probabilities/`)",
)

NEIGHBORS = Stage(
    name="neighbors",
    version=1,
    compute=compute.find_neighbors,
    inputs={"embeddings": "embeddings.embeddings", "device": "device"},
    outputs=("neighbors", "distances"),
    identity={"embeddings": "embeddings"},
    constants={"k": max(OOD_NEIGHBORS, NEAR)},
    rows=4096,  # much more work than to read all embeddings, which each shard does
    title="Neighbours at checkpoint {step}",
    group=SCORES,
    accelerated=True,
    about="the 15 nearest other images of each by cosine distance, and how far they are",
)

NEIGHBORHOOD = {
    "embeddings": "embeddings.embeddings",
    "neighbors": "neighbors.neighbors",
    "distances": "neighbors.distances",
}

OUTLIERS = Stage(
    name="outliers",
    version=1,
    compute=compute.score_outliers,
    inputs=NEIGHBORHOOD,
    outputs=("outliers",),
    identity={"neighbors": "neighbors"},
    constants={"k": OOD_NEIGHBORS},
    group=SCORES,
    about="cleanlab's OOD score, from the 10 nearest images",
)

JUDGE = Stage(
    name="judge",
    version=1,
    compute=compute.leave_one_out,
    inputs={
        "embeddings": "embeddings.embeddings",
        "labels": "labels",
        "class_count": "class_count",
        "hashes": "hashes",
    },
    outputs=("judge", COEFFICIENTS, SCALING),
    metadata=NUMBERS,
    identity={"embeddings": "embeddings", "labels": "labels"},
    needs=("labels",),
    group=SCORES,
    about="the leave-one-out judge: ridge regression from the embeddings of all other images "
    "to labels",
)
"""Class probabilities of each image from the labels of all others, by ridge regression."""

QUALITY = Stage(
    name="quality",
    version=1,
    compute=compute.judge_labels,
    inputs={
        "labels": "labels",
        "class_count": "class_count",
        "probabilities": "probabilities",
        "neighbors": "neighbors.neighbors",
    },
    outputs=("quality",),
    identity={"neighbors": "neighbors", "labels": "labels"},
    settings={"folds": "judged_by"},
    needs=("labels",),
    group=SCORES,
    about="how well each label fits at this checkpoint",
)

APART = Stage(
    name="apart",
    version=1,
    compute=compute.measure_apart,
    inputs={
        "embeddings": "embeddings.embeddings",
        "neighbors": "neighbors.neighbors",
        "judged_as": "judged_as",
        "class_count": "class_count",
        "hash_ranks": "hash_ranks",
    },
    for_table=True,
    outputs=("apart",),
    metadata=("weight",),
    identity={"embeddings": "embeddings", "neighbors": "neighbors"},
    optional={"labels": "labels"},
    rows=4096,
    reduction=Reduction(compute.own_class_of, compute.usual_of),
    group=SCORES,
    about="how far each image and its nearest are from every class",
)
"""How far each image is from every class: the part of a checkpoint in `GROUPS`."""

PCA = Stage(
    name="projections",
    version=2,
    compute=compute.pca,
    inputs={"embeddings": "embeddings.embeddings"},
    for_table=True,
    outputs=("projections",),
    metadata=("explained_variance",),
    identity={"embeddings": "embeddings"},
    rows=compute.pca_rows,
    reduction=Reduction(compute.pca_moments, compute.pca_plane),
    title="PCA of checkpoint {step}",
    keep="nowhere",
    about="the 2-D map of this checkpoint, before the alignment",
)
"""Version 1 multiplied in float64: coordinates differ by less than a millionth of their range."""

TRUST = Stage(
    name="trust",
    version=1,
    compute=compute.trust_map,
    inputs={**NEIGHBORHOOD, "map": "projections.projections"},
    for_table=True,
    outputs=("trust",),
    metadata=("trustworthiness", "continuity"),
    identity={"map": "projections"},
    constants={"k": NEAR},
    group="Trust of the maps",
    about="how many of the nearest images the map keeps near",
)

MOTION = Stage(
    name="motion",
    version=2,
    compute=compute.measure_motion,
    inputs={
        "before": "embeddings.embeddings@previous",
        "embeddings": "embeddings.embeddings",
        "neighbors_before": "neighbors.neighbors@previous",
        "neighbors": "neighbors.neighbors",
    },
    for_table=True,
    outputs=("motion",),
    identity={"before": "embeddings@previous", "embeddings": "embeddings"},
    constants={"k": NEAR},
    group="Movement",
    about="how far each image moved since the checkpoint before, and which neighbours it kept",
)
"""Version 1 did not say how far an image moved against its neighbours."""

DUPLICATES = Stage(
    name="duplicates",
    version=2,
    baseline=2,
    compute=compute.find_copies,
    inputs={
        **NEIGHBORHOOD,
        "hashes": "hashes",
        "pictures": "pictures",
        "scratch": "scratch",
    },
    for_table=True,
    outputs=("duplicates",),
    identity={"embeddings": "embeddings"},
    constants={"k": NEAR},
    scope="ends",
    about="pairs of copies: neighbours propose, pixels decide",
)

LABEL_FIT = Stage(
    name="label_fit",
    version=2,
    compute=compute.fit_labels,
    inputs={
        "judges": "judges",
        "labels": "labels",
        "class_count": "class_count",
        "hashes": "hashes",
        "regime": "regime",
        "one_label": "one_label",
    },
    for_table=True,
    outputs=("label_fit",),
    metadata=("regime",),
    identity={"judges": "judge@all", "labels": "labels"},
    optional={"trained_on": "trained_on"},
    scope="all",
    needs=("labels",),
    title="Labels over all checkpoints",
    about="how well each label fits over all checkpoints, and what fits better",
)
"""Scores each label by the heads and the leave-one-out judges: of the best checkpoints for an image
that was not trained on, of all for one that was. Version 1 took the last one for the best, and did
not keep what was assumed."""

GROUPS = Stage(
    name="groups",
    version=3,
    compute=compute.find_groups,
    inputs={
        "embeddings": "embeddings.embeddings",
        "neighbors": "neighbors.neighbors",
        "apart": "apart.apart",
        "weights": "apart_weights",
        "outputs": "head_outputs",
        "known_labels": "known_labels",
        "hash_ranks": "hash_ranks",
        "ids": "image_ids",
    },
    for_table=True,
    outputs=("groups",),
    identity={"apart": "apart@all", "images": "image_ids"},
    scope="all",
    title="Groups that stand apart",
    about="group scores over all checkpoints, and the groups that stand apart",
)
"""Scores and names the groups over all checkpoints; one more costs one more of `APART`.

Version 1 named sets of which up to half was of a class nearby, version 2 a part of a group: it read
neither what neighbours say of the labels nor the embeddings for where a group ends."""

LEAKS = Stage(
    name="leaks",
    version=1,
    compute=compute.compare_splits,
    for_table=True,
    outputs=("leaks",),
    identity={"embeddings": "embeddings", "split": "against", "key": "dataset"},
    scope="last",
    needs=("against",),
    about="the same images in another split (`--against`)",
)
"""Looks for the images in another split, which is embedded in a run of its own."""

TABLE = Stage(
    name="table",
    version=5,
    compute=compute.align_maps,
    identity={
        "methods": "versions",
        "columns": "columns",
        "images": "image_ids",
        "labels": "labels",
        "prediction_classes": "prediction_classes",
        "checkpoints": "checkpoints",
        "align_to": "align_to",
        "map": "map",
    },
    optional={"trained_on": "trained_on"},
    settings={
        "scaling": "scaling",
        "cross_validate": "judged_by",
        "against": "against",
        "image_quality": "image_quality",
    },
    scope="all",
    hashed_from=None,
    unit="checkpoints",
    about="aligns the maps, follows each image through all checkpoints, writes the table "
    "(`table/`)",
)
"""Aligns the maps, follows each image through all checkpoints, and writes the long table.

Up to version 4, margins ended at 27.6, all of up to 8 images were outliers, and equal ones by their
order."""

STAGES: Registry[Stage] = Registry("stage", lambda stage: stage.name)
"""All of them in the order in which they are computed, the map as `map_stage` makes it.

Registered ones follow; leaks and table are computed after them in any case.
"""

for _stage in (
    IMAGES,
    PIXELS,
    IMAGE_QUALITY,
    EMBEDDINGS,
    NEIGHBORS,
    OUTLIERS,
    JUDGE,
    QUALITY,
    APART,
    PCA,
    TRUST,
    MOTION,
    DUPLICATES,
    LABEL_FIT,
    GROUPS,
    LEAKS,
    TABLE,
):
    STAGES.add(_stage)

BUILT_IN = frozenset(stage.name for stage in STAGES)
"""Names of those that came before stages could be registered."""

WITH_VERSION = frozenset(stage.name for stage in STAGES if stage.hashed_from != 2)
"""Names of those whose versions every table's fingerprint has."""


def pixels_key(images_digest: str) -> str:
    """What tells the preprocessed images of a run from others in the cache."""
    version = STAGES["pixels"].version
    return images_digest if version == 1 else fingerprint(images=images_digest, method=version)


def map_stage(kind: MapKind) -> Stage:
    """The stage that makes maps of some kind other than a PCA, which stands in `STAGES`."""
    together = {"everything": "embeddings@all"} if kind.of_all else {}
    return Stage(
        name="projections",
        version=1,
        compute=compute.map_all if kind.of_all else compute.map_one,
        inputs={
            "embeddings": "embeddings.embeddings",
            **({"advance": "advance"} if kind.of_all else {}),
        },
        for_table=True,
        outputs=("projections",),
        metadata=("explained_variance",),
        identity={"embeddings": "embeddings", **together},
        constants={"map": kind.key},
        hashed={} if kind.of_all else {"everything": ""},
        scope="all" if kind.of_all else "checkpoint",
        per_checkpoint=True,
        group=f"Mapping by {kind.key}",
        seconds=kind.estimated_seconds,
    )
