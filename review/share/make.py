"""Makes the page of a run, of at most so many bytes, and says what is in it and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import consistently
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.exchange.targets import check_target
from review_embeddings.review.share.blob import Blob
from review_embeddings.review.share.content import SharedContent, decisions_to_share, read_content
from review_embeddings.review.share.fit import ROOM, SIDES, PageForm, forms, images_within
from review_embeddings.review.share.options import PRIVATE, ShareSettings
from review_embeddings.review.share.page import ENTRY, shared_page
from review_embeddings.review.share.pictures import picture_sizes
from review_embeddings.review.share.readme import readme_text
from review_embeddings.review.share.titles import title_of

MB = 1e6

UNTITLED = "Review"

DEFAULT = ShareSettings()


@dataclass(frozen=True)
class SharedPage:
    """A page that is not written yet."""

    title: str
    text: str
    images: int
    total: int
    """Images of the run."""
    steps: list[int]
    side: int | None
    """Of its thumbnails, in pixels; None without."""
    missing: int
    """Images that cannot be shown any more."""
    holds: list[str]
    """What leaves the run with it."""
    left_out: list[str]
    """What it does not hold because that would not fit."""
    runs: int = 1
    """How many it shows."""

    @property
    def bytes(self) -> int:
        """Of its file."""
        return len(self.text.encode(errors="replace"))

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        with whole_file(path) as temporary:
            temporary.write_text(self.text, encoding="utf-8", errors="replace")

    def write_readme(self, path: Path, page: Path) -> None:
        """Write the text for a page that lies at ``page``, whole or not at all."""
        text = readme_text(self.title, page.name, self.images, self.steps, self.holds, self.runs)
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="replace")


def share(run: RunFolder, out: Path, settings: ShareSettings = DEFAULT) -> SharedPage:
    """Write the page of a run to a file. Raises as `make_page`, and SettingsError for a path that
    must not be written."""
    check_target(run, out)
    page = make_page(run, settings)
    page.write(out)
    return page


def make_page(
    run: RunFolder, settings: ShareSettings, *, progress: Progress = SILENT
) -> SharedPage:
    """The page of a run as it is at one moment. Raises ReviewError, and SettingsError where it
    cannot be as small as it should."""
    settings.check()
    decided = decisions_to_share(run, settings.private, progress.note)
    return consistently(run, lambda: _Making(run, settings, decided, progress).page())


@dataclass(frozen=True)
class _Making:
    """Tries one form after the other."""

    run: RunFolder
    settings: ShareSettings
    decided: Mapping[str, Decision]
    progress: Progress

    def page(self) -> SharedPage:
        """The first that fits."""
        content, most = self._read(self.settings.images), self.settings.max_mb * MB
        asked, size, tried = len(content.images), 0.0, PageForm(False, None)
        numbers: dict[bool, int] = {}
        for form in self._forms(content):
            if form.all_nearest not in numbers:
                numbers[form.all_nearest] = self._blob(content, form).packed_bytes()
            tried = form
            size = page_bytes(numbers[form.all_nearest] + form.bytes_each * asked)
            if size <= most and (page := self._page(content, form, asked)).bytes <= most:
                return page
        while (fewer := self._fewer(content, size)) < len(content.images):
            content = self._read(fewer)
            page = self._page(content, tried, asked)
            if page.bytes <= most:
                return page
            size = page.bytes
        raise SettingsError(
            f"--max-mb {self.settings.max_mb:g}: with the images of the lists alone the page takes "
            f"{size / MB:.1f} MB. Name more MB"
            + (", or leave the pictures out with --no-images." if tried.side else ".")
        )

    def _read(self, images: int) -> SharedContent:
        return read_content(self.run, self.settings, images, self.decided, self.progress)

    def _forms(self, content: SharedContent) -> Iterator[PageForm]:
        sizes = picture_sizes(content.images, SIDES) if self.settings.pictures else None
        return forms(sizes, several=len(content.steps) > 2)

    def _fewer(self, content: SharedContent, size: float) -> int:
        """How many images may fit, where these take ``size`` bytes."""
        most = self.settings.max_mb * MB
        fits = images_within(len(content.images), size, page_bytes(0), most)
        return max(content.listed, fits)

    def _blob(self, content: SharedContent, form: PageForm) -> Blob:
        return content.blob(self._title(content), all_nearest=form.all_nearest)

    def _title(self, content: SharedContent) -> str:
        return self.settings.title or title_of(self.run, content.steps[-1]) or UNTITLED

    def _page(self, content: SharedContent, form: PageForm, asked: int) -> SharedPage:
        blob, title = self._blob(content, form), self._title(content)
        if form.side is not None:
            blob = blob.with_pictures(content.images, form.side, self.progress)
        holds = list(_holds(content, form, title, self.settings))
        left_out = list(_left_out(content, form, asked))
        blob = blob.with_more({"holds": holds, "leftOut": left_out})
        return SharedPage(
            title,
            shared_page(title, [blob], blob.pictures_text()),
            len(content.images),
            len(content.built.images),
            content.steps,
            form.side,
            blob.missing,
            holds,
            left_out,
        )


def page_bytes(packed: float, entry: str = ENTRY) -> float:
    """Of a page whose blob has so many, compressed."""
    return len(shared_page("", [], entry=entry).encode()) + packed * 4 / 3 / ROOM


def _holds(
    content: SharedContent, form: PageForm, title: str, settings: ShareSettings
) -> Iterator[str]:
    count, total, steps = len(content.images), len(content.built.images), content.steps
    at = f"at {len(steps):,} checkpoints" if len(steps) > 1 else f"at checkpoint {steps[0]}"
    some = f"{count:,} of {total:,} images (all of the lists, a seeded sample of the others)"
    images = some if count < total else f"{count:,} images"
    labels = "label, class names; " if content.images.classes else ""
    yield f"title: {title}"
    yield (
        f"{images}: image_id, {labels}{at} prediction, probabilities, outlier scores, coordinates "
        f"on the map, nearest images"
    )
    if form.side is not None:
        yield f"{count:,} thumbnails of at most {form.side} pixels, without metadata"
    yield f"{len(content.content.session['lists']):,} lists and why each image is in them"
    if any(content.training.values()):
        yield "how the training went: loss and accuracy"
    named = [PRIVATE[name] for name in PRIVATE if name in settings.private]
    if named:
        yield f"what --with names: {', '.join(named)}"
    others = [text for name, text in PRIVATE.items() if name not in settings.private]
    without = [*([] if form.side else ["pictures"]), *others]
    if without:
        yield f"no {', '.join(without)}"


def _left_out(content: SharedContent, form: PageForm, asked: int) -> Iterator[str]:
    count = len(content.images)
    if not form.all_nearest and len(content.steps) > 2:
        yield "the nearest images at the checkpoints between the first and the last"
    if form.side is not None and form.side < form.largest:
        yield f"thumbnails of {form.largest} pixels: these have {form.side}"
    if count < asked:
        yield (
            f"{asked - count:,} of {asked:,} images: those of the lists are there "
            f"({content.listed:,}), of the others a seeded sample with as many of each class"
        )
