"""The routes of our page: what it asks about the session and its images, and the decisions that it
sends. They turn requests into calls and errors into status codes, and decide nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import (
    BusyError,
    OtherTableError,
    ReviewError,
    SettingsError,
)
from review_embeddings.pipeline.machine import about_any
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.identity import OtherRunError
from review_embeddings.pipeline.text import is_number
from review_embeddings.review.decisions.answers import Saved
from review_embeddings.review.decisions.session import (
    DecisionSession,
    ReadOnlyError,
    shown_rows,
)
from review_embeddings.review.lists.agreeing import agreement_by_list
from review_embeddings.review.lists.derived import DISPUTED
from review_embeddings.review.lists.outlook import chances_in_list, left_in_list
from review_embeddings.review.page.about.classes import accuracy_of, predictions_at
from review_embeddings.review.page.beside.found import FoundFiles
from review_embeddings.review.page.beside.shown import BesideFiles
from review_embeddings.review.page.card import Cards, CardSource
from review_embeddings.review.page.frontend import MAX_VERDICTS, PREFIX, ROUTES, VERDICTS
from review_embeddings.review.page.personal.preferences import Preferences
from review_embeddings.review.page.pictures import Picture, Pictures
from review_embeddings.review.page.sessionfile import SessionFile
from review_embeddings.review.page.shownas import (
    OTHER_IMAGES,
    OTHER_PAGE,
    renamed,
)

from .anew import LabelsAnew

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a message: the row numbers of two million images."""

MAX_DIGITS = 16
"""Of a number in an address."""

INVALID = "invalid"
"""Reason of an answer that is about the message itself, which no second try changes."""

THEME = "theme"
"""The preference that says which colours the page has."""

THEME_NAME = re.compile(r"[a-z]{0,20}")
"""The page owns what it may be."""

EXPECTED = re.compile(r"\d{1,9}(\.\d{1,9})?")
"""A number of images that are expected."""

OTHER_TABLE = "other-table"
"""Reason of an answer to a page whose rows or columns are not those that are at hand."""

Route = Callable[[Request], Awaitable[Response]]


def add_session_route(app: Any, settings: Mapping[str, Any], preferences: Preferences) -> None:
    """The route that every page asks first, and again to see whether it is older than the run."""

    file = SessionFile.of(settings)

    def session() -> dict[str, Any]:
        theme = preferences.get(THEME)
        page = file.read() | ({"theme": theme} if isinstance(theme, str) else {})
        return page | {"built": _built(settings, page)} if "run" in settings else page

    app.add_api_route(PREFIX + ROUTES["session"], session)


def add_theme_route(app: Any, preferences: Preferences) -> None:
    """The route by which a person's choice of colours is kept; an empty one is forgotten."""

    async def theme(request: Request) -> Response:
        try:
            chosen = json.loads(await _body(request))
        except (_TooLargeError, UnicodeDecodeError, ValueError, RecursionError):
            chosen = None
        if not isinstance(chosen, str) or not THEME_NAME.fullmatch(chosen):
            return _error("This is no theme.", 400, INVALID)
        await run_in_threadpool(preferences.keep, THEME, chosen or None)
        return _json(chosen)

    app.add_route(PREFIX + ROUTES["theme"], theme, ["POST"])


def _built(settings: Mapping[str, Any], page: Mapping[str, Any]) -> str | None:
    """What the page's table would be called now, by which a page knows that it is older; None where
    the run has none."""
    try:
        manifest = table.read_manifest(RunFolder(Path(settings["run"])))
    except ReviewError:
        return None
    return None if manifest is None else renamed(page.get("table", ""), manifest.fingerprint)


def add_decision_routes(app: Any, settings: Mapping[str, Any], deciding: DecisionSession) -> None:
    """The routes of a page on which images are decided about."""
    images = _Images(settings, deciding)
    reading: dict[str, Route] = {
        "nearest": images.get_nearest,
        "values": images.get_values,
        "card": images.get_card,
        "predictions": images.get_predictions,
        "accuracy": images.get_accuracy,
        "facts": _metadata(deciding),
        "hashes": _hashes(deciding),
        "decisions": _changes(deciding),
        "lists": _saved_lists(deciding),
        "remaining": _remaining,
        "chances": _chances,
        "anew": images.get_labels_anew,
        "agreement": images.get_agreement,
    }
    writing = {
        "decisions": deciding.decide,
        "lists": deciding.change_list,
        "undo": deciding.undo,
        "classes": deciding.add_class,
    }
    for name, route in reading.items():
        app.add_route(PREFIX + ROUTES[name], _answering(route, 503), ["GET"])
    picture = _answering(images.get_picture, 503)
    app.add_route(f"{PREFIX}{ROUTES['image']}/{{row}}", picture, ["GET"])
    for name, work in writing.items():
        app.add_route(PREFIX + ROUTES[name], _answering(_writes(work), 507), ["POST"])


def _answering(route: Route, status: int) -> Route:
    """The same route, with an answer where the machine refuses something, such as to read a file:
    the page asks, or sends what is not saved, again."""

    async def answering(request: Request) -> Response:
        try:
            return await route(request)
        except ReviewError as error:
            return _error(str(error), status, "storage")
        except Exception as error:
            sentence = about_any(error)
            if sentence is None:
                raise
            return _error(sentence, status, "storage")

    return answering


class _Images:
    """What the page asks about its images."""

    def __init__(self, settings: Mapping[str, Any], deciding: DecisionSession) -> None:
        run, rows = RunFolder(Path(settings["run"])), shown_rows(settings)
        earlier = [RunFolder(Path(name)) for name in settings.get("earlier", [])]
        self._session = SessionFile.of(settings)
        others, found = BesideFiles.of(settings), FoundFiles.of(settings)
        self._cards = Cards(run, self._session, rows, earlier, others, found)
        self._pictures = Pictures(run, rows)
        self._anew = LabelsAnew(deciding, borrows=bool(earlier))
        self._deciding = deciding

    async def get_nearest(self, request: Request) -> Response:
        row, step = _number(request, "row"), _number(request, "step")
        if row is None:
            return _error("row is no row.", 400)
        if step is None and "step" in request.query_params:
            return _error("step is no step.", 400)

        return await _given(lambda: self._asked(request).nearest(row, step))

    async def get_card(self, request: Request) -> Response:
        row = _number(request, "row")
        if row is None:
            return _error("row is no row.", 400)
        return await _given(lambda: self._asked(request).card(row).as_json)

    async def get_picture(self, request: Request) -> Response:
        row, side = _whole(request.path_params["row"]), _number(request, "side")
        if row is None:
            return _error("row is no row.", 400)
        if side is None and "side" in request.query_params:
            return _error("side is no number of pixels.", 400)
        images = request.query_params.get("images", "")
        if images and images != self._session.read().get("images"):
            return _error(OTHER_IMAGES, 409, OTHER_TABLE)
        return await _given(lambda: self._pictures.picture(row, side))

    async def get_accuracy(self, request: Request) -> Response:
        run = request.query_params.get("run", "")

        def accuracy() -> object:
            source = self._asked(request)
            return accuracy_of(source.shown_of(run), source.shown.images.classes or [])

        return await _given(accuracy)

    async def get_labels_anew(self, request: Request) -> Response:
        revision = _number(request, "revision")
        if revision is None and "revision" in request.query_params:
            return _error("revision is no revision.", 400)
        return await _given(lambda: self._anew.answer(self._asked(request, named=True), revision))

    async def get_agreement(self, _: Request) -> Response:
        """How far reviewers agree, about all images of the page and those of its lists."""

        def agreement() -> object:
            made = self._session.read().get("lists", [])
            lists = [(one["title"], one["rows"]) for one in made if one["key"] != DISPUTED]
            hashes, about = self._deciding.image_hashes, self._deciding.by_image()
            return [one.as_json for one in agreement_by_list(lists, hashes, about)]

        return await _given(agreement)

    async def get_predictions(self, request: Request) -> Response:
        run = request.query_params.get("run", "")

        def predictions(source: CardSource, step: int) -> bytes:
            return predictions_at(source.shown_of(run), step, source.shown.images.classes or [])

        return await self._at_step(request, predictions)

    async def get_values(self, request: Request) -> Response:
        return await self._at_step(request, lambda source, step: source.shown.values_at(step))

    async def _at_step(
        self, request: Request, work: Callable[[CardSource, int], bytes]
    ) -> Response:
        """The bytes of one number an image, at a checkpoint."""
        step = _number(request, "step")
        if step is None:
            return _error("step is no step.", 400)
        return await _given(lambda: work(self._asked(request, named=True), step))

    def _asked(self, request: Request, *, named: bool = False) -> CardSource:
        """What is known of the images at the page's checkpoints. Raises OtherTableError for a page
        that shows another table, also where it is to be ``named`` and is not."""
        source, table = self._cards.source(), request.query_params.get("table")
        if table != source.shown.name and (named or table is not None):
            raise OtherTableError(OTHER_PAGE)
        return source


async def _given(work: Callable[[], object]) -> Response:
    """What is known of the images, as JSON or bytes; why it is not."""
    try:
        content = await run_in_threadpool(work)
    except OtherTableError as error:
        return _error(str(error), 409, OTHER_TABLE)
    except ReviewError as error:
        return _error(str(error), 422)
    if isinstance(content, Picture):
        return Response(content.data, media_type=content.media_type)
    if isinstance(content, bytes):
        return Response(content, media_type="application/octet-stream")
    return _json(content)


def _metadata(deciding: DecisionSession) -> Route:
    async def route(_: Request) -> Response:
        return await _answered(deciding.metadata)

    return route


def _hashes(deciding: DecisionSession) -> Route:
    async def route(_: Request) -> Response:
        return Response(deciding.hashes(), media_type="application/octet-stream")

    return route


def _changes(deciding: DecisionSession) -> Route:
    async def route(request: Request) -> Response:
        since = _number(request, "since", default="0")
        if since is None:
            return _error("since is no revision.", 400)
        return await _answered(lambda: asdict(deciding.changes(since)))

    return route


def _saved_lists(deciding: DecisionSession) -> Route:
    async def route(_: Request) -> Response:
        return await _answered(lambda: {"lists": [*map(asdict, deciding.saved_lists())]})

    return route


async def _remaining(request: Request) -> Response:
    """The estimate for a list of which the page names the verdicts; null where these are few."""
    marks = request.query_params.get("verdicts", "")
    if not 0 < len(marks) <= MAX_VERDICTS or set(marks) - set(VERDICTS):
        return _error("These are no verdicts.", 400)
    found = await run_in_threadpool(lambda: left_in_list(map(VERDICTS.__getitem__, marks)))
    return _json(None if found is None else asdict(found))


async def _chances(request: Request) -> Response:
    """How likely the images of such a list are real, part by part of it; ``expected`` of its first
    ones are by their scores."""
    marks = request.query_params.get("verdicts", "")
    given = request.query_params.get("expected", "")
    if not 0 < len(marks) <= MAX_VERDICTS or set(marks) - set(VERDICTS):
        return _error("These are no verdicts.", 400)
    if given and not EXPECTED.fullmatch(given):
        return _error("expected is no number of images.", 400)
    expected = float(given) if given else None
    verdicts = list(map(VERDICTS.__getitem__, marks))
    return _json(await run_in_threadpool(lambda: chances_in_list(verdicts, expected)))


async def _answered(work: Callable[[], object]) -> Response:
    """What is known of the decisions; where the file cannot be read, why."""
    try:
        return _json(await run_in_threadpool(work))
    except ReviewError as error:
        return _error(str(error), 503)


def _writes(work: Callable[[object], Saved]) -> Route:
    """A route that does the work of a message and answers what became of it. Only an answer of
    `INVALID` is about the message; after any other one the page sends it again."""

    async def route(request: Request) -> Response:
        try:
            message = json.loads(await _body(request))
            return _json(asdict(await run_in_threadpool(work, message)))
        except _TooLargeError:
            return _error(f"The message is larger than {MAX_BODY >> 20} MB.", 413, INVALID)
        except (UnicodeDecodeError, ValueError, RecursionError):
            return _error("The message is no JSON.", 400, INVALID)
        except OtherRunError as error:
            return _error(str(error), 409, "other-run")
        except ReadOnlyError as error:
            return _error(str(error), 409, "read-only")
        except SettingsError as error:
            return _error(str(error), 422, INVALID)
        except BusyError as error:
            return _error(str(error), 503, "busy")
        except ReviewError as error:
            return _error(str(error), 507, "storage")

    return route


def _json(content: object, status: int = 200) -> Response:
    """JSON in ASCII: text with half a character, as a data set may have it, comes through."""
    text = json.dumps(content, separators=(",", ":"))
    return Response(text, status, media_type="application/json")


def _error(sentence: str, status: int, reason: str = "") -> Response:
    return _json({"error": sentence, **({"reason": reason} if reason else {})}, status)


def _number(request: Request, name: str, default: str = "") -> int | None:
    """A number of the address; None for anything else."""
    return _whole(request.query_params.get(name, default))


def _whole(text: str) -> int | None:
    return int(text) if is_number(text) and len(text) <= MAX_DIGITS else None


class _TooLargeError(Exception):
    """A message is larger than any that the page sends."""


async def _body(request: Request) -> bytes:
    """The body of a request, never more than `MAX_BODY` of it."""
    length = request.headers.get("content-length", "0")
    if not is_number(length) or int(length) > MAX_BODY:
        raise _TooLargeError
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY:
            raise _TooLargeError
    return bytes(content)
