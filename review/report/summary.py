"""One page about a run: how it went, how far its maps can be trusted, and the images to look at
first, as text and as HTML."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.run.proof import read_proof
from review_embeddings.pipeline.stages.proof import proof_text
from review_embeddings.pipeline.stages.regime import stored_regime
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.text import html_text, is_number, visible
from review_embeddings.pipeline.textcolumns import INDENT, TextColumn, lay_out, wrapped
from review_embeddings.pipeline.training.curves import (
    OF_EVALUATION,
    CheckpointMetrics,
    Curve,
    TrainingCurves,
    accuracy_note,
    metrics_of,
    read_curves,
)
from review_embeddings.pipeline.verify import faults_in_words
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.kinds import DECISIONS
from review_embeddings.review.decisions.log import Note, about_unreadable, read_history
from review_embeddings.review.lists import ImageList, ListDefinition, lists_of
from review_embeddings.review.lists.agreeing import ALL, ListAgreement, agreement_by_list
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import made_list, offered
from review_embeddings.review.lists.derived import DISPUTED
from review_embeddings.review.lists.groups import groups_in_words
from review_embeddings.review.lists.outlook import outlook
from review_embeddings.review.lists.reading import read_candidates
from review_embeddings.review.lists.suggestion import judged_over_run
from review_embeddings.review.page.card import ImageCard
from review_embeddings.review.report.cards import card_figure, read_cards
from review_embeddings.review.report.pagestyle import document, picture_address
from review_embeddings.review.report.plots import plots_as_html

SHOWN = 8
"""Images of each list."""

POOLING_NAMES = {"cls": "CLS token", "pooled": "pooled output", "mean": "mean over the patches"}


@dataclass(frozen=True)
class Listed:
    """One image of a list."""

    image_id: int
    row: int
    label: str
    note: str
    """Why it is there, in a few words."""


@dataclass(frozen=True)
class ListedImages:
    """A list, and its first images."""

    heading: str
    size: int
    """How many images it has in all."""
    images: list[Listed]
    outlook: str = ""
    """How many of them are real finds; empty where that is not known."""


@dataclass(frozen=True)
class Summary:
    """What the page says."""

    title: str
    properties: list[tuple[str, str]]
    """What the run is, line by line."""
    manifest: table.Manifest
    worst: int
    """How many images count as outliers."""
    curves: TrainingCurves
    """How the training went."""
    metrics: dict[int, CheckpointMetrics]
    """By step, of each checkpoint of the table."""
    lists: dict[str, ListedImages] = field(default_factory=dict)
    """By their keys, without the empty ones."""
    decided: Counter[str] = field(default_factory=Counter)
    disputed: int = 0
    """Of the decided images, those about which reviewers differ."""
    agreement: list[ListAgreement] = field(default_factory=list)
    """How far reviewers agree, about all images and by list."""


def summarize(run: RunFolder, *, note: Note) -> tuple[Summary, RunImages]:
    """Read what the page says from the run's table, log and decisions. Raises RunError where there
    is no table; ``note`` is told of decisions that cannot be read, and the page says it too."""
    manifest, images, info = table.read_manifest(run), read_images(run), run.read_info()
    if manifest is None or images is None or info is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    history = read_history(run, note)
    known, differing = set(images.hashes), history.disputed()
    decided = Counter(
        line.decision
        for image, line in history.current().items()
        if image in known and line.decision is not None
    )
    candidates = read_candidates(
        run,
        images,
        lists_of("summary"),
        (manifest.steps[0], manifest.steps[-1]),
        decisions=history.current(),
        disputed=differing,
    )
    curves = read_curves(run, manifest)
    made = Summary(
        run.path.resolve().name,
        [
            *_properties(run, info, images, manifest, candidates),
            *_new_classes(info, history),
            *_embedded_by(run, manifest),
            *(("wrong", sentence) for sentence in faults_in_words(run)),
            *_unreadable(run, history),
        ],
        manifest,
        candidates.worst,
        curves,
        metrics_of(run, manifest, curves, manifest.steps),
        lists=_lists(candidates),
        decided=decided,
        disputed=len(known & differing.keys()),
        agreement=_agreement(history, images, candidates),
    )
    return made, images


def _properties(
    run: RunFolder,
    info: RunInfo,
    images: RunImages,
    manifest: table.Manifest,
    candidates: Candidates,
) -> list[tuple[str, str]]:
    reference = info.dataset
    return [
        ("data set", " ".join(filter(None, [reference.source, reference.config, reference.split]))),
        (
            "images",
            f"{len(images):,}"
            + (f" in {len(images.classes)} classes" if images.classes else ", without labels"),
        ),
        ("checkpoints", _checkpoints(manifest)),
        *([("labels", _judged_by(info, manifest, candidates))] if images.classes else []),
        *_precision(run),
        *_trained_on(run, info, images),
        ("groups", groups_in_words(candidates)),
        ("maps", f"{manifest.map}, aligned to {manifest.align_to}, scaling {manifest.scaling}"),
    ]


def _precision(run: RunFolder) -> list[tuple[str, str]]:
    """What was found of half precision, where it was tried."""
    proof = read_proof(run)
    return [] if proof is None else [("precision", proof_text(proof))]


def _trained_on(run: RunFolder, info: RunInfo, images: RunImages) -> list[tuple[str, str]]:
    """What the label scores take the images for; nothing in tables of earlier versions, which knew
    no difference."""
    regime = stored_regime(run, info, images)
    if regime is None:
        return []
    return [("regime", f"{regime.sentence} (--trained-on yes|no overrules)")]


def _new_classes(info: RunInfo, history: History) -> list[tuple[str, str]]:
    """The classes that people added, and how many images were relabelled to each."""
    counts = Counter(line.new_label for line in history.current().values())
    added = [
        f"{name} ({counts[name]:,} image{'' if counts[name] == 1 else 's'})"
        for name in info.added_classes
    ]
    return [("new classes", ", ".join(added))] if added else []


def _checkpoints(manifest: table.Manifest) -> str:
    best = f"; the best is {manifest.best}" if manifest.best in manifest.steps else ""
    first, last = manifest.checkpoints[0], manifest.checkpoints[-1]
    if len(manifest.steps) == 1:
        return f"1, step {first.name}"
    return f"{len(manifest.steps)}, step {first.name} to {last.name}{best}"


def _embedded_by(run: RunFolder, manifest: table.Manifest) -> list[tuple[str, str]]:
    """The poolings that were taken, where the embeddings say so, and the numbers of an
    embedding."""
    stored = [run.result_metadata("embeddings", step) or {} for step in manifest.steps]
    poolings = dict.fromkeys(str(one["pooling"]) for one in stored if one.get("pooling"))
    widths = sorted({int(one["dimension"]) for one in stored if one.get("dimension")})
    if not poolings or not widths:
        return []
    shown = " and ".join(POOLING_NAMES.get(one, one) for one in poolings)
    return [("embeddings", f"{shown}, {' or '.join(map(str, widths))} numbers each")]


def _unreadable(run: RunFolder, history: History) -> list[tuple[str, str]]:
    lines = history.unreadable
    return [("decisions", about_unreadable(run, lines))] if lines else []


def _judged_by(info: RunInfo, manifest: table.Manifest, candidates: Candidates) -> str:
    if info.settings.cross_validate:
        alone = "leave-one-out, by a regression on the embeddings of all other images"
    elif any(candidates.labels) and not (candidates.last(c.LABEL_RANK) > 0).any():
        return "not judged: the model gives an image several labels"
    elif manifest.prediction_classes:
        alone = "by its head"
    else:
        alone = "by the labels of the nearest images"
    over_run = judged_over_run(candidates)
    if not over_run:
        return f"each checkpoint judged {alone}"
    alone = f"each checkpoint alone {alone}" if candidates.several else f"label_score {alone}"
    return f"judged {over_run}; {alone}"


def _lists(candidates: Candidates) -> dict[str, ListedImages]:
    """The lists that the run has something for."""
    lists = {
        one.key: _listed(one, candidates) for one in lists_of("summary") if offered(one, candidates)
    }
    return {key: listed for key, listed in lists.items() if listed.size}


def _listed(definition: ListDefinition, candidates: Candidates) -> ListedImages:
    made = made_list(definition, candidates, candidates.worst)
    counted = "{count}" in definition.title
    return ListedImages(
        made.title if counted else f"{made.title} ({len(made.rows):,})",
        len(made.rows),
        [
            Listed(int(candidates.ids[row]), row, candidates.labels[row] or "", note)
            for row, note in _first_of(definition, candidates, made)
        ],
        outlook([candidates.decisions[row] for row in made.rows], made.expected, made.unestimated),
    )


def _first_of(
    definition: ListDefinition, candidates: Candidates, made: ImageList
) -> list[tuple[int, str]]:
    """The first images of a list, or those that stand for its first parts, and why each is
    there."""
    if definition.parts is not None:
        parts = itertools.islice(definition.parts(candidates), SHOWN)
        return [(part.row, part.description) for part in parts]
    return [(row, definition.why(candidates, row)[0]) for row in made.rows[:SHOWN]]


# -- as text


def stability(summary: Summary) -> str:
    """How much the ranking of outliers changes between the first and the last checkpoint and from
    each to the next."""
    manifest = summary.manifest
    if len(manifest.steps) < 2:
        return "one checkpoint"
    pairs = range(len(manifest.steps) - 1)
    near = np.mean([manifest.rank_correlation[position][position + 1] for position in pairs])
    common = np.mean([manifest.outlier_overlap[position][position + 1] for position in pairs])
    return (
        f"from checkpoint to checkpoint: rank correlation {near:.2f}, {100 * common:.0f} % of the "
        f"worst {summary.worst} stay; "
        f"first to last: {manifest.rank_correlation[0][-1]:.2f}, "
        f"{100 * manifest.outlier_overlap[0][-1]:.0f} %"
    )


def _decided(summary: Summary) -> str:
    counts = [f"{summary.decided[name]:,} {name}" for name in DECISIONS if summary.decided[name]]
    disputed = f"; {summary.disputed:,} of these disputed" if summary.disputed else ""
    return (", ".join(counts) or "nothing yet") + disputed


def _agreement(history: History, images: RunImages, candidates: Candidates) -> list[ListAgreement]:
    made = [
        made_list(one, candidates, candidates.worst)
        for one in lists_of("summary")
        if offered(one, candidates) and one.key != DISPUTED
    ]
    lists = [(one.title, one.rows) for one in made]
    return agreement_by_list(lists, images.hashes, history.by_image())


def _agreement_in_words(summary: Summary) -> Iterator[tuple[str, str]]:
    """How far reviewers agree, a line each."""
    for one in summary.agreement:
        for agreement in one.agreements:
            if one.title == ALL or agreement.kappa is not None:
                yield "agreement", f"{one.title}, {agreement.who}: {agreement.in_words}"


def _training(summary: Summary) -> Iterator[tuple[str, str]]:
    """How the training went, from its begin to its end."""
    curves, metrics = summary.curves, summary.metrics
    for name, curve in {"loss": curves.loss, "eval loss": curves.eval_loss}.items():
        if curve:
            yield name, _from_to(curve)
    if curves.accuracy:
        yield "accuracy", f"{_from_to(curves.accuracy)} ({OF_EVALUATION})"
    own = [(step, one.accuracy) for step, one in metrics.items() if one.accuracy is not None]
    if own and not curves.accuracy:
        yield "accuracy", f"{_from_to(own)}, of the reviewed images"


def _from_to(curve: Curve) -> str:
    (first, begin), (last, end) = curve[0], curve[-1]
    return f"{begin:.3f} at step {first}, {end:.3f} at step {last}"


def as_text(summary: Summary, width: int | None = None) -> str:
    """The page for a terminal of some width, without its pictures; without one its lines are as
    long as they are."""

    def heading(text: str) -> list[str]:
        return wrapped(visible(text), width or sys.maxsize)

    lines = [*heading(summary.title), *_rows(_named_values(summary), width)]
    for listed in summary.lists.values():
        cells = [(str(one.image_id), one.label, one.note) for one in listed.images]
        outlook_row = [(listed.outlook,)] if listed.outlook else []
        lines += ["", *heading(listed.heading), *_rows(outlook_row, width), *_rows(cells, width)]
    return "\n".join(lines) + "\n"


def _named_values(summary: Summary) -> list[tuple[str, str]]:
    """What is said of the run, line by line."""
    return [
        *summary.properties,
        *_training(summary),
        ("outliers", stability(summary)),
        ("decided", _decided(summary)),
        *_agreement_in_words(summary),
    ]


def _rows(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Cells below each other, further in than the lines above them; numbers end below each
    other."""
    columns = [
        TextColumn(
            "", [visible(cell) for cell in cells], right=all(map(is_number, cells)), wraps=True
        )
        for cells in zip(*rows, strict=True)
    ]
    room = None if width is None else width - len(INDENT)
    return [f"{INDENT}{line}" for line in lay_out(columns, room).rows]


# -- as a page

HEADINGS = (
    "step",
    "epoch",
    "loss",
    "eval loss",
    "accuracy",
    "variance in 2-D",
    "neighbours kept",
    "trustworthiness",
    "continuity",
    "disparity",
)


def as_html(
    summary: Summary, images: RunImages, cards: Mapping[int, ImageCard] | None = None
) -> str:
    """The page with pictures, in one file that needs nothing else; nothing of the data set's names
    is read as HTML. ``cards`` say more of the images, by their rows."""
    parts = [
        *_properties_as_html(summary),
        *_contents(summary),
        *plots_as_html(summary.manifest, summary.curves),
        *_checkpoints_as_html(summary),
        *_lists_as_html(summary, images, cards or {}),
    ]
    return document(summary.title, parts)


def cards_of(run: RunFolder, summary: Summary, images: RunImages) -> dict[int, ImageCard]:
    """What the page's card says of the images that are shown, by their rows. Raises RunError where
    the run was built anew since."""
    manifest, rows = summary.manifest, shown_rows(summary)
    ends = (manifest.steps[0], manifest.steps[-1])
    return read_cards(run, images, manifest.fingerprint, ends, rows)


def shown_rows(summary: Summary) -> set[int]:
    """The images that the page shows, by their rows."""
    return {image.row for listed in summary.lists.values() for image in listed.images}


def _properties_as_html(summary: Summary) -> Iterator[str]:
    yield '<dl class="properties">'
    for name, value in _named_values(summary):
        yield f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>"
    yield "</dl>"


def _contents(summary: Summary) -> Iterator[str]:
    """Links to the lists, which are far down on a phone."""
    if summary.lists:
        yield '<nav aria-label="Lists"><ul>'
        for key, listed in summary.lists.items():
            yield f'<li><a href="#{html_text(key)}">{html_text(listed.heading)}</a></li>'
        yield "</ul></nav>"


def _checkpoints_as_html(summary: Summary) -> Iterator[str]:
    """A row a checkpoint; on a phone its values stand below each other, with their names."""
    yield '<h2>Checkpoints</h2><div class="scroll" tabindex="0" role="region" '
    yield 'aria-label="Checkpoints"><table class="stacked"><tr class="heading">'
    yield from (f"<th>{name}</th>" for name in HEADINGS)
    yield "</tr>"
    for one in summary.manifest.checkpoints:
        known = summary.metrics[one.step]
        cells = [
            one.name,
            "" if one.epoch is None else f"{one.epoch:.2f}",
            "" if one.loss is None else f"{one.loss:.3f}",
            "" if known.eval_loss is None else f"{known.eval_loss:.3f}",
            known.accuracy_text,
            one.variance_text,
            f"{100 * one.map_kept:.0f} %",
            *(f"{value:.2f}" for value in (one.trustworthiness, one.continuity, one.disparity)),
        ]
        named = zip(HEADINGS, cells, strict=True)
        yield "<tr>" + "".join(_cell(name, cell) for name, cell in named) + "</tr>"
    yield "</table></div>"
    note = accuracy_note(summary.metrics.values())
    if note:
        yield f'<p class="muted">{html_text(note)}</p>'


def _cell(name: str, cell: str) -> str:
    return f'<td data-name="{name}">{html_text(cell)}</td>'


def _lists_as_html(
    summary: Summary, images: RunImages, cards: Mapping[int, ImageCard]
) -> Iterator[str]:
    read = images.read_some(sorted(shown_rows(summary)), preview=True)
    addresses = {row: picture_address(data) for row, data in read}
    for key, listed in summary.lists.items():
        yield f'<h2 id="{html_text(key)}">{html_text(listed.heading)}</h2>'
        if listed.outlook:
            yield f'<p class="muted">{html_text(listed.outlook)}</p>'
        yield '<div class="cards">'
        for image in listed.images:
            name, number = image.label or "no label", f"#{image.image_id}"
            address, card = addresses.get(image.row, ""), cards.get(image.row)
            yield card_figure(name, number, [image.note], address, card)
        yield "</div>"
