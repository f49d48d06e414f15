"""One page about a run: how it went, how far its maps can be trusted, and the images to look at
first, as text and as HTML."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.categories import FINE, NOT_CHECKED
from review_embeddings.pipeline.analysis.outliers import worst_count
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.training import log as trainlog
from review_embeddings.review.decisions.log import (
    DECISIONS,
    History,
    Note,
    about_unreadable,
    read_history,
)
from review_embeddings.review.lists.lists import EVEN, leak_order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = 8
"""Images of each list."""

THUMBNAIL = 112
"""Longest side of a picture on the page, in pixels."""


@dataclass(frozen=True)
class Listed:
    """One image of a list."""

    image_id: int
    place: int
    label: str
    note: str
    """Why it is there, in a few words."""


@dataclass(frozen=True)
class Summary:
    """What the page says."""

    title: str
    facts: list[tuple[str, str]]
    """What the run is, line by line."""
    manifest: table.Manifest
    worst: int
    """How many images count as outliers."""
    log: list[dict[str, str]]
    lists: dict[str, list[Listed]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """How many images each list has in all."""
    decided: Counter[str] = field(default_factory=Counter)


def summarize(run: RunFolder, *, note: Note) -> tuple[Summary, RunImages]:
    """Read what the page says from the run's table, log and decisions. Raises RunError where there
    is no table; ``note`` is told of decisions that cannot be read, and the page says it too."""
    manifest, images, info = table.read_manifest(run), read_images(run), run.read_info()
    if manifest is None or images is None or info is None:
        raise RunError(f"Run {run} has no table yet. Run: review-embeddings build --run {run}")
    columns = [column.name for column in table.COLUMNS if not column.joined]
    last = table.read(run, checkpoints=[manifest.steps[-1]], columns=columns)
    history = read_history(run, note)
    known = set(images.hashes)
    decided = Counter(
        line.decision
        for image, line in history.current().items()
        if image in known and line.decision is not None
    )
    worst = worst_count(len(images))
    made = Summary(
        run.path.resolve().name,
        [*_facts(info, images, manifest), *_unreadable(run, history)],
        manifest,
        worst,
        trainlog.read_rows(run.log),
        decided=decided,
    )
    for name, chosen, remark in _lists(last, manifest, worst):
        made.sizes[name] = len(chosen)
        if len(chosen):
            rows = [(int(place), last.loc[place]) for place in chosen[:SHOWN]]
            made.lists[name] = [
                Listed(int(row["image_id"]), place, _text(row["label"]), remark(row))
                for place, row in rows
            ]
    return made, images


def _facts(info: RunInfo, images: RunImages, manifest: table.Manifest) -> list[tuple[str, str]]:
    reference = info.dataset
    return [
        ("data set", " ".join(filter(None, [reference.source, reference.config, reference.split]))),
        (
            "images",
            f"{len(images):,}"
            + (f" in {len(images.classes)} classes" if images.classes else ", without labels"),
        ),
        ("checkpoints", f"{len(manifest.steps)}, step {manifest.steps[0]} to {manifest.steps[-1]}"),
        *([("labels", _judged_by(info, images, manifest))] if images.classes else []),
        ("maps", f"{manifest.map}, aligned to {manifest.align_to}, scaling {manifest.scaling}"),
    ]


def _unreadable(run: RunFolder, history: History) -> list[tuple[str, str]]:
    lines = history.unreadable
    return [("decisions", about_unreadable(run, lines))] if lines else []


def _judged_by(info: RunInfo, images: RunImages, manifest: table.Manifest) -> str:
    if info.settings.cross_validate:
        return (
            f"judged by classifiers on the embeddings that were not shown them, in "
            f"{info.settings.cross_validate} folds"
        )
    return (
        "judged by the checkpoints' own heads"
        if manifest.prediction_classes
        else "judged by the labels of the nearest images"
    )


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _lists(
    last: pd.DataFrame, manifest: table.Manifest, worst: int
) -> list[tuple[str, np.ndarray, Any]]:
    """Name, places in order and what to say of each image, for every list."""
    ids = {int(image): place for place, image in enumerate(last["image_id"])}

    def ranked(column: str, count: int) -> np.ndarray:
        rank = last[column].to_numpy()
        order = np.argsort(rank, kind="stable")
        return order[rank[order] > 0][:count]

    def where(mask: Any, by: str) -> np.ndarray:
        places = np.flatnonzero(np.asarray(mask))
        return places[np.argsort(last[by].to_numpy()[places], kind="stable")]

    over_all = (
        "trajectory_label_rank" if (last["trajectory_label_rank"] > 0).any() else "label_rank"
    )
    step = manifest.steps[-1]

    def of_label(row: Any) -> str:
        sure = (
            ""
            if row["self_confidence"] != row["self_confidence"]
            else f"given label {100 * row['self_confidence']:.0f} %"
        )
        if _text(row["suggested_label"]) != _text(row["label"]):
            return f"{_text(row['suggested_label'])}? {sure}"
        return f"fits since step {row['learnt_at']}, {sure}" if row["learnt_at"] >= 0 else sure

    def of_copy(row: Any) -> str:
        other = int(row["duplicate_group"])
        same = (
            "first of its group"
            if other == row["image_id"]
            else f"copy of {other} ({_text(last['label'][ids[other]])})"
        )
        return f"{row['duplicate_kind']}, {same}"

    def of_leak(row: Any) -> str:
        label = f" ({_text(row['leak_label'])})" if _text(row["leak_label"]) else ""
        return f"{row['leak_kind']}, row {row['leak_of']} there{label}"

    leaks = np.flatnonzero(last["leak_of"] >= 0)
    leaks = leaks[np.argsort(leak_order(last)[leaks], kind="stable")]
    suspects = ranked(over_all, worst)
    suspects = suspects[last[over_all.replace("rank", "score")].to_numpy()[suspects] < EVEN]
    lists = [
        (
            f"Most atypical at step {step}",
            ranked("ood_rank", worst),
            lambda row: f"OOD score {row['ood_score']:.3f}",
        ),
        (
            f"Labels that another class fits better, of the {worst} that fit worst",
            suspects,
            of_label,
        ),
        ("Leaks: in the other split too", leaks, of_leak),
        (
            "Duplicates with different labels",
            where(last["duplicate_labels_differ"], "duplicate_group"),
            of_copy,
        ),
        ("Duplicates", where(last["duplicate_group"] >= 0, "duplicate_group"), of_copy),
        (
            "Poor pictures",
            where(~last["image_issue"].isin([NOT_CHECKED, FINE]), "image_issue_rank"),
            lambda row: row["image_issue"],
        ),
    ]
    if len(manifest.steps) > 1:
        consensus = ranked("consensus_rank", worst)
        lists.insert(
            1,
            (
                "Most atypical over all checkpoints",
                consensus,
                lambda row: f"mean percentile {row['mean_percentile']:.1f}",
            ),
        )
        for life, title in (
            ("emergent", "Became outliers"),
            ("resolved", "Were outliers"),
            ("persistent", "Outliers from first to last"),
        ):
            said = {
                "emergent": "since step {}",
                "resolved": "until step {}",
                "persistent": "always",
            }[life]
            note = lambda row, said=said: said.format(row["outlier_since"])  # noqa: E731
            lists.append(
                (title, where((last["outlier_life"] == life).to_numpy(), "ood_rank"), note)
            )
    return lists


# -- as text


def stability(summary: Summary) -> str:
    """How much the ranking of outliers changes between the first and the last checkpoint and from
    each to the next."""
    manifest = summary.manifest
    if len(manifest.steps) < 2:
        return "one checkpoint"
    pairs = range(len(manifest.steps) - 1)
    near = np.mean([manifest.rank_correlation[place][place + 1] for place in pairs])
    common = np.mean([manifest.outlier_overlap[place][place + 1] for place in pairs])
    return (
        f"from checkpoint to checkpoint: rank correlation {near:.2f}, {100 * common:.0f} % of the "
        f"worst {summary.worst} stay; "
        f"first to last: {manifest.rank_correlation[0][-1]:.2f}, "
        f"{100 * manifest.outlier_overlap[0][-1]:.0f} %"
    )


def as_text(summary: Summary) -> str:
    """The page for a terminal, without its pictures."""
    lines = [summary.title, *(f"  {name:<12} {value}" for name, value in summary.facts)]
    for name, column in (("loss", "loss"), ("accuracy", "eval_accuracy")):
        logged = [(row["step"], float(row[column])) for row in summary.log if row[column]]
        if logged:
            (first, begin), (last, end) = logged[0], logged[-1]
            lines.append(f"  {name:<12} {begin:.3f} at step {first}, {end:.3f} at step {last}")
    lines.append(f"  {'outliers':<12} {stability(summary)}")
    said = ", ".join(
        f"{summary.decided[name]:,} {name}" for name in DECISIONS if summary.decided[name]
    )
    lines.append(f"  {'decided':<12} {said or 'nothing yet'}")
    for name, listed in summary.lists.items():
        lines += ["", f"{name} ({summary.sizes[name]:,})"]
        lines += [f"  {image.image_id:>8}  {image.label:<16} {image.note}" for image in listed]
    return "\n".join(lines) + "\n"


# -- as a page

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1080px;
  padding: 0 1rem; color: #1a1c20; background: #fff; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
  .muted { color: #5f6670; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } td,
  th { padding: .15rem .8rem .15rem 0; text-align: right; }
th { font-weight: 600; border-bottom: 1px solid #d5d9de; } .facts td { text-align: left; }
  .facts td:first-child { color: #5f6670; }
.images { display: flex; flex-wrap: wrap; gap: .8rem; } figure { margin: 0; width: 116px; }
figcaption { font-size: .78rem; overflow-wrap: anywhere; }
figure img { width: 112px; height: 112px; object-fit: contain; background: #f1f3f5;
  border: 1px solid #d5d9de; box-sizing: border-box; }
.plots { margin-top: 1rem; } .plots img { max-width: 100%; }
.scroll { max-height: 22rem; overflow: auto; display: inline-block; padding-right: 1rem; }
@media print { .scroll { max-height: none; } }
@media (prefers-color-scheme: dark) { body { color: #eef0f3; background: #0f1216; } .muted,
  .facts td:first-child { color: #a3abb5; }
figure img { background: #1b2026; } th { border-color: #343b44; } .plots img { background: #fff;
  border-radius: 4px; } }
"""


HEADINGS = (
    "step",
    "epoch",
    "loss",
    "variance in 2-D",
    "neighbours kept",
    "trustworthiness",
    "continuity",
    "disparity",
)


def as_html(summary: Summary, images: RunImages) -> str:
    """The page with pictures, in one file that needs nothing else; nothing of the data set's names
    is read as HTML."""
    wanted = sorted({image.place for listed in summary.lists.values() for image in listed})
    pictures = {
        place: picture_address(data) for place, data in images.read_some(wanted, preview=True)
    }
    title = html.escape(summary.title)
    facts = [*summary.facts, ("outliers", stability(summary))]
    said = ", ".join(
        f"{summary.decided[name]:,} {name}" for name in DECISIONS if summary.decided[name]
    )
    facts.append(("decided", said or "nothing yet"))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" '
        f'content="width=device-width"><style>{STYLE}</style></head><body><h1>{title}</h1><table '
        f'class="facts">',
        *(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
            for name, value in facts
        ),
        "</table>",
        f'<div class="plots"><img alt="Training, trust of the maps and stability of the outliers" '
        f'src="{_plots(summary)}"></div>',
        '<h2>Checkpoints</h2><div class="scroll"><table><tr>',
        *(f"<th>{name}</th>" for name in HEADINGS),
        "</tr>",
    ]
    for one in summary.manifest.checkpoints:
        cells = [
            str(one.step),
            "" if one.epoch is None else f"{one.epoch:.2f}",
            "" if one.loss is None else f"{one.loss:.3f}",
        ]
        cells += [one.variance_said, f"{100 * one.map_kept:.0f} %"]
        cells += [f"{value:.2f}" for value in (one.trustworthiness, one.continuity, one.disparity)]
        parts.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    parts.append("</table></div>")
    for name, listed in summary.lists.items():
        parts.append(
            f"<h2>{html.escape(name)} <span "
            f'class="muted">({summary.sizes[name]:,})</span></h2><div class="images">'
        )
        for image in listed:
            picture = pictures.get(image.place, "")
            label = html.escape(image.label or "no label")
            parts.append(
                f'<figure><img alt="image {image.image_id}" '
                f'src="{picture}"><figcaption><b>{label}</b> #{image.image_id}<br>'
                f'<span class="muted">{html.escape(image.note)}</span></figcaption></figure>'
            )
        parts.append("</div>")
    return "\n".join([*parts, "</body></html>", ""])


def picture_address(data: bytes) -> str:
    """A small JPEG or PNG as a data address."""
    from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb

    try:
        picture = to_rgb(decode(data))
    except UNREADABLE:
        return ""
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    kind = "PNG" if max(picture.size) <= 64 else "JPEG"
    picture.save(buffer, kind, **({} if kind == "PNG" else {"quality": 85}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _plots(summary: Summary) -> str:
    """Loss and accuracy, the trust of the maps, and the rank correlation of the outliers, as one
    PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 3.4), dpi=110, layout="constrained")
    training, trust, matrix = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    _plot_training(training, summary)
    steps, facts = summary.manifest.steps, summary.manifest.checkpoints
    style = {"marker": "o", "markersize": 3}
    trust.plot(steps, [one.trustworthiness for one in facts], label="trustworthiness", **style)
    trust.plot(steps, [one.continuity for one in facts], label="continuity", **style)
    if all(one.explained_variance is not None for one in facts):
        trust.plot(
            steps,
            [sum(one.explained_variance or []) for one in facts],
            label="variance in 2-D",
            **style,
        )
    trust.plot(steps, [one.map_kept for one in facts], label="neighbours kept", **style)
    trust.set(title="How far the maps can be trusted", xlabel="step", ylim=(0, 1.02))
    trust.legend(fontsize=8, frameon=False, ncols=2)
    shown = matrix.imshow(summary.manifest.rank_correlation, vmin=0, vmax=1, cmap="viridis")
    every = max(1, len(steps) // 8)
    places = list(range(0, len(steps), every))
    matrix.set(title="Rank correlation of OOD scores", xlabel="step", ylabel="step")
    matrix.set_xticks(places, [str(steps[place]) for place in places], rotation=45, fontsize=8)
    matrix.set_yticks(places, [str(steps[place]) for place in places], fontsize=8)
    figure.colorbar(shown, ax=matrix, shrink=0.85)
    return _as_png(figure)


def _plot_training(axes: Any, summary: Summary) -> None:
    loss = [(int(row["step"]), float(row["loss"])) for row in summary.log if row["loss"]]
    loss = loss or [
        (one.step, one.loss) for one in summary.manifest.checkpoints if one.loss is not None
    ]
    accuracy = [
        (int(row["step"]), float(row["eval_accuracy"]))
        for row in summary.log
        if row["eval_accuracy"]
    ]
    axes.set(title="Training", xlabel="step")
    if loss:
        axes.plot(*zip(*loss, strict=True), color="#c2255c")
        axes.set_ylabel("loss", color="#c2255c")
        axes.set_ylim(bottom=0)
    else:
        axes.text(0.5, 0.5, "no loss was logged", ha="center", transform=axes.transAxes)
    if accuracy:
        twin = axes.twinx()
        twin.plot(*zip(*accuracy, strict=True), color="#1864ab", marker="o", markersize=3)
        twin.set_ylabel("accuracy", color="#1864ab")
        twin.set_ylim(0, 1.02)


def _as_png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
