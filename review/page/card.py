"""All that the review shows of one image: why it is listed, what both ends of the training and all
checkpoints between them say of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.lists import LISTS, lists_of
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.reading import percentiles_of, read_candidates
from review_embeddings.review.lists.suggestion import suggested_label
from review_embeddings.review.lists.words import DISAGREEMENT, REGIME, disagreement, reasons, regime
from review_embeddings.review.page.beside.found import FoundFiles, without_repeats
from review_embeddings.review.page.beside.shown import BesideFiles, ShownBeside, read_beside
from review_embeddings.review.page.nearest import BESIDE, nearest_images
from review_embeddings.review.page.sessionfile import SessionFile
from review_embeddings.review.page.shownrun import ShownRun, read_shown


@dataclass(frozen=True)
class CardEnd:
    """What is known of one image at one checkpoint; None where it is not."""

    step: int
    prediction: str | None
    confidence: float | None
    """Probability of the prediction, in [0, 1]."""
    label_confidence: float | None
    """Probability of the given label, in [0, 1]."""
    outlier_rank: int
    """1 is the most atypical image of all."""
    outlier_percentile: float
    """In [0, 100]: low is atypical."""
    run: str = ""
    """Key of the run that it is of, where another one is compared; empty for the page's own."""
    images: int = 0
    """How many images that run has, among which the rank is; 0 for those of the card."""


@dataclass(frozen=True)
class ImageCard:
    """All that is shown of one image; one number a checkpoint where there are several."""

    row: int
    """Of the page."""
    image_id: int
    images: int
    """How many images the run has, among which its ranks are."""
    label: str | None
    suggested: str | None
    """The class that fits best, where another one fits better than the label."""
    reasons: list[str]
    """Why it is listed, in words, the strongest reason first."""
    lists: list[str]
    """Keys of the lists that it is in."""
    ends: list[CardEnd]
    """The first and the last checkpoint on the page, or one; where runs are compared, the last one
    of each."""
    checkpoints: list[CardEnd]
    """The same of each checkpoint, ascending."""
    classes: list[tuple[str, float]]
    """In order of their probability at the last checkpoint on the page; empty without them."""
    steps: list[int]
    """All checkpoints, ascending."""
    label_curve: list[float | None] | None
    """Probability of the given label; None where it has none."""
    suggested_curve: list[float | None] | None
    """Probability of the suggested class; None without one."""
    percentile_curve: list[float]
    """Percentile of the outlier score, in [0, 100]: low is atypical."""
    way: list[tuple[float, float]]
    """Its coordinates on the map at each checkpoint."""

    @property
    def as_json(self) -> dict[str, Any]:
        """As the page takes it, with names in its spelling."""
        return {
            **_in_camel_case(asdict(self)),
            **{
                name: [_in_camel_case(asdict(end)) for end in ends]
                for name, ends in (("ends", self.ends), ("checkpoints", self.checkpoints))
            },
        }


def _in_camel_case(named: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: name.split("_") for name in named}
    return {
        "".join([first, *map(str.capitalize, others)]): named[name]
        for name, (first, *others) in words.items()
    }


@dataclass(frozen=True)
class CardFindings:
    """What of a card is no number of the table."""

    suggested: str | None
    reasons: list[str]
    classes: list[tuple[str, float]]
    suggested_curve: list[float | None] | None
    """As of `ImageCard`."""


@dataclass(frozen=True)
class CardSource:
    """Makes the cards of one page."""

    shown: ShownRun
    ends: tuple[int, ...]
    """Numbers of the checkpoints at the ends of the page, ascending."""
    candidates: Candidates
    listed: Mapping[int, Sequence[str]]
    """Keys of the lists that an image is in, by its row."""

    others: tuple[ShownBeside, ...] = ()
    """The runs that the page compares with its own."""

    @property
    def end_steps(self) -> list[int]:
        """The steps at the ends of the page that a card tells of."""
        return [self.shown.steps[at] for at in self._own_ends]

    @property
    def _own_ends(self) -> tuple[int, ...]:
        return self.ends[-1:] if self.others else self.ends

    def shown_of(self, key: str) -> ShownRun:
        """The page's own run, or another one by its key. Raises SettingsError for one that there
        is not."""
        runs = {"": self.shown, **{other.key: other.shown for other in self.others}}
        if key not in runs:
            raise SettingsError(f"There is no run {key} on this page.")
        return runs[key]

    def nearest(self, row: int, step: int | None = None) -> list[dict[str, Any]]:
        """The nearest images of an image at a step or, without one, at the ends of its card, as
        `nearest_images`. Raises SettingsError for a row or a step that the page has not."""
        if step is not None:
            return nearest_images(self.shown, row, [step])
        return [
            *nearest_images(self.shown, row, self.end_steps),
            *(
                found | {"run": other.key}
                for other in self.others
                for found in nearest_images(other.shown, row, [other.step])
            ),
        ]

    def card(self, row: int) -> ImageCard:
        """The card of an image. Raises SettingsError for a row that the page has not."""
        shown, position = self.shown, self.shown.position_of(row)
        label, found = shown.label_of(position), self.findings(row)
        numbers = shown.numbers
        way = np.stack([numbers[c.X][:, row], numbers[c.Y][:, row]], axis=1)
        return ImageCard(
            row=row,
            image_id=int(shown.images.ids[position]),
            images=len(shown.images),
            label=label,
            suggested=found.suggested,
            reasons=found.reasons,
            lists=list(self.listed.get(row, ())),
            ends=[
                *(end_of(shown, at, row) for at in self._own_ends),
                *(
                    replace(
                        end_of(one.shown, one.last, row), run=one.key, images=len(one.shown.images)
                    )
                    for one in self.others
                ),
            ],
            checkpoints=[end_of(shown, at, row) for at in range(len(shown.steps))],
            classes=found.classes,
            steps=shown.steps,
            label_curve=None if label is None else _known(numbers[c.SELF_CONFIDENCE][:, row]),
            suggested_curve=found.suggested_curve,
            percentile_curve=_rounded(numbers[c.OOD_PERCENTILE][:, row], 3),
            way=[(x, y) for x, y in _rounded(way, 4)],
        )

    def findings(self, row: int, classes: int | None = None) -> CardFindings:
        """What of the card of an image is no number of the table, with so many of its most likely
        classes, all by default. Raises as `card`."""
        position = self.shown.position_of(row)
        suggested = suggested_label(self.candidates, position)
        return CardFindings(
            suggested,
            self._reasons(self.listed.get(row, ()), position),
            self._classes(position, classes),
            None if suggested is None else self._curve_of(suggested, position),
        )

    def _reasons(self, keys: Sequence[str], position: int) -> list[str]:
        near = self.shown.neighbors[self.ends[-1]][position][:BESIDE]
        label = self.shown.label_of(position)
        other = disagreement(label, [self.shown.label_of(int(one)) for one in near])
        others = [] if other is None else [(DISAGREEMENT, other)]
        known = [LISTS[key] for key in without_repeats(keys) if key in LISTS]
        if any(one.suggests == "relabel" for one in known):
            others += [(REGIME, text) for text in regime(self.candidates, position)]
        return reasons(known, self.candidates, position, others)

    def _classes(self, position: int, most: int | None) -> list[tuple[str, float]]:
        classes = self.shown.images.classes
        if classes is None:
            return []
        likely = self.shown.judged(self.ends[-1], position).stated[0]
        order = np.argsort(-likely, kind="stable")[:most]
        return [(classes[code], float(f"{likely[code]:.3g}")) for code in order.tolist()]

    def _curve_of(self, name: str, position: int) -> list[float | None]:
        """The probability of a class at each checkpoint."""
        code = (self.shown.images.classes or []).index(name)
        found = [
            self.shown.judged(at, position).stated[0, code] for at in range(len(self.shown.steps))
        ]
        return _known(np.array(found))


def end_of(shown: ShownRun, at: int, row: int) -> CardEnd:
    """What a run says of the image in a row of the page, at a checkpoint by its number."""
    numbers, code = shown.numbers, int(shown.predictions[at, row])
    classes = shown.manifest.prediction_classes
    return CardEnd(
        step=shown.steps[at],
        prediction=None if code < 0 or classes is None else classes[code],
        confidence=_known(numbers[c.CONFIDENCE][at, row : row + 1])[0],
        label_confidence=_known(numbers[c.SELF_CONFIDENCE][at, row : row + 1])[0],
        outlier_rank=int(numbers[c.OOD_RANK][at, row]),
        outlier_percentile=_rounded(numbers[c.OOD_PERCENTILE][at, row], 3),
    )


def _rounded(values: Any, digits: int) -> Any:
    """As JSON, without the digits that float32 only seems to have."""
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()


def _known(values: NDArray[Any]) -> list[float | None]:
    """Probabilities; None for NaN."""
    return [None if one != one else one for one in _rounded(values, 4)]


class Cards:
    """The cards of the page that is shown now. Safe to be asked from several threads."""

    def __init__(
        self,
        run: RunFolder,
        session: SessionFile,
        positions: NDArray[np.int64] | None,
        earlier: Sequence[RunFolder] = (),
        others: Sequence[BesideFiles] = (),
        found: FoundFiles | None = None,
    ) -> None:
        """``positions`` are the rows of the run that the page shows, None for all; ``earlier`` runs
        on the same images lend their percentiles, ``others`` stand beside it; ``found`` is what
        is found between them."""
        self._run, self._session, self._positions = run, session, positions
        self._earlier, self._others, self._found = earlier, others, found
        self._guard = threading.Lock()
        self._made: tuple[Any, CardSource] | None = None

    def card(self, row: int) -> ImageCard:
        """The card of an image. Raises SettingsError for a row that the page has not,
        OtherTableError where the run was built anew before anything was read of it."""
        return self.source().card(row)

    def source(self) -> CardSource:
        """What makes them, read once for a page: whatever becomes of the run later, it is answered
        from what was read. Raises as `card`."""
        session = self._session.read()
        with self._guard:
            if self._made is None or self._made[0] is not session:
                self._made = None  # not both in memory
                self._made = (session, self._read(session))
            return self._made[1]

    def _read(self, session: Mapping[str, Any]) -> CardSource:
        source = card_source(
            self._run, session, self._positions, before=percentiles_of(self._earlier)
        )
        if self._found is None:
            return source
        candidates = replace(source.candidates, beside=self._found.read())
        return replace(source, candidates=candidates, others=read_beside(self._others))


def card_source(
    run: RunFolder,
    session: Mapping[str, Any],
    positions: NDArray[np.int64] | None,
    *,
    before: Mapping[str, float] | None = None,
) -> CardSource:
    """What makes the cards of a page, by what it has to know. ``before`` are the percentiles of
    earlier runs by image hash. Raises as `Cards.card`."""
    if "shown" not in session:
        raise RunError("This page shows no checkpoints.")
    shown = read_shown(run, session.get("table", ""), positions)
    first, last = session["shown"][0], session["shown"][-1]
    candidates = read_candidates(
        run,
        shown.images,
        lists_of("page"),
        (first, last),
        decisions={},  # which images a list has, the page has chosen
        before=before,
    )
    ends = tuple(shown.steps.index(step) for step in dict.fromkeys((first, last)))
    return CardSource(shown, ends, candidates, _keys_by_row(session.get("lists", [])))


def _keys_by_row(lists: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    keys: dict[int, list[str]] = {}
    for one in lists:
        for row in one["rows"]:
            keys.setdefault(row, []).append(one["key"])
    return keys
