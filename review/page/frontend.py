"""Owns the names and limits that Python and the page's JavaScript share, and writes them as the ES
module that the other modules import as ``constants.js``. Whatever Python owns is taken from there.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path

from review_embeddings.pipeline.analysis.categories import FINE, NOT_CHECKED
from review_embeddings.pipeline.analysis.remaining import (
    LEAST_DECIDED,
    NOT_DECIDED,
    NOT_REAL,
    REAL,
)
from review_embeddings.pipeline.analysis.trust import NEAR
from review_embeddings.pipeline.text import html_text
from review_embeddings.pipeline.training.curves import OF_EVALUATION
from review_embeddings.review.decisions.kinds import (
    DECISIONS,
    DUPLICATE,
    KEEP,
    RELABEL,
    REMOVE,
    UNDECIDED,
    UNSURE,
)
from review_embeddings.review.decisions.lines import MAX_LIST_NAME, MAX_NOTE
from review_embeddings.review.decisions.messages import MAX_CHECKPOINTS, MAX_REQUEST, OUTBOX
from review_embeddings.review.decisions.newclasses import MAX_CLASS_NAME
from review_embeddings.review.lists import EVEN, LISTS
from review_embeddings.review.lists.derived import DISPUTED
from review_embeddings.review.lists.outlook import FIRST
from review_embeddings.review.page.frame import ENDS, NO_NEW_LABEL
from review_embeddings.review.page.nearest import BESIDE
from review_embeddings.review.palette import class_palette

PLUGIN_FOLDER = Path(__file__).parents[1] / "plugin"
"""Holds our Spotlight plugin. It is put on the server's path only, so a Spotlight started by others
does not load it."""

FRONTEND_FOLDER = PLUGIN_FOLDER / "renumics/spotlight_plugins/review_embeddings/frontend"
"""The page's ES modules; Spotlight imports ``main.js``."""

CONSTANTS_MODULE = "constants.js"
"""The module that is made here; there is no such file."""

PREFIX = "/api/review/"
"""Where the routes of our plugin are."""

TOKEN_HEADER = "X-Review-Token"
"""What the page sends with everything that it writes."""

TOKEN_PARAMETER = "token"
"""Of the address that a person opens: its key, good once."""

ROUTES = {
    name: name
    for name in (
        "enter",
        "session",
        "facts",
        "hashes",
        "decisions",
        "lists",
        "undo",
        "nearest",
        "values",
        "card",
        "image",
        "predictions",
        "accuracy",
        "remaining",
        "anew",
        "chances",
        "classes",
        "theme",
        "agreement",
    )
}
"""Behind `PREFIX`."""

DECISION_KEYS = {KEEP: "k", RELABEL: "l", REMOVE: "r", DUPLICATE: "d", UNSURE: "u"}
"""The key that decides."""

VERDICTS = {".": NOT_DECIDED, "0": NOT_REAL, "1": REAL}
"""How the page writes what was decided about the images of a list, in its order: nothing, that one
is as it should be, or anything else."""

MAX_VERDICTS = 4000
"""Images of a list for which the page asks how many are left to be found."""

WIDGETS = {
    "panel": "ReviewPanel",
    "neighbors": "ReviewNeighbors",
    "checkpoints": "ReviewCheckpoints",
    "review": "ReviewCard",
    "map0": "ReviewMap0",  # Spotlight tells a widget nothing but its type
    "map1": "ReviewMap1",
    "map2": "ReviewMap2",
    "map3": "ReviewMap3",
    "lists": "ReviewLists",
    "classes": "ReviewClasses",
}
"""Types by which a layout names our widgets; layouts that people saved hold them."""

WINDOW_HEADER, LAYOUT_NOTE_HEADER = "X-Review-Window", "X-Review-Layout-Note"
"""What Spotlight's questions for the layout bring and get besides: the size of the window, and a
sentence for the person, percent-encoded."""

WINDOW_WIDTHS = (1366, 1750)
"""Up to which a window is of the first and of the second size, in CSS pixels where text has its
usual height. There is a layout for each size and one for those above."""

LENSES = {"image": "ReviewImage", "summary": "ReviewFacts"}
"""Types by which a layout names the inspector's parts for one image."""

NOW_COLUMNS = ("x_now", "y_now", "ood_now")
"""What the slider changes, in the order in which the route ``values`` sends them."""

COLUMNS = {
    "image": "image",
    "imageId": "image_id",
    "label": "label",
    "decision": "decision",
    "newLabel": "new_label",
    "suggested": "trajectory_suggested_label",
    "labelScore": "trajectory_label_score",
    "imageIssue": "image_issue",
    "leakOf": "leak_of",
    "leakLabel": "leak_label",
    "duplicateGroup": "duplicate_group",
}
"""Columns of the wide frame that the page reads or writes, by their name there."""

END_COLUMNS = {"ood": "ood_{end}", "rank": "rank_{end}", "prediction": "prediction_{end}"}
"""Those of the first and the last checkpoint."""


def shared_constants() -> dict[str, object]:
    """What ``constants.js`` exports, by name."""
    ends = {
        end: {name: column.format(end=end) for name, column in END_COLUMNS.items()} for end in ENDS
    }
    return {
        "PREFIX": PREFIX.lstrip("/"),  # relative to the page, which a proxy may put below a path
        "TOKEN_HEADER": TOKEN_HEADER,
        "TOKEN_PARAMETER": TOKEN_PARAMETER,
        "ROUTES": ROUTES,
        "DECISIONS": DECISIONS,
        "DECISION_KEYS": DECISION_KEYS,
        "KEEP": KEEP,
        "UNSURE": UNSURE,
        "EXPECTED_OF": FIRST,
        "DISPUTED_LIST": _disputed_list(),
        "NEAREST_SHOWN": BESIDE,
        "MAX_VERDICTS": MAX_VERDICTS,
        "LEAST_DECIDED": LEAST_DECIDED,
        "RELABEL": RELABEL,
        "DUPLICATE": DUPLICATE,
        "UNDECIDED": UNDECIDED,
        "NO_NEW_LABEL": NO_NEW_LABEL,
        "MAX_NOTE": MAX_NOTE,
        "MAX_LIST_NAME": MAX_LIST_NAME,
        "MAX_CLASS_NAME": MAX_CLASS_NAME,
        "MAX_REQUEST": MAX_REQUEST,
        "OUTBOX": OUTBOX,
        "MAX_CHECKPOINTS": MAX_CHECKPOINTS,
        "WIDGETS": WIDGETS,
        "WINDOW_HEADER": WINDOW_HEADER,
        "LAYOUT_NOTE_HEADER": LAYOUT_NOTE_HEADER,
        "WINDOW_WIDTHS": WINDOW_WIDTHS,
        "LENSES": LENSES,
        "COLUMNS": COLUMNS,
        "ENDS": ends,
        "NOW_COLUMNS": NOW_COLUMNS,
        "NO_ISSUE": [FINE, NOT_CHECKED],
        "MAX_SUSPECT_SCORE": EVEN,
        "TRUST_NEIGHBORS": NEAR,
        "OF_EVALUATION": OF_EVALUATION,
        "CLASS_COLORS": class_palette(),
    }


def _disputed_list() -> dict[str, str]:
    """What the page says of its list of disputed images, which it makes itself: it changes with
    each decision."""
    declared = LISTS[DISPUTED]
    return {"key": declared.key, "title": declared.title, "description": declared.description}


def constants_module(constants: Mapping[str, object] | None = None) -> str:
    """The source of ``constants.js``, by default of `shared_constants`."""
    lines = ["// Names and limits that Python owns; made from review/page/frontend.py."]
    for name, value in (shared_constants() if constants is None else constants).items():
        lines.append(f"export const {name} = {json.dumps(value)};")
    return "\n".join(lines) + "\n"


def frontend_modules() -> dict[str, bytes]:
    """The source of every module of the page, by its path below `FRONTEND_FOLDER`."""
    files = sorted(FRONTEND_FOLDER.rglob("*.js"))
    modules = {file.relative_to(FRONTEND_FOLDER).as_posix(): file.read_bytes() for file in files}
    return {**modules, CONSTANTS_MODULE: constants_module().encode()}


ENTER_MODULE = "enter.js"

ENTER_IMPORT = re.compile(r'^import \{ (.*) \} from "\./constants\.js";\n', re.MULTILINE)

PAGE_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Review</title>
<style>body { font: 16px sans-serif; margin: 20vh auto; max-width: 36em; color: #333 }</style>
"""

HANDOVER_PAGE = """<p id="sentence">One moment …</p>
<noscript><p>The review needs JavaScript.</p></noscript>
<script type="module">
SCRIPT
const sentence = document.getElementById("sentence");
enter(localStorage, (text) => { sentence.textContent = text; });
</script>
</html>
"""


@functools.cache
def handover_page() -> str:
    """The page that everybody gets who is not known yet: it holds nothing of the session, and all
    of its script, because modules need the cookie too."""
    source = (FRONTEND_FOLDER / ENTER_MODULE).read_text(encoding="utf-8")
    names = {name for line in ENTER_IMPORT.findall(source) for name in line.split(", ")}
    constants = {name: value for name, value in shared_constants().items() if name in names}
    script = constants_module(constants) + ENTER_IMPORT.sub("", source)
    return PAGE_HEAD + HANDOVER_PAGE.replace("SCRIPT", script)


def refusal_page(reason: str) -> str:
    """The page for somebody who opened what is refused."""
    return f"{PAGE_HEAD}<p>{html_text(reason)}</p>\n</html>\n"
