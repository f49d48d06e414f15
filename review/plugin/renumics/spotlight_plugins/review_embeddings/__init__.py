"""Our part of Spotlight's server process: answers the page's questions about the session, takes its
decisions, keeps strangers out, and ends with the process that started it. Spotlight finds it by its
place in the namespace ``renumics.spotlight_plugins``.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.run import system
from review_embeddings.review.decisions.session import open_session
from review_embeddings.review.hosts.trusted import Trust
from review_embeddings.review.page.entry import EntryControl
from review_embeddings.review.page.personal.preferences import Preferences
from review_embeddings.review.page.process import SESSION_VARIABLE

from .guard import Guard
from .layouts import add_layout_routes
from .modules import add_module_route
from .routes import add_decision_routes, add_session_route, add_theme_route

__priority__ = 100

SESSION: dict[str, Any] = json.loads(os.environ.get(SESSION_VARIABLE, "{}"))


def __activate__(app: Any) -> None:
    """Called by Spotlight before its server starts."""
    _guard(app)
    add_module_route(app)
    folder = SESSION.get("preferences")
    preferences = Preferences(Path(folder) if folder else None)
    add_session_route(app, SESSION, preferences)
    add_theme_route(app, preferences)
    if "layouts" in SESSION:
        add_layout_routes(app, SESSION, preferences)
    deciding = open_session(SESSION)
    if deciding is not None:
        add_decision_routes(app, SESSION, deciding)
    if "parent" in SESSION:
        threading.Thread(target=end_with, args=(int(SESSION["parent"]),), daemon=True).start()


def _guard(app: Any) -> None:
    """Put the guard before all that the server does; a middleware would stand behind the one that
    answers faults."""
    build = app.build_middleware_stack
    entry = EntryControl(Path(SESSION["folder"]))
    trust = Trust.of_json(SESSION.get("trust", {}))

    def guarded() -> Guard:
        return Guard(build(), entry, SESSION["hosts"], secure=SESSION["secure"], trust=trust)

    app.build_middleware_stack = guarded


def end_with(parent: int) -> None:
    """End this server once the process that started it is gone, even if it was killed."""
    is_running = system.child_of(parent)
    while is_running():
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
