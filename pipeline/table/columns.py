"""Declares the columns of the long table, each once, in their order.

Each constant is the name of its column, so that no other module spells one: ``frame[OOD_SCORE]``,
``COLUMNS[OOD_SCORE].high``. The schema, the checks, the review page, the lists and the tables in
the README come from here. Needs no numeric library.
"""

from __future__ import annotations

from review_embeddings.pipeline.analysis.categories import GRAY as GRAY_NAME
from review_embeddings.pipeline.analysis.categories import ISSUES, KINDS, LIVES, NOT_CHECKED, SCORED
from review_embeddings.pipeline.registry import Registry
from review_embeddings.pipeline.table.column import (
    ABOUT_IMAGE,
    AT_CHECKPOINT,
    CONSENSUS,
    EACH,
    ENDS,
    IDENTITY,
    INSPECTED_ENDS,
    INSPECTOR,
    LABEL_OVER_ALL,
    LIFE,
    ONCE,
    Column,
    Exported,
    Shown,
)

COLUMNS: Registry[Column] = Registry("column", lambda column: column.name)
"""Every column of the long table, in order."""


def declare(column: Column) -> str:
    """Add a column to the table; returns its name."""
    return COLUMNS.add(column).name


IMAGE_ID = declare(
    Column(
        "image_id",
        "int64",
        "row",
        ">= 0",
        "row of the data set's split; what people and exports call the image",
        low=0,
        shown=Shown((INSPECTOR,)),
        exported=Exported("row of the data set's split", order=IDENTITY),
    )
)

IMAGE_HASH = declare(
    Column(
        "image_hash",
        "string",
        "",
        "64 hex digits",
        "SHA-256 of the image's bytes as stored; survives reordering and new runs",
        exported=Exported("SHA-256 of the image's bytes; decisions are kept by it", order=IDENTITY),
    )
)

PATH = declare(
    Column(
        "path",
        "string",
        "",
        "a path; null where the data set names no files",
        "the image's file, relative to the data set's folder",
        nullable=True,
        exported=Exported(
            "the image's file, relative to the data set's folder; empty where the data "
            "set names none",
            order=IDENTITY,
        ),
    )
)

CHECKPOINT = declare(
    Column(
        "checkpoint",
        "int64",
        "steps",
        ">= 0",
        "global training step; 0 is the model before fine-tuning",
        low=0,
        exported=Exported(
            "step of the checkpoint that the next eight columns are of", order=AT_CHECKPOINT
        ),
    )
)

EPOCH = declare(
    Column(
        "epoch",
        "float64",
        "epochs",
        ">= 0; null where the run does not say",
        "passes over the training data",
        nullable=True,
        low=0,
    )
)

LABEL = declare(
    Column(
        "label",
        "category",
        "",
        "a class; null for unlabelled images",
        "the given label",
        nullable=True,
        categories="classes",
        shown=Shown((INSPECTOR,)),
        exported=Exported("the given label", order=IDENTITY),
    )
)

PREDICTION = declare(
    Column(
        "prediction",
        "category",
        "",
        "a class; null without a head",
        "the class this checkpoint finds most probable",
        nullable=True,
        categories="prediction_classes",
        shown=Shown((*ENDS, *INSPECTED_ENDS), order=1),
        exported=Exported("the class it finds most probable", order=AT_CHECKPOINT),
    )
)

CONFIDENCE = declare(
    Column(
        "confidence",
        "float32",
        "probability",
        "[0, 1]; null without a head",
        "probability of the prediction among all classes that the head knows; its own where an "
        "image may have several labels",
        nullable=True,
        low=0,
        high=1,
        shown=Shown(ENDS, needs=PREDICTION, order=1),
        exported=Exported("its probability", order=AT_CHECKPOINT),
    )
)

EMBEDDING = declare(
    Column(
        "embedding",
        "vector",
        "",
        "finite, D values",
        "the image's vector under this checkpoint, fp32",
        joined=True,
    )
)

X = declare(
    Column(
        "x",
        "float32",
        "",
        "[-5, 5]",
        "aligned 2-D coordinate; one frame of reference and one range for all checkpoints",
        low=-5,
        high=5,
        shown=Shown((EACH,)),
    )
)

Y = declare(
    Column(
        "y",
        "float32",
        "",
        "[-5, 5]",
        "aligned 2-D coordinate, likewise",
        low=-5,
        high=5,
        shown=Shown((EACH,)),
    )
)

OOD_SCORE = declare(
    Column(
        "ood_score",
        "float32",
        "",
        "[0, 1]",
        "cleanlab's out-of-distribution score; lower is more atypical; not comparable "
        "across checkpoints",
        low=0,
        high=1,
        direction="lower",
        source="outliers.outliers",
        shown=Shown((EACH, *ENDS), name="ood"),
        exported=Exported(
            "cleanlab's out-of-distribution score; lower is more atypical", order=AT_CHECKPOINT
        ),
    )
)

OOD_RANK = declare(
    Column(
        "ood_rank",
        "int32",
        "rank",
        "1 to N",
        "rank by ood_score within the checkpoint; 1 is the most atypical",
        low=1,
        direction="lower",
        shown=Shown((*ENDS, *INSPECTED_ENDS), name="rank"),
        exported=Exported("rank by it; 1 is the most atypical", order=AT_CHECKPOINT),
    )
)

OOD_PERCENTILE = declare(
    Column(
        "ood_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "ood_rank as a percentage, ties shared; lower is more atypical; comparable "
        "across checkpoints",
        low=0,
        high=100,
        direction="lower",
        shown=Shown(ENDS, name="percentile"),
        exported=Exported("that rank in percent", order=AT_CHECKPOINT),
    )
)

SELF_CONFIDENCE = declare(
    Column(
        "self_confidence",
        "float32",
        "probability",
        "[0, 1]; null without a label",
        "probability of the given label, on the scale of confidence: the same number where it "
        "is the prediction; the leave-one-out one with --cross-validate, by the "
        "neighbours' labels where the checkpoint has no head",
        nullable=True,
        low=0,
        high=1,
        direction="lower",
        source="quality.quality:self_confidence",
    )
)

LABEL_SCORE = declare(
    Column(
        "label_score",
        "float32",
        "",
        "[0, 1]; null without a label, or where an image may have several",
        "cleanlab's label quality (normalised margin among the data set's classes alone); "
        "lower is more likely wrong",
        nullable=True,
        low=0,
        high=1,
        direction="lower",
        source="quality.quality:score",
        shown=Shown(ENDS),
        exported=Exported(
            "cleanlab's label quality (normalised margin); lower is more likely wrong",
            order=AT_CHECKPOINT,
        ),
    )
)

LABEL_RANK = declare(
    Column(
        "label_rank",
        "int32",
        "rank",
        "1 to N; 0 without a score",
        "rank by label_score; 1 is the label most likely wrong",
        low=1,
        missing=0,
        direction="lower",
        source="quality.quality:rank",
        shown=Shown(ENDS, needs=LABEL_SCORE),
        exported=Exported(
            "rank by it; 1 is the label most likely wrong; 0 without a label", order=AT_CHECKPOINT
        ),
    )
)

SUGGESTED_LABEL = declare(
    Column(
        "suggested_label",
        "category",
        "",
        "a class; null likewise",
        "the class of the data set that fits best",
        nullable=True,
        categories="classes",
        source="quality.quality:suggested",
        shown=Shown((*ENDS, "inspector last"), name="suggested", needs=LABEL_SCORE),
        exported=Exported("the class that fits best", order=AT_CHECKPOINT),
    )
)

LABEL_ISSUE = declare(
    Column(
        "label_issue",
        "bool",
        "",
        "true or false",
        "cleanlab's filter takes the label for wrong; means little before the model "
        "has learnt, then misses many: see the rank",
        source="quality.quality:issue",
    )
)

MAP_KEPT = declare(
    Column(
        "map_kept",
        "float32",
        "share",
        "[0, 1]",
        "share of the image's 15 nearest neighbours in the embedding that are its "
        "nearest on the map too; low: do not trust its position",
        low=0,
        high=1,
        direction="lower",
        source="trust.trust",
        shown=Shown(ENDS),
    )
)

MEAN_PERCENTILE = declare(
    Column(
        "mean_percentile",
        "float32",
        "percent",
        "(0, 100)",
        "mean of ood_percentile; lower is more atypical",
        per="image",
        low=0,
        high=100,
        direction="lower",
        exported=Exported(
            "mean of ood_percentile over all checkpoints of the table; lower is more atypical",
            order=CONSENSUS,
        ),
    )
)

CONSENSUS_RANK = declare(
    Column(
        "consensus_rank",
        "int32",
        "rank",
        "1 to N",
        "rank by mean_percentile; 1 is the most atypical",
        per="image",
        low=1,
        direction="lower",
        shown=Shown((ONCE,)),
        exported=Exported("rank by mean_percentile", order=CONSENSUS),
    )
)

OUTLIER_LIFE = declare(
    Column(
        "outlier_life",
        "category",
        "",
        ", ".join(LIVES),
        "whether it is among the worst at the first and at the last checkpoint; "
        "passing: only in between",
        per="image",
        categories=LIVES,
        shown=Shown((ONCE,)),
        exported=Exported(
            "never, passing, resolved, emergent or persistent, over all checkpoints of the table",
            order=LIFE,
        ),
    )
)

OUTLIER_SINCE = declare(
    Column(
        "outlier_since",
        "int64",
        "steps",
        ">= 0; -1 where it does not apply",
        "step at which it was resolved or emerged",
        per="image",
        low=0,
        missing=-1,
    )
)

DUPLICATE_GROUP = declare(
    Column(
        "duplicate_group",
        "int64",
        "",
        "an image_id; -1 for images that are there once",
        "first image of its group of copies",
        per="image",
        low=0,
        missing=-1,
        shown=Shown((ONCE, INSPECTOR)),
        exported=Exported(
            "image_id of the first image of its group of copies; -1 for images that are there once",
            order=ABOUT_IMAGE,
        ),
    )
)

DUPLICATE_KIND = declare(
    Column(
        "duplicate_kind",
        "category",
        "",
        ", ".join(KINDS),
        "exact: the same file; near: the same picture, changed",
        per="image",
        categories=KINDS,
        shown=Shown((ONCE,)),
        exported=Exported("no, near or exact", order=ABOUT_IMAGE),
    )
)

DUPLICATE_LABELS_DIFFER = declare(
    Column(
        "duplicate_labels_differ",
        "bool",
        "",
        "true or false",
        "its copies have different labels",
        per="image",
        shown=Shown((ONCE,)),
        exported=Exported("its copies have different labels", order=ABOUT_IMAGE),
    )
)

LEAK_OF = declare(
    Column(
        "leak_of",
        "int64",
        "row",
        "row of the other split; -1 for none",
        "the same image in the split that was named with --against",
        per="image",
        low=0,
        missing=-1,
        shown=Shown((ONCE, INSPECTOR)),
        exported=Exported(
            "row of the same image in the split named with --against; -1 for none",
            order=ABOUT_IMAGE,
        ),
    )
)

LEAK_KIND = declare(
    Column(
        "leak_kind",
        "category",
        "",
        ", ".join(KINDS),
        "whether it is the same file there or the same picture, changed",
        per="image",
        categories=KINDS,
        shown=Shown((ONCE,), needs=LEAK_OF),
        exported=Exported("no, near or exact", order=ABOUT_IMAGE),
    )
)

LEAK_LABEL = declare(
    Column(
        "leak_label",
        "category",
        "",
        "a class; null for none",
        "its label there",
        nullable=True,
        per="image",
        categories="classes",
        shown=Shown((ONCE, INSPECTOR), needs=LEAK_OF),
        exported=Exported("its label there", order=ABOUT_IMAGE),
    )
)

LEAK_PATH = declare(
    Column(
        "leak_path",
        "string",
        "",
        "a path; null for none",
        "its file there, relative to the data set's folder",
        nullable=True,
        per="image",
        exported=Exported("its file there", order=ABOUT_IMAGE),
    )
)

IMAGE_ISSUE = declare(
    Column(
        "image_issue",
        "category",
        "",
        ", ".join(ISSUES),
        "what is most wrong with the picture itself (--image-quality; cleanvision)",
        per="image",
        missing=NOT_CHECKED,
        categories=ISSUES,
        source="image_quality.image_quality:issue",
        shown=Shown((ONCE, INSPECTOR), needs="image_issue"),
        exported=Exported(
            "what is most wrong with the picture itself; not checked without --image-quality",
            order=ABOUT_IMAGE,
        ),
    )
)

IMAGE_ISSUE_RANK = declare(
    Column(
        "image_issue_rank",
        "int32",
        "rank",
        "1 to N; 0 where not checked",
        "rank by how far its worst score lies below the threshold",
        per="image",
        low=1,
        missing=0,
        direction="lower",
        source="image_quality.image_quality:rank",
        shown=Shown((ONCE,), needs=IMAGE_ISSUE),
        exported=Exported("rank by it; 0 where not checked", order=ABOUT_IMAGE),
    )
)

ISSUE_SCORES: dict[str, str] = {
    name: declare(
        Column(
            f"{name}_score",
            "float32",
            "",
            "[0, 1]; null where not checked",
            f"cleanvision's; lower is more {worse}",
            nullable=True,
            per="image",
            low=0,
            high=1,
            direction="lower",
            source=f"image_quality.image_quality:{name}",
            shown=Shown((ONCE,)),
        )
    )
    for name, worse in zip(
        SCORED, ("oddly long or high", "dark", "light", "empty", "blurry"), strict=True
    )
}
"""Column of the score of each of `SCORED`."""

GRAY = declare(
    Column(
        GRAY_NAME,
        "bool",
        "",
        "true or false",
        "without colour (--image-quality)",
        per="image",
        source=f"image_quality.image_quality:{GRAY_NAME}",
        shown=Shown((ONCE,), needs=IMAGE_ISSUE),
    )
)

DRIFT = declare(
    Column(
        "drift",
        "float32",
        "",
        ">= 0",
        "distance moved in the embedding, each checkpoint aligned to the one before; a vector is "
        "about 1 long",
        per="image",
        low=0,
        direction="higher",
        shown=Shown((ONCE,)),
    )
)

DRIFT_FROM_NEIGHBORS = declare(
    Column(
        "drift_from_neighbors",
        "float32",
        "",
        ">= 0; null with one checkpoint",
        "drift seen from its neighbours: their mean movement, that of the 15 nearest at each "
        "checkpoint before, is taken away; high where it left them",
        nullable=True,
        per="image",
        low=0,
        direction="higher",
        shown=Shown((ONCE,), needs="drift_from_neighbors"),
    )
)

NEIGHBORS_KEPT = declare(
    Column(
        "neighbors_kept",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours that stay from checkpoint to checkpoint, the mean",
        per="image",
        low=0,
        high=1,
        direction="lower",
        shown=Shown((ONCE,)),
    )
)

NEIGHBORS_KEPT_ENDS = declare(
    Column(
        "neighbors_kept_ends",
        "float32",
        "share",
        "[0, 1]",
        "nearest neighbours at the first checkpoint that are so at the last",
        per="image",
        low=0,
        high=1,
        direction="lower",
    )
)

LABEL_MEAN = declare(
    Column(
        "label_mean",
        "float32",
        "probability",
        "[0, 1]; null without label or heads",
        "mean probability of the given label over the checkpoints with a head, on the scale of "
        "confidence (what data-set cartography calls confidence)",
        nullable=True,
        per="image",
        low=0,
        high=1,
        direction="lower",
    )
)

LABEL_VARIABILITY = declare(
    Column(
        "label_variability",
        "float32",
        "probability",
        "[0, 0.5]; null likewise",
        "its standard deviation over checkpoints",
        nullable=True,
        per="image",
        low=0,
        high=0.5,
        direction="higher",
        shown=Shown((ONCE,)),
    )
)

AUM = declare(
    Column(
        "aum",
        "float32",
        "logit",
        "any; null likewise, or where an image may have several labels",
        "area under the margin; lower is more likely wrong",
        nullable=True,
        per="image",
        direction="lower",
        shown=Shown((ONCE,)),
    )
)

LEARNT_AT = declare(
    Column(
        "learnt_at",
        "int64",
        "steps",
        ">= 0; -1 for never",
        "first step after which the prediction stays right; here and in the next two "
        "with --cross-validate the leave-one-out one",
        per="image",
        low=0,
        missing=-1,
        direction="higher",
        shown=Shown((ONCE,), needs=AUM),
    )
)

FORGOTTEN = declare(
    Column(
        "forgotten",
        "int32",
        "times",
        ">= 0",
        "how often a right prediction turned wrong",
        per="image",
        low=0,
        direction="higher",
        shown=Shown((ONCE,), needs=AUM),
    )
)

FLIPS = declare(
    Column(
        "flips",
        "int32",
        "times",
        ">= 0",
        "how often the prediction changed",
        per="image",
        low=0,
        direction="higher",
        shown=Shown((ONCE,)),
    )
)

TRAJECTORY_LABEL_SCORE = declare(
    Column(
        "trajectory_label_score",
        "float32",
        "",
        "[0, 1]; null without label, or where an image may have several",
        "label quality over the run, by the heads and leave-one-out: of the best checkpoints, or "
        "of all for images that were trained on; lower is more likely wrong, 0.5 a tie",
        nullable=True,
        per="image",
        low=0,
        high=1,
        direction="lower",
        source="label_fit.label_fit:score",
        shown=Shown((ONCE, INSPECTOR)),
        exported=Exported(
            "label quality over the run; lower is more likely wrong, 0.5 a tie",
            order=LABEL_OVER_ALL,
        ),
    )
)

TRAJECTORY_LABEL_RANK = declare(
    Column(
        "trajectory_label_rank",
        "int32",
        "rank",
        "1 to N; 0 without label",
        "rank by it, where some images were trained on by its percentile among these and among the "
        "others; 1 is the label most likely wrong",
        per="image",
        low=1,
        missing=0,
        direction="lower",
        source="label_fit.label_fit:rank",
        shown=Shown((ONCE,), needs=TRAJECTORY_LABEL_SCORE),
        exported=Exported("rank by it; 0 without label", order=LABEL_OVER_ALL),
    )
)

TRAJECTORY_SUGGESTED_LABEL = declare(
    Column(
        "trajectory_suggested_label",
        "category",
        "",
        "a class; null likewise",
        "the class other than the label that fits best by trajectory_label_score: what is "
        "suggested",
        nullable=True,
        per="image",
        categories="classes",
        source="label_fit.label_fit:suggested",
        shown=Shown((ONCE, INSPECTOR), needs=TRAJECTORY_LABEL_SCORE),
        exported=Exported(
            "the class other than the label that fits best by it", order=LABEL_OVER_ALL
        ),
    )
)

GROUP_SCORE = declare(
    Column(
        "group_score",
        "float32",
        "robust standard deviations",
        "any; null where no class has three images",
        "how far the image and its nearest stand apart from all classes, over all checkpoints; "
        "higher stands apart more, above about 6 is worth a look",
        nullable=True,
        per="image",
        direction="higher",
        source="groups.groups:score",
        shown=Shown((ONCE,)),
        exported=Exported(
            "how far it and its nearest stand apart from all classes; above about 6 is worth a look"
        ),
    )
)

GROUP_RANK = declare(
    Column(
        "group_rank",
        "int32",
        "rank",
        "1 to N; 0 without a score",
        "rank by group_score; 1 stands apart most",
        per="image",
        low=1,
        missing=0,
        direction="lower",
        source="groups.groups:rank",
        shown=Shown((ONCE,), needs=GROUP_SCORE),
        exported=Exported("rank by it; 1 stands apart most"),
    )
)

GROUP = declare(
    Column(
        "group",
        "int64",
        "",
        "an image_id; -1 for images of no group",
        "the most central image of its group of images that stand apart together",
        per="image",
        low=0,
        missing=-1,
        source="groups.groups:group",
        shown=Shown((ONCE, INSPECTOR), needs=GROUP_SCORE),
        exported=Exported(
            "image_id of the most central image of its group that stands apart; -1 for none"
        ),
    )
)

IMAGE = declare(
    Column(
        "image",
        "bytes",
        "",
        "an image file",
        "the image as the data set stores it; one object shared by all rows of an image",
        joined=True,
    )
)
