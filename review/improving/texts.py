"""Says what a proof is about, how long it takes and what came of it: first the verdict in a
sentence for everybody, then the numbers for whoever checks it. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from review_embeddings.pipeline.analysis.paired import (
    GAIN,
    LEVEL,
    LOSS,
    NOISE,
    POWER,
    UNDECIDABLE,
    PairedDifference,
    seeds_needed,
)
from review_embeddings.pipeline.run.commandline import command_line
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.text import visible
from review_embeddings.pipeline.textcolumns import TextColumn, lay_out, wrapped
from review_embeddings.review.improving.folder import AFTER, BEFORE, ProofFolder, ProofRecord

if TYPE_CHECKING:
    from review_embeddings.pipeline.training.plan import Schedule
    from review_embeddings.pipeline.training.setup import Speed
    from review_embeddings.review.improving.evidence import ComparedArms, Proof

FEW_SEEDS = 5
"""With fewer than these the intervals of classes are wide whatever there is to see."""

ONE_OF = {"relabels": "relabelled", "removals": "removed", "duplicates": "removed as copies"}
"""What was done with the images of each kind of change."""


DIFFERENCE = "points"
"""Heading of differences: percentage points."""

_IMAGES_ONLY = "The intervals know the images only, not how trainings differ."

_HEADINGS = (DIFFERENCE, "interval", "")


# -- before the trainings


def no_training_image(run: RunFolder, record: ProofRecord, decisions: int) -> str:
    """The sentence where the decisions change nothing in the training split."""
    what = f"None of the {decisions:,} decisions of {record.decisions} changes a training image"
    if decisions == 1:
        what = f"The one decision of {record.decisions} changes no training image"
    elif not decisions:
        what = f"There is no decision in {record.decisions}: none changes a training image"
    text = f"{what} of {run} (split {record.train_split})"
    if record.about_evaluation:
        are = "it is" if decisions == 1 else "1 is" if record.about_evaluation == 1 else ""
        text += (
            f": {are or f'{record.about_evaluation:,} are'} about {record.eval_split}, on which "
            f"the models are evaluated, and a better accuracy on a changed test set is no proof"
        )
    command = command_line("--first", "--last", "--run", run, "--split", record.train_split)
    return f"{text}. Review the training split: {command}"


def notes_before(record: ProofRecord, *, explains: bool) -> Iterator[str]:
    """What is compared, before the first training."""
    yield f"Decisions of {record.decisions}, as of {record.decisions_as_of}: {_changes(record)}"
    if record.limit is not None:
        yield (
            f"A quick look: {record.images:,} of {record.of_images:,} training images, which is no "
            f"proof for all of them"
        )
    yield (
        f"Every model is evaluated on split {record.eval_split!r} as it is, "
        f"{record.evaluated:,} images"
    )
    if record.about_evaluation:
        yield (
            f"Not applied: {_count(record.about_evaluation, 'decision')} about images of "
            f"{record.eval_split!r}, which stays as it is"
        )
    if record.elsewhere:
        yield (
            f"Not applied: {_count(record.elsewhere, 'decision')} about images that are not "
            f"trained on here"
        )
    if record.leaked:
        yield (
            f"Training images that are in {record.eval_split!r}, too: {record.leaked:,}. What "
            f"changes with these is no gain or loss on new images"
        )
    if record.request.load_best:
        yield (
            f"The best checkpoint of each training is chosen on {record.eval_split!r} "
            f"(--load-best): all accuracies are somewhat too good, before as after"
        )
    if explains and sum(count > 0 for count in record.counts.values()) < 2:
        yield "All changes are of one kind: there is nothing for --explain to tell apart"


def expected(trainings: int, schedule: Schedule, images: int, speed: Speed) -> str:
    """How long so many trainings will take, each with so many images to evaluate at each of its
    checkpoints, from a measured step."""
    times = len(schedule.frames)
    seconds = trainings * speed.seconds(schedule.total, times * images)
    return (
        f"Expected: about {duration(seconds)} for {_count(trainings, 'training')} of "
        f"{schedule.total:,} steps, with {images:,} images to evaluate {times} times (a step takes "
        f"{speed.step:.2f} s, an image {1000 * speed.image:.1f} ms, measured just now)"
    )


def duration(seconds: float) -> str:
    """As people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _changes(record: ProofRecord) -> str:
    changed = [f"{count:,} {ONE_OF[kind]}" for kind, count in record.counts.items() if count]
    return f"{', '.join(changed)} of {record.images:,} training images"


# -- after them


def verdict(proof: Proof, record: ProofRecord) -> str:
    """What the evaluation on the untouched split allows to say, for everybody."""
    found = proof.overall.difference
    where = f"on the untouched split {record.eval_split!r}"
    change = f"accuracy {where} is {points(abs(found.difference))} percentage points "
    change += _way(found)
    if found.difference == 0:
        change = f"accuracy {where} is the same"
    if found.verdict == UNDECIDABLE:
        return (
            f"One seed proves nothing: {change} with seed {proof.seeds[0]}, and how much that "
            f"differs from training to training is not known. Use --seeds 3 or more."
        )
    noise = f"({_interval(found)}, {len(proof.seeds)} seeds)"
    if found.verdict == GAIN:
        return f"The decisions helped: {change} {noise}, more than noise explains."
    if found.verdict == LOSS:
        return f"The decisions did harm: {change} {noise}, more than noise explains."
    if _is_of_few_images(found):
        rests = f"rests on {_count(found.better + found.worse, 'image')}"
        return f"No gain can be shown: {change} {noise}, but {rests}, too few for the sign test."
    return f"No gain can be shown: {change} {noise}, which is within the noise."


def _is_of_few_images(found: PairedDifference) -> bool:
    """Whether it is noise although the interval does not hold 0."""
    return found.verdict == NOISE and not found.low <= 0 <= found.high


def _way(found: PairedDifference) -> str:
    return "higher" if found.difference > 0 else "lower"


def report(
    proof: Proof, record: ProofRecord, folder: ProofFolder, cost: str, width: int | None
) -> list[str]:
    """All that is shown, in lines of this width."""
    found = proof.overall.difference
    texts = [verdict(proof, record), *_restrictions(proof, record)]
    lines = [line for text in texts for line in _lines(text, width)]
    lines += ["", *_seeds(proof, width), ""]
    lines += _lines(
        f"{found.better:,} of {found.images:,} images are right more often after the decisions, "
        f"{found.worse:,} less often.",
        width,
    )
    lines += ["", *_classes(proof, width)]
    lines += _carried(proof, width)
    lines += _corrected(proof, record, width)
    lines += [""]
    for text in _about(record, folder, cost, proof):
        lines += _lines(text, width)
    return lines


def _restrictions(proof: Proof, record: ProofRecord) -> Iterator[str]:
    """What keeps the verdict from being the last word."""
    found = proof.overall.difference
    if found.verdict == NOISE and not _is_of_few_images(found):
        yield f"{_power(found)}."
    if record.limit is not None:
        yield (
            f"This was a quick look at {record.images:,} of {record.of_images:,} training images: "
            f"without --limit it may come out otherwise."
        )
    if found.level > LEVEL:
        yield (
            f"Results were looked at before with other numbers of seeds, so that the interval is "
            f"that of {_percent(found.level)}: who tries until there is a gain finds one by luck."
        )


def _power(found: PairedDifference) -> str:
    """What would have been found."""
    trials = f"would be found in {_percent(POWER)} of such trials"
    if found.detectable > 1:
        return f"No true difference, however large, {trials}: images or seeds are too few"
    text = f"A true difference of {points(found.detectable)} points {trials}"
    needed = seeds_needed(found, abs(found.difference)) if found.difference else None
    if needed is not None:
        text += f"; for one of {points(abs(found.difference))} about {needed} seeds are needed"
    return text


def _seeds(proof: Proof, width: int | None) -> list[str]:
    """The accuracy of each seed."""
    whole, found = proof.overall, proof.overall.difference
    rows = [
        [str(seed), _share(one), _share(other), signed(difference)]
        for seed, one, other, difference in zip(
            proof.seeds, whole.before, whole.after, found.by_seed, strict=True
        )
    ]
    if len(rows) > 1:
        rows.append(["mean", _mean(whole.before), _mean(whole.after), signed(found.difference)])
    return table(("seed", BEFORE, AFTER, DIFFERENCE), rows, width)


def _classes(proof: Proof, width: int | None) -> list[str]:
    """The classes, those that changed most first."""
    ordered = sorted(proof.classes.items(), key=lambda item: -abs(item[1].difference.difference))
    rows = [[name, *_cells(one)] for name, one in ordered]
    level = next(iter(proof.classes.values())).difference.level
    lines = table(("class", "images", BEFORE, AFTER, *_HEADINGS), rows, width, texts=(0, 6))
    note = (
        f"Intervals of {_percent(level)} each, so that all {len(rows)} together hold in "
        f"{_percent(LEVEL)}; what is not marked is within the noise."
    )
    if len(proof.seeds) == 1:
        note = _IMAGES_ONLY
    elif len(proof.seeds) < FEW_SEEDS:
        note += f" More seeds make them narrower: {len(proof.seeds)} say little of single classes."
    return [*lines, *_lines(note, width)]


def _cells(one: ComparedArms) -> list[str]:
    found = one.difference
    return [
        f"{found.images:,}",
        _mean(one.before),
        _mean(one.after),
        signed(found.difference),
        _span(found),
        {GAIN: "better", LOSS: "worse"}.get(found.verdict, ""),
    ]


def _carried(proof: Proof, width: int | None) -> list[str]:
    """What each kind of change adds to all others."""
    if not proof.carried:
        return []
    rows = [
        [kind, signed(one.difference.difference), _span(one.difference), _carries(one)]
        for kind, one in proof.carried.items()
    ]
    level = next(iter(proof.carried.values())).difference.level
    heading = "What each kind of decision adds to the others (trained again without it):"
    note = f"Intervals of {_percent(level)} each, so that all hold in {_percent(LEVEL)}."
    if len(proof.seeds) == 1:
        note = _IMAGES_ONLY
    return [
        "",
        *_lines(heading, width),
        *table(("without", *_HEADINGS), rows, width, texts=(0, 3)),
        *_lines(note, width),
    ]


def _carries(one: ComparedArms) -> str:
    texts = {GAIN: "they helped", LOSS: "they did harm", UNDECIDABLE: ""}
    return texts.get(one.difference.verdict, "within the noise")


def _corrected(proof: Proof, record: ProofRecord, width: int | None) -> list[str]:
    """The changed evaluation split, beside the untouched one."""
    if proof.corrected is None:
        return []
    found = proof.corrected.difference
    text = (
        f"With the decisions applied to {record.eval_split!r} as well ({found.images:,} images) "
        f"the difference is {signed(found.difference)} points ({_interval(found)}). That is no "
        f"proof: the test set was changed by the same decisions."
    )
    return ["", *_lines(text, width)]


def _about(record: ProofRecord, folder: ProofFolder, cost: str, proof: Proof) -> Iterator[str]:
    yield f"Compared: {_changes(record)}, decisions of {record.decisions}."
    yield f"Cost: {cost}."
    if len(proof.seeds) > 1:
        yield (
            f"Interval: paired differences with seeds and images as crossed random effects, "
            f"Student's t of SciPy with Satterthwaite's degrees of freedom, "
            f"{proof.overall.difference.degrees_of_freedom:.1f}."
        )
    yield f"All numbers: {folder.result}; each model's answers: {folder.predictions}"
    run = folder.run(AFTER, proof.seeds[0])
    yield f"Review a model: {command_line('--first', '--last', '--run', run)}"


# -- numbers


def points(share: float) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * share:.2f}"


def signed(share: float) -> str:
    """Likewise with its sign."""
    return f"{100 * share:+.2f}"


def _span(found: PairedDifference) -> str:
    return f"{signed(found.low)} to {signed(found.high)}"


def _interval(found: PairedDifference) -> str:
    return f"{_percent(found.level)} interval {_span(found)}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def _share(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"


def _mean(accuracies: Sequence[float]) -> str:
    return _share(sum(accuracies) / len(accuracies))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _lines(text: str, width: int | None) -> list[str]:
    text = visible(text)
    return [text] if width is None else wrapped(text, width)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int | None,
    texts: Sequence[int] = (),
) -> list[str]:
    """Lines of a table; the columns ``texts`` are no numbers."""
    columns = [
        TextColumn(heading, [visible(row[index]) for row in rows], index not in texts)
        for index, heading in enumerate(headings)
    ]
    laid = lay_out(columns, width)
    return [*laid.heading, *laid.rows]
