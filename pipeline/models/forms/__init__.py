"""The forms in which a trained model lies on a disk: each is recognised, and read or answered with
what helps.

Owns how folders and files of trainers are recognised, and how those that can be read are read.
Knows no run, no data set and no order of checkpoints but that of their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from review_embeddings.pipeline.models.forms.adapters.form import PeftAdapter
from review_embeddings.pipeline.models.forms.form import Form
from review_embeddings.pipeline.models.forms.pretrained import PretrainedFolder
from review_embeddings.pipeline.models.forms.sharded import DeepSpeedFolder, FsdpFolder
from review_embeddings.pipeline.models.forms.timmfile import TimmCheckpoint
from review_embeddings.pipeline.registry import Registry

FORMS: Registry[Form] = Registry("form of a model", lambda form: form.name)
"""Tried in this order; the last one takes all that no other recognises, names of the Hub among
them."""

for _form in (
    PeftAdapter(),
    TimmCheckpoint(),
    FsdpFolder(),
    DeepSpeedFolder(),
    PretrainedFolder(),
):
    FORMS.add(_form)


def form_of(source: str | Path, base: str | None = None) -> Form:
    """The form of a model folder, a file of weights or a Hub name; ``base`` is the model to which
    an adapter belongs, where a person has named it."""
    path = Path(source)
    forms = list(FORMS)
    return next((form for form in forms[:-1] if form.matches(path)), forms[-1]).on(base)


def config_of(source: str | Path, base: str | None = None) -> dict[str, Any]:
    """What is known about a model, as in a ``config.json``; empty for a Hub name."""
    return form_of(source, base).config(Path(source))


def weight_files(source: str | Path, base: str | None = None) -> list[Path]:
    """The files that hold the weights of a model."""
    return form_of(source, base).weight_files(Path(source))
