"""What options can be chosen from: asked of the owner of each, and only when it is needed.

Whoever registers a list, a format, a kind of map or an engine finds it here.
"""

from __future__ import annotations

from collections.abc import Iterable

from review_embeddings.pipeline import settings
from review_embeddings.pipeline.table import formats as table_formats
from review_embeddings.review import lists as exported_lists


def poolings() -> Iterable[str]:
    """Ways to make one vector of a model's tokens."""
    return settings.POOLINGS


def precisions() -> Iterable[str]:
    """Arithmetic of the forward pass."""
    return settings.PRECISIONS


def label_sources() -> Iterable[str]:
    """Where labels of a folder of images come from."""
    return settings.LABEL_SOURCES


def regimes() -> Iterable[str]:
    """What can be said of whether the images were trained on."""
    return settings.TRAINED_ON


def alignments() -> Iterable[str]:
    """References of the alignment."""
    return settings.ALIGNMENTS


def scalings() -> Iterable[str]:
    """Whether checkpoints share a scale."""
    return settings.SCALINGS


def map_kinds() -> Iterable[str]:
    """Kinds of 2-D projection."""
    return settings.MAPS


def engines() -> Iterable[str]:
    """Where the work is done."""
    return settings.ENGINES


def ends() -> Iterable[str]:
    """Checkpoints that have a name."""
    return settings.CHECKPOINT_NAMES


def spacings() -> Iterable[str]:
    """Distances between saved checkpoints."""
    return settings.SPACINGS


def paces() -> Iterable[str]:
    """How time passes in the film."""
    from review_embeddings.review.animation.plan import PACES

    return PACES


def map_aligns() -> Iterable[str]:
    """How the maps of the film lie to each other."""
    from review_embeddings.review.animation.options import ALIGNS

    return ALIGNS


def lists() -> Iterable[str]:
    """Lists that can be exported."""
    return exported_lists.keys()


def orders() -> Iterable[str]:
    """Orders of an exported list beside its own."""
    from review_embeddings.review.exchange.forms import ORDERS

    return ORDERS


def formats() -> Iterable[str]:
    """Formats of lists and tables."""
    return table_formats.keys()


def endings() -> Iterable[str]:
    """What the names of their files end in."""
    return table_formats.endings()


def decisions() -> Iterable[str]:
    """What can be decided about an image."""
    from review_embeddings.review.decisions.kinds import DECISIONS

    return DECISIONS


def disputed() -> Iterable[str]:
    """What is done with images about which reviewers differ."""
    from review_embeddings.review.decisions.kinds import DISPUTED

    return DISPUTED


def cleaned_forms() -> Iterable[str]:
    """What a cleaned data set can be written as."""
    from review_embeddings.review.exchange.forms import FORMS

    return FORMS


def themes() -> Iterable[str]:
    """Pages of the film."""
    from review_embeddings.review.animation.themes import THEMES

    return THEMES


def shapes() -> Iterable[str]:
    """Shapes of the film's frames."""
    from review_embeddings.review.animation.shapes import SHAPES

    return SHAPES


def film_endings() -> Iterable[str]:
    """What the names of films end in."""
    from review_embeddings.review.animation.encode.formats import ENDINGS

    return ENDINGS


def augmentations() -> Iterable[str]:
    """Random changes of training images."""
    from review_embeddings.pipeline.training.augmentations import AUGMENTATIONS

    return AUGMENTATIONS


def private() -> Iterable[str]:
    """What leaves a run with a shared page only where it is named."""
    from review_embeddings.review.share.options import PRIVATE

    return PRIVATE
