"""A review that is killed and started again at the same port, and what it has written."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from serving import Serving

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.process import SESSION_VARIABLE

OPTIONS = ["--first", "--last", "--no-browser"]


class Review:
    """A review at one port, killed and started again."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.started: Serving | None = None

    def address(self, run: RunFolder) -> str:
        """An address that lets a browser in, of a review that is started where none is open."""
        if self.started is None:
            self.started = Serving([*OPTIONS, "--port", str(self.port), "--run", str(run.path)])
        return self.started.address

    def kill(self) -> None:
        """As `kill -9` does; Spotlight's server ends by itself within seconds."""
        if self.started is None:
            return
        servers = self.started.servers()
        os.kill(self.started.process.pid, signal.SIGKILL)
        self.started.process.wait(30)
        for server in servers:
            server.wait(60)
        assert self.started.process.stdout is not None
        self.started.process.stdout.close()
        self.started = None

    @property
    def folder(self) -> Path:
        """Where the session keeps its files."""
        assert self.started is not None
        server, *_ = self.started.servers()
        return Path(json.loads(server.environ()[SESSION_VARIABLE])["folder"])


def decisions_of(run: RunFolder) -> list[dict[str, object]]:
    text = run.decisions.read_text(encoding="utf-8") if run.decisions.exists() else ""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line.get("decision")]
