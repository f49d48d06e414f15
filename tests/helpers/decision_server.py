"""Our plugin in a bare server, without Spotlight around it: python decision_server.py PORT RUN."""

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import uvicorn
from fastapi import FastAPI

from review_embeddings.review.page.entry import EntrySecrets

TOKEN = "the-token-of-the-tests"

SECRETS = EntrySecrets("review-embeddings-test", "the-cookie-of-the-tests", TOKEN, ("the-key",))

HEADERS = {"X-Review-Token": TOKEN, "Cookie": f"{SECRETS.cookie_name}={SECRETS.cookie}"}
"""What our page sends with each request."""


def load_plugin() -> ModuleType:
    """The plugin as a module of its own, for the session in the environment."""
    from review_embeddings.review.page.frontend import FRONTEND_FOLDER

    spec = importlib.util.spec_from_file_location(
        "review_embeddings_plugin", FRONTEND_FOLDER.parent / "__init__.py"
    )
    assert spec is not None and spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    sys.modules["review_embeddings_plugin"] = plugin
    spec.loader.exec_module(plugin)
    return plugin


def session_in(folder: Path, **settings: object) -> str:
    """What the plugin finds in the environment; who may enter is kept in a folder."""
    SECRETS.write(folder)
    hosts = ["127.0.0.1", "localhost", "::1"]
    return json.dumps({"hosts": hosts, "secure": False, "folder": str(folder), **settings})


def main() -> None:
    port, run = int(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REVIEW_EMBEDDINGS_SESSION"] = session_in(Path(folder), run=run, reviewer="ada")
        app = FastAPI()
        load_plugin().__activate__(app)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
