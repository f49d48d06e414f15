"""Makes the page of several runs side by side: the images that all of them have, and each run's
maps turned onto those of the first by these images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.pairs import Matching, Similarity, align_maps, match
from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.images.sample import balanced_sample
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.table import consistently
from review_embeddings.review.page.about.extent import usual_range
from review_embeddings.review.page.sample import SEED, Sample
from review_embeddings.review.share.blob import Blob
from review_embeddings.review.share.content import SharedContent, read_content
from review_embeddings.review.share.fit import SIDES, images_within
from review_embeddings.review.share.make import MB, SharedPage, page_bytes
from review_embeddings.review.share.options import PRIVATE, ShareSettings
from review_embeddings.review.share.page import GALLERY, shared_page
from review_embeddings.review.share.pictures import picture_sizes

MAX_RUNS = 4
"""More maps are too small side by side."""

LISTED = ("worst", "consensus", "labels", "forgotten")
"""The lists of each run that stand on the page, by key: what is suspected of its images."""

ROWS = "common"
"""Array of a blob: its row of each common image, in the order of the first run."""


@dataclass(frozen=True)
class GalleryRun:
    """One of the runs, of the images of the page."""

    name: str
    """For people."""
    content: SharedContent
    rows: NDArray[np.int64]
    """Shape (M,): row of each image of the page, in the order of the first run."""

    @property
    def maps(self) -> NDArray[np.float64]:
        """Coordinates at each checkpoint, shape (K, M, 2), in the order of the first run."""
        numbers = self.content.source.shown.numbers
        both = np.stack([numbers[c.X], numbers[c.Y]], axis=2)
        return np.asarray(both[:, self.rows], dtype=np.float64)

    def turned(self, fit: Similarity) -> GalleryRun:
        """The same with all of its maps moved alike."""
        source = self.content.source
        numbers = dict(source.shown.numbers)
        points = np.stack([numbers[c.X], numbers[c.Y]], axis=2)
        moved = fit.apply(points.reshape(-1, 2)).reshape(points.shape)
        shown = replace(source.shown, numbers={**numbers, c.X: moved[..., 0], c.Y: moved[..., 1]})
        return replace(self, content=replace(self.content, source=replace(source, shown=shown)))


def make_gallery(
    runs: Sequence[RunFolder], settings: ShareSettings, *, progress: Progress = SILENT
) -> SharedPage:
    """The page of some runs, the first of which the others are turned onto, each as it is at one
    moment. Raises ReviewError; SettingsError where they have no image in common, or the page cannot
    be as small as it should."""
    settings.check()
    if not 2 <= len(runs) <= MAX_RUNS:
        raise SettingsError(f"--gallery shows 2 to {MAX_RUNS} runs side by side, not {len(runs)}.")
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise SettingsError("--gallery names a run twice. Name each once.")
    if settings.private:
        raise SettingsError(
            f"--with {','.join(settings.private)}: a gallery holds nothing of these. Leave it out."
        )
    make = _Gallery(runs, settings, progress).page
    for run in runs:
        make = _as_one(run, make)
    return make()


def _as_one(run: RunFolder, make: Any) -> Any:
    return lambda: consistently(run, make)


@dataclass(frozen=True)
class _Gallery:
    folders: Sequence[RunFolder]
    settings: ShareSettings
    progress: Progress

    def page(self) -> SharedPage:
        """The first that fits."""
        images = [_images_of(run) for run in self.folders]
        matching = match(*(one.hashes for one in images))
        if not len(matching):
            names = " and ".join(map(str, self.folders))
            raise SettingsError(f"{names} have no image in common: nothing links their maps.")
        most = self.settings.max_mb * MB
        count = min(len(matching), self.settings.images or len(matching))
        while True:
            runs = self._read(images, matching, count)
            size, page = self._fitting(runs, len(matching), most)
            if page is not None:
                return page
            within = images_within(count, size, page_bytes(0, GALLERY), most)
            fewer = min(max(within, count // 2), count - 1)
            if fewer < 1:
                raise SettingsError(
                    f"--max-mb {self.settings.max_mb:g}: a page of these runs takes more. "
                    "Name more MB."
                )
            count = fewer

    def _read(
        self, images: Sequence[RunImages], matching: Matching, count: int
    ) -> list[GalleryRun]:
        """The runs, of so many common images, on one map."""
        rows = matching.rows[:, np.argsort(matching.rows[0], kind="stable")]
        labels = None if images[0].labels is None else images[0].labels[rows[0]]
        rows = rows[:, balanced_sample(labels, len(matching), count, SEED)]
        runs = []
        for folder, own, name, total in zip(
            self.folders, rows, self._names, map(len, images), strict=True
        ):
            positions = np.sort(own).astype(np.int64)
            sample = Sample(positions, total, "in all runs")
            content = read_content(folder, self.settings, 0, {}, sample=sample)
            runs.append(GalleryRun(name, content, np.searchsorted(positions, own)))
        first = runs[0].maps[-1]
        return [runs[0], *(run.turned(align_maps(run.maps[-1], first)) for run in runs[1:])]

    @property
    def _names(self) -> list[str]:
        """Of the folders, or their whole paths where these are the same."""
        names = [run.path.resolve().name for run in self.folders]
        return names if len({*names}) == len(names) else [str(run) for run in self.folders]

    def _fitting(
        self, runs: Sequence[GalleryRun], common: int, most: float
    ) -> tuple[float, SharedPage | None]:
        """How large the smallest page would be, and the first that fits."""
        blobs, count = _blobs(runs), len(runs[0].rows)
        fixed = sum(blob.packed_bytes() for blob in blobs)
        sizes: list[tuple[int | None, float]] = [(None, 0.0)]
        if self.settings.pictures:
            found = picture_sizes(runs[0].content.images, SIDES)
            sizes = [*zip(found.sides, found.bytes_each, strict=True)]
        size = 0.0
        for side, each in sizes:
            size = page_bytes(fixed + each * count, GALLERY)
            if size <= most:
                page = self._page(runs, blobs, side, common, sizes[0][0])
                if page.bytes <= most:
                    return size, page
        return size, None

    def _page(
        self,
        runs: Sequence[GalleryRun],
        blobs: Sequence[Blob],
        side: int | None,
        common: int,
        largest: int | None,
    ) -> SharedPage:
        first, images = blobs[0], runs[0].content.images
        if side is not None:
            first = first.with_pictures(images, side, self.progress)
        title = self.settings.title or " · ".join(run.name for run in runs)
        count = len(images)
        holds = list(_holds(title, runs, side))
        left_out = []
        if count < min(common, self.settings.images or common):
            left_out.append(f"{common - count:,} of {common:,} common images: a seeded sample")
        if side is not None and largest is not None and side < largest:
            left_out.append(f"thumbnails of {largest} pixels: these have {side}")
        first = first.with_more({"holds": holds, "leftOut": left_out, "title": title})
        first = first.with_more({"common": common})
        return SharedPage(
            title,
            shared_page(title, [first, *blobs[1:]], first.pictures_text(), GALLERY),
            count,
            common,
            runs[0].content.steps,
            side,
            first.missing if side is not None else 0,
            holds,
            left_out,
            len(runs),
        )


def _images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    if images is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    return images


def _blobs(runs: Sequence[GalleryRun]) -> list[Blob]:
    """Of each run, without pictures, reasons, and nearest images between the ends."""
    extent, found = _extent(runs), []
    reference = runs[0].maps[-1]
    for run in runs:
        blob = run.content.blob(run.name, all_nearest=False)
        session = {**blob.head["session"], "extent": extent, "lists": _lists(run)}
        pack = blob.pack.copy()
        pack.add_whole(ROWS, run.rows)
        disparity = align_maps(run.maps[-1], reference).disparity
        head = {**blob.head, "session": session, "disparity": round(disparity, 4)}
        head["reasons"] = [[] for _ in run.rows]
        found.append(Blob(head, pack))
    return found


def _lists(run: GalleryRun) -> list[dict[str, Any]]:
    """Those of `LISTED` that have images which are on the page."""
    lists: list[dict[str, Any]] = run.content.content.session["lists"]
    return [one for one in lists if one["key"] in LISTED and one["rows"]]


def _extent(runs: Sequence[GalleryRun]) -> Mapping[str, list[float]]:
    """What the maps of all runs show: `usual_range` of every checkpoint."""
    ranges = [
        [usual_range(points[:, axis]) for run in runs for points in run.maps] for axis in (0, 1)
    ]
    return {
        name: [min(low for low, _ in found), max(high for _, high in found)]
        for name, found in zip(("x", "y"), ranges, strict=True)
    }


def _holds(title: str, runs: Sequence[GalleryRun], side: int | None) -> Iterator[str]:
    count = len(runs[0].rows)
    yield f"title: {title}"
    yield f"the names of the runs: {', '.join(run.name for run in runs)}"
    steps = " and ".join(str(len(run.content.steps)) for run in runs)
    labels = "label, class names; " * any(run.content.images.classes for run in runs)
    yield (
        f"{count:,} images that all runs have: image_id, {labels}at {steps} "
        "checkpoints prediction, probabilities, outlier scores, coordinates, nearest images"
    )
    lists = ", ".join(f"{len(_lists(run))} of {run.name}" for run in runs)
    yield f"lists of images: {lists}"
    if side is not None:
        yield f"{count:,} thumbnails of at most {side} pixels, without metadata"
    if any(any(run.content.training.values()) for run in runs):
        yield "how the trainings went: loss and accuracy"
    yield f"no {', '.join([*([] if side else ['pictures']), *PRIVATE.values()])}"
