"""Runs settings: what is planted, trained and observed, each stored once under its name."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.benchmarks.planted.mistakes import PAIRS, wrong_labels
from tests.benchmarks.planted.observed import Observed
from tests.benchmarks.planted.pictures import changed, photographs, strangers
from tests.benchmarks.planted.settings import Setting
from tests.benchmarks.planted.training import (
    FEATURES,
    Classifier,
    Plan,
    Pooled,
    Residual,
    efficientnet,
    frozen_features,
    look,
    pooled_features,
    principal_axes,
    train,
)

TRAINED, HELD, REFERENCE = range(16_000), range(16_000, 24_000), range(24_000, 28_000)
"""Rows of CIFAR-10's training split that settings train on, are judged on without that, and that
the reference is trained on."""

CLASSES = 10

PHOTOGRAPHS = Plan(epochs=4, batch=64, rate=1e-3, checkpoints=8)

FROZEN = Plan(epochs=8, batch=64, rate=1e-3, checkpoints=8)

DIGITS = Plan(epochs=60, batch=32, rate=4e-3, checkpoints=9)


@dataclass(frozen=True)
class Images:
    """Images of a setting, ready for the network, without wrong labels."""

    inputs: NDArray[np.floating]
    """Shape (2, N, …): as they are, and mirrored."""
    truth: NDArray[np.int64]
    group: NDArray[np.int64]
    reference: NDArray[np.float32]
    copies: NDArray[np.bool_]
    """Which are near duplicates of others."""


@dataclass(frozen=True)
class Sources:
    """Where photographs, weights and clothes are, and the folder of the results."""

    work: Path
    dataset: Path
    model: Path
    fashion: Path

    @cached_property
    def pixels(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        return photographs(self.dataset, REFERENCE.stop)

    @cached_property
    def features(self) -> NDArray[np.float16]:
        """Shape (2, rows, *FEATURES), computed once and mapped."""
        path = self.work / "features.npy"
        if not path.is_file():
            model, pixels = efficientnet(self.model), self.pixels[0]
            temporary = path.with_suffix(".part.npy")
            stored = np.lib.format.open_memmap(
                temporary, "w+", np.float16, (2, len(pixels), *FEATURES)
            )
            for start in range(0, len(pixels), 2000):
                part = slice(start, start + 2000)
                stored[:, part] = frozen_features(model, pixels[part])
            stored.flush()
            temporary.replace(path)
        return np.asarray(np.load(path, mmap_mode="r"))

    @cached_property
    def pooled(self) -> NDArray[np.float16]:
        """Shape (2, rows, 1280): what the whole pretrained network makes of the rows."""
        path = self.work / "pooled.npy"
        if not path.is_file():
            np.save(path, pooled_features(efficientnet(self.model), self.features))
        return np.asarray(np.load(path))

    @cached_property
    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and 256 principal axes, shape (1280, 256), of the reference's rows, scaled to a
        variance of 1 in the mean."""
        return principal_axes(self.pooled[0, REFERENCE.start :].astype(np.float32), 256)

    def project(self, pooled: NDArray[np.float16]) -> NDArray[np.float32]:
        mean, axes = self.axes
        return np.asarray((pooled.astype(np.float32) - mean) @ axes)

    @cached_property
    def embedded(self) -> NDArray[np.float32]:
        """Shape (2, rows, 256)."""
        return self.project(self.pooled)

    def inputs(self, setting: Setting, rows: NDArray[np.int64]) -> NDArray[np.floating]:
        """Of some rows, shape (2, N, …)."""
        source = self.embedded if setting.data == "frozen" else self.features
        return np.asarray(source[:, rows])

    def inputs_of(self, setting: Setting, pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Of other images."""
        model = efficientnet(self.model)
        found = frozen_features(model, pixels)
        return self.project(pooled_features(model, found)) if setting.data == "frozen" else found

    @cached_property
    def reference(self) -> NDArray[np.float32]:
        """Class probabilities of all rows by a model trained on `REFERENCE`, shape (rows, C)."""
        path = self.work / "reference.npy"
        if not path.is_file():
            rows = slice(REFERENCE.start, REFERENCE.stop)
            model, labels = adapter(CLASSES, seed=99), self.pixels[1][rows]
            train(model, self.embedded[:, rows], labels, FROZEN, observe=lambda: None, seed=99)
            np.save(path, np.exp(look(model, self.embedded[0])[1]))
        return np.asarray(np.load(path))


def classifier(weights: Path, classes: int, *, seed: int) -> Classifier:
    """The upper blocks of the pretrained EfficientNet and a new head."""
    torch.manual_seed(seed)
    blocks = efficientnet(weights).blocks[5:]
    return Classifier(Pooled(blocks), 320, classes)


def adapter(classes: int, *, seed: int) -> Classifier:
    """Two residual layers on a frozen embedding, which add nothing at step 0."""
    torch.manual_seed(seed)
    return Classifier(nn.Sequential(Residual(256), Residual(256)), 256, classes)


def learner_by_heart(*, seed: int) -> Classifier:
    """A network that learns a thousand digits by heart."""
    torch.manual_seed(seed)
    layers = [nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), 128, 10)


@cache
def known_digits() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Values in [0, 1], shape (1797, 64), classes, and probabilities by models that have not seen
    the image."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    values, truth = load_digits(return_X_y=True)
    values = values / 16
    judge = LogisticRegression(C=0.5, max_iter=300)
    return values, truth, cross_val_predict(judge, values, truth, cv=5, method="predict_proba")


def digits(setting: Setting) -> list[Images]:
    """The images that are trained on, and the others."""
    values, truth, reference = known_digits()
    order = np.random.default_rng(setting.seed).permutation(len(truth))
    inputs = np.stack([values, values]).astype(np.float32)

    def part(rows: NDArray[np.int64]) -> Images:
        nothing = np.full(len(rows), -1)
        likely = reference[rows].astype(np.float32)
        return Images(inputs[:, rows], truth[rows], nothing, likely, nothing > 0)

    return [part(order[: setting.images]), part(order[setting.images :])]


def mixed(setting: Setting, sources: Sources, pool: range) -> Images:
    """Photographs of a pool with foreign images and near duplicates among them, shuffled."""
    pixels, labels = sources.pixels
    random = np.random.default_rng([setting.seed, pool.start])
    unknown = CLASSES - 1 if any(kind == "class" for kind, _ in setting.groups) else CLASSES
    rows = pool.start + random.permutation(len(pool))
    foreign_rows = rows[labels[rows] >= unknown]
    own = rows[labels[rows] < unknown]
    copied = round(setting.copies * setting.images)
    total = min(setting.images, len(own))
    own = own[: total - copied - sum(size for _, size in setting.groups)]
    parts, truth, group = [sources.inputs(setting, own)], [labels[own]], [np.full(len(own), -1)]
    reference = [sources.reference[own, :unknown]]
    for number, (kind, size) in enumerate(setting.groups):
        if kind == "class":
            parts.append(sources.inputs(setting, foreign_rows[:size]))
        else:
            new = strangers(kind, size, random, sources.fashion)
            parts.append(sources.inputs_of(setting, new))
        truth.append(np.full(size, -1))
        group.append(np.full(size, number))
        reference.append(np.full((size, unknown), 1 / unknown, dtype=np.float32))
    if copied:
        originals = own[random.choice(len(own), copied, replace=False)]
        new = np.stack([changed(pixels[row], place) for place, row in enumerate(originals)])
        parts.append(sources.inputs_of(setting, new))
        truth.append(labels[originals])
        group.append(np.full(copied, -1))
        reference.append(sources.reference[originals, :unknown])
    order = random.permutation(sum(len(part) for part in truth))
    is_copy = np.arange(len(order)) >= len(order) - copied
    likely = np.concatenate(reference)[order]
    return Images(
        np.concatenate(parts, axis=1)[:, order],
        np.concatenate(truth)[order],
        np.concatenate(group)[order],
        likely / likely.sum(axis=1, keepdims=True),
        is_copy[order],
    )


def pairs_of(setting: Setting) -> tuple[tuple[int, int], ...]:
    return PAIRS["digits" if setting.data == "digits" else "cifar"]


def labelled(setting: Setting, images: Images) -> NDArray[np.int64]:
    """The labels that stand in the data set, shape (N,)."""
    classes = images.reference.shape[1]
    random = np.random.default_rng([setting.seed, 7])
    given = np.array(images.truth)
    own = (given >= 0) & ~images.copies
    if setting.kind != "none":
        given[own] = wrong_labels(
            given[own],
            setting.kind,
            setting.share,
            seed=setting.seed,
            reference=images.reference[own],
            pairs=pairs_of(setting),
        )
    if images.copies.any():
        given[images.copies] = wrong_labels(
            given[images.copies],
            setting.kind,
            1.0,
            seed=setting.seed,
            reference=images.reference[images.copies],
            pairs=pairs_of(setting),
        )
    for number in range(len(setting.groups)):
        members = np.flatnonzero(images.group == number)
        some = random.integers(0, classes, len(members))
        given[members] = some[0] if setting.one_label else some
    return given


def relabelled(setting: Setting, seen: Observed, kind: str, share: float) -> Observed:
    """The same images with labels changed afterwards; those of foreign images stay."""
    given, own = seen.given.copy(), seen.truth >= 0
    given[own] = wrong_labels(
        seen.truth[own],
        kind,
        share,
        seed=setting.seed,
        reference=seen.reference[own],
        pairs=pairs_of(setting),
    )
    return seen.labelled(given)


def path_of(setting: Setting, work: Path, *, held: bool = False) -> Path:
    return work / f"{setting.name}{'+held' if held else ''}.npz"


def run(setting: Setting, sources: Sources) -> None:
    """Train one setting and store what it shows of its images and, where nothing is wrong with
    them, of others that it was not trained on; nothing where that is there."""
    held = setting.kind == "none" or setting.data == "digits"
    paths = [path_of(setting, sources.work, held=False), path_of(setting, sources.work, held=True)]
    if all(path.is_file() for path in paths[: 1 + held]):
        return
    began = time.perf_counter()
    parts, model, plan = prepared(setting, sources)
    parts = parts[: 1 + held]
    given = [labelled(setting, part) for part in parts]
    curves: list[list[Any]] = [[] for _ in parts]

    def observe() -> None:
        for curve, part in zip(curves, parts, strict=True):
            curve.append(look(model, part.inputs[0]))

    train(model, parts[0].inputs, given[0], plan, observe, seed=setting.seed)
    mirrored = [look(model, part.inputs[1]) for part in parts]
    right = []
    stored = zip(parts, given, curves, mirrored, paths, strict=False)
    for part, labels, curve, other, path in stored:
        embeddings, likely = (np.stack(values) for values in zip(*curve, strict=True))
        Observed(
            labels,
            part.truth,
            part.group,
            embeddings,
            likely,
            part.reference,
            *other,
            np.empty((0, *likely.shape[1:]), np.float32),
        ).write(path)
        right.append(float((likely[-1].argmax(1) == part.truth)[part.truth >= 0].mean()))
    shares = ", ".join(f"{share:.2f}" for share in right)
    print(f"{setting.name}: {time.perf_counter() - began:.0f} s, true classes {shares}", flush=True)


def prepared(setting: Setting, sources: Sources) -> tuple[list[Images], Classifier, Plan]:
    """The images to train on, others, the network, and how it is trained."""
    if setting.data == "digits":
        parts = digits(setting)
        model, plan = learner_by_heart(seed=setting.seed), DIGITS
    else:
        parts = [mixed(setting, sources, pool) for pool in (TRAINED, HELD)]
        classes = parts[0].reference.shape[1]
        if setting.data == "frozen":
            model, plan = adapter(classes, seed=setting.seed), FROZEN
        else:
            model, plan = classifier(sources.model, classes, seed=setting.seed), PHOTOGRAPHS
    return parts, model, replace(plan, checkpoints=setting.checkpoints)
