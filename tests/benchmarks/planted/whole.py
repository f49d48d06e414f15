"""Planted mistakes through the whole product: fine-tune, build, and look which column finds them.

    python -m tests.benchmarks.planted.whole --dataset ../shared/data/cifar10 --model
    ../shared/models/vit-small-saliency --work /tmp/planted

For each share and kind of wrong labels: some training images get wrong labels (``symmetric``: any
other class; ``pairs``: the class that is easily taken for it), some images of another data set are
mixed in with labels at random, and some images are there a second time (cropped, as JPEG, brighter,
mirrored). A model is fine-tuned on all of it, wrong labels included, and the same images are
reviewed. Printed are AUROC, average precision and precision at the planted number, of each score,
of the last checkpoint and of the trajectory; and how many of the copies are found in one group with
their original, by how they were changed.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.benchmarks.planted.pictures import FASHION, altered, clothes

PAIRS = {
    "cat": "dog",
    "dog": "cat",
    "automobile": "truck",
    "truck": "automobile",
    "airplane": "ship",
    "ship": "airplane",
}
PAIRS |= {"deer": "horse", "horse": "deer", "bird": "frog", "frog": "bird"}
"""Classes of CIFAR-10 that are taken for each other."""


def plant(
    dataset: str,
    out: Path,
    *,
    images: int,
    wrong: float,
    kind: str,
    foreign: float,
    copies: float,
    seed: int,
) -> dict[str, Any]:
    """Write a Parquet file of training images with mistakes, and return where they are: rows by
    what is wrong with them."""
    import datasets

    random = np.random.default_rng(seed)
    source = datasets.load_dataset(dataset, split="train")
    image_column = next(
        name for name, feature in source.features.items() if isinstance(feature, datasets.Image)
    )
    label_column = next(
        name
        for name, feature in source.features.items()
        if isinstance(feature, datasets.ClassLabel)
    )
    names = source.features[label_column].names
    labels = np.array(source[label_column])
    counts = {"foreign": round(foreign * images), "copies": round(copies * images)}
    own = images - sum(counts.values())
    chosen = random.permutation(len(source))[:own]
    pictures = [row[image_column].convert("RGB") for row in source.select(chosen)]
    given = labels[chosen].tolist()
    strangers = clothes(counts["foreign"], random, FASHION)
    pictures += [
        Image.fromarray(stranger).convert("RGB").resize(pictures[0].size) for stranger in strangers
    ]
    given += random.integers(0, len(names), len(strangers)).tolist()
    originals = random.choice(own, counts["copies"], replace=False)
    pictures += [altered(pictures[place], number) for number, place in enumerate(originals)]
    given += [given[place] for place in originals]
    marked = random.choice(own, round(wrong * images), replace=False)
    for place in marked.tolist():
        others = [label for label in range(len(names)) if label != given[place]]
        pair = PAIRS.get(names[given[place]])
        given[place] = (
            names.index(pair) if kind == "pairs" and pair in names else int(random.choice(others))
        )
    order = random.permutation(len(pictures))
    place_of = np.argsort(order)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
    )
    rows = {
        "image": [{"bytes": encoded(pictures[place]), "path": None} for place in order],
        "label": [given[place] for place in order],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(out))
    return {
        "wrong": place_of[marked].tolist(),
        "foreign": place_of[own : own + counts["foreign"]].tolist(),
        "copies": [
            [int(place_of[place]), int(place_of[own + counts["foreign"] + number])]
            for number, place in enumerate(originals)
        ],
    }


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def figures(
    truth: NDArray[np.bool_], suspicion: NDArray[np.floating]
) -> tuple[float, float, float]:
    """AUROC, average precision and precision at the planted number; ``suspicion`` is higher where a
    mistake is more likely."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    first = np.argsort(-suspicion, kind="stable")[: truth.sum()]
    return (
        float(roc_auc_score(truth, suspicion)),
        float(average_precision_score(truth, suspicion)),
        float(truth[first].mean()),
    )


def scores_of(run: Path) -> dict[str, dict[str, NDArray[np.floating]]]:
    """How suspicious each score finds each image, for wrong labels and for foreign images."""
    from review_embeddings.pipeline import table

    last = table.read(
        run, checkpoints=[table.read(run, columns=["checkpoint"])["checkpoint"].max()]
    )
    of_labels = {
        "last: normalised margin (cleanlab)": -last["label_score"],
        "last: self confidence (cleanlab)": -last["self_confidence"],
        "trajectory: label_mean": -last["label_mean"],
        "trajectory: variability": last["label_variability"],
        "trajectory: aum": -last["aum"],
        "trajectory: forgotten": last["forgotten"],
        "trajectory: learnt late": last["learnt_at"].where(
            last["learnt_at"] >= 0, last["learnt_at"].max() + 1
        ),
        "trajectory_label_score": -last["trajectory_label_score"],
    }
    of_strangers = {
        "last: ood_score (cleanlab)": -last["ood_score"],
        "trajectory: mean_percentile": -last["mean_percentile"],
        "trajectory: neighbors_kept": -last["neighbors_kept"],
        "trajectory: drift": last["drift"],
        "trajectory_label_score": -last["trajectory_label_score"],
        "picture: image_issue_rank (cleanvision)": -last["image_issue_rank"],
    }
    return {
        kind: {name: np.asarray(values, dtype=np.float64) for name, values in group.items()}
        for kind, group in (("wrong labels", of_labels), ("foreign images", of_strangers))
    }


CHANGES = ("cropped", "JPEG", "brighter", "mirrored")
"""In the order of `altered`."""


def copies_found(run: Path, copies: list[list[int]]) -> str:
    """How many copies stand in one group with their original, and how many other images are said to
    have copies."""
    from review_embeddings.pipeline import table

    group = table.read(
        run, checkpoints=[table.read(run, columns=["checkpoint"])["checkpoint"].max()]
    )["duplicate_group"].to_numpy()
    found = np.array([group[one] >= 0 and group[one] == group[other] for one, other in copies])
    parts = [
        f"{name} {found[kind::4].sum()} of {len(found[kind::4])}"
        for kind, name in enumerate(CHANGES)
    ]
    others = int((group >= 0).sum()) - len(
        {place for place in np.array(copies).ravel().tolist() if group[place] >= 0}
    )
    return (
        f"copies found: {found.sum()} of {len(found)} ({', '.join(parts)}); {others} other "
        f"images in groups"
    )


def main() -> None:
    """Plant, fine-tune, build and print, one configuration after the other; what is there already
    is used again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--image-size", type=int, default=56)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--frames", type=int, default=13)
    parser.add_argument("--only", help="such as symmetric-0.05")
    options = parser.parse_args()
    for kind in ("symmetric", "pairs"):
        for wrong in (0.05, 0.20):
            name = f"{kind}-{wrong:.2f}"
            if options.only in {None, name}:
                one(options, name, kind, wrong)


def one(options: argparse.Namespace, name: str, kind: str, wrong: float) -> None:
    """One configuration."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.pipeline.training.finetune import finetune

    data, where = options.work / name / "train.parquet", options.work / name / "planted.json"
    if not where.is_file():
        planted = plant(
            options.dataset,
            data,
            images=options.images,
            wrong=wrong,
            kind=kind,
            foreign=0.01,
            copies=0.02,
            seed=0,
        )
        where.write_text(json.dumps(planted))
    planted = json.loads(where.read_text())
    run = RunFolder(options.work / name / "run")
    if not run.run_json.is_file() or not (run.path / "model.safetensors").is_file():
        settings = {
            "model": options.model,
            "dataset": str(data),
            "split": "train",
            "eval_split": "none",
            "train_split": "train",
        }
        settings |= {
            "image_size": options.image_size,
            "epochs": options.epochs,
            "frames": options.frames,
            "embed": True,
            "keep": "first,last",
        }
        finetune(run, settings)
    build(run, Request(settings={"image_quality": True}))
    print(
        f"\n{name}: {options.images:,} images, {len(planted['wrong']):,} wrong labels, "
        f"{len(planted['foreign'])} foreign images"
    )
    print(f"{'':40}  AUROC     AP   P@n")
    for group, scores in scores_of(run.path).items():
        truth = np.zeros(options.images, dtype=bool)
        truth[planted["wrong" if group == "wrong labels" else "foreign"]] = True
        for title, suspicion in scores.items():
            area, average, first = figures(truth, np.nan_to_num(suspicion, nan=0.0))
            print(f"{title:40} {area:6.3f} {average:6.3f} {first:5.2f}   {group}", flush=True)
    print(copies_found(run.path, planted["copies"]), flush=True)


if __name__ == "__main__":
    main()
