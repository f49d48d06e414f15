"""Our plugin in a bare server, without Spotlight around it: python decision_server.py PORT RUN."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

TOKEN = "the-token-of-the-tests"


def main() -> None:
    port, run = int(sys.argv[1]), sys.argv[2]
    os.environ["REVIEW_EMBEDDINGS_SESSION"] = json.dumps(
        {"loopback": True, "token": TOKEN, "run": run, "reviewer": "ada"}
    )
    from review_embeddings import review

    folder = (
        Path(review.__file__).parent
        / "plugin"
        / "renumics"
        / "spotlight_plugins"
        / "review_embeddings"
    )
    spec = importlib.util.spec_from_file_location(
        "review_embeddings_plugin", folder / "__init__.py"
    )
    assert spec is not None and spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    sys.modules["review_embeddings_plugin"] = plugin
    spec.loader.exec_module(plugin)
    app = FastAPI()
    plugin.__activate__(app)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
