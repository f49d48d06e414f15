"""Sixteen clients decide at once while the server is killed and started again: what was answered as
saved is in the file, once."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import decision_server
from samples import CLASSES, picture, save_checkpoint

from review_embeddings.pipeline.api import build
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from tests.soak.trials import Figures, Round, trial

CLIENTS = 16
DECISIONS = 7
"""Of a client, in a round."""
RESTARTS = 3
"""In a round."""
RETRY = 0.05
"""Seconds until a client tries again."""
KINDS = ("keep", "remove", "unsure")


@trial(
    "clients", rounds=90, must_be_zero=("acknowledged and lost", "written twice", "never answered")
)
@contextmanager
def clients(folder: Path) -> Iterator[Round]:
    """Some hundred decisions a round, through three restarts."""
    for row in range(24):
        path = folder / "data" / CLASSES[row % 3] / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(path)
    save_checkpoint(folder / "made" / "checkpoint-0", seed=1, step=0)
    build(folder / "made", dataset=str(folder / "data"))

    def round_of(seed: int) -> Figures:
        run = RunFolder(folder / "run")
        shutil.rmtree(run.path, ignore_errors=True)
        shutil.copytree(folder / "made", run.path)
        return _Round(run, random.Random(seed)).figures()

    yield round_of


class _Round:
    def __init__(self, run: RunFolder, chance: random.Random) -> None:
        images = read_images(run)
        assert images is not None
        self._hashes = list(images.hashes)
        self._run, self._chance = run, chance
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._acknowledged: set[str] = set()
        self._done = threading.Event()

    def figures(self) -> Figures:
        """Let them decide, and count what is in the file."""
        plans = [random.Random(self._chance.random()) for _ in range(CLIENTS)]
        restarts = threading.Thread(target=self._serve)
        restarts.start()
        with ThreadPoolExecutor(CLIENTS) as pool:
            unanswered = sum(pool.map(self._decide, range(CLIENTS), plans))
        self._done.set()
        restarts.join()
        lines = self._run.decisions.read_text(encoding="utf-8").splitlines()
        written = Counter(json.loads(line)["request"] for line in lines)
        return {
            "decisions": len(self._acknowledged),
            "restarts": RESTARTS,
            "acknowledged and lost": len(self._acknowledged - set(written)),
            "written twice": sum(count > 1 for count in written.values()),
            "never answered": unanswered,
        }

    def _serve(self) -> None:
        """Serve, killed from time to time, until all is decided."""
        for _ in range(RESTARTS):
            self._serve_for(self._chance.uniform(0.02, 0.6))
        self._serve_for(None)

    def _serve_for(self, seconds: float | None) -> None:
        """From its first answer on."""
        command = [decision_server.__file__, str(self._port), str(self._run.path)]
        process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        answered = len(self._acknowledged)
        while len(self._acknowledged) == answered and not self._done.wait(RETRY):
            assert process.poll() is None, "the server has ended by itself"
        self._done.wait(seconds)
        process.kill()
        process.wait()

    def _decide(self, client: int, chance: random.Random) -> int:
        """How many decisions of a client were never answered as saved."""
        seen, unanswered = 0, 0
        for number in range(DECISIONS):
            message = {
                "request": f"{client}-{number}",
                "images": [chance.choice(self._hashes)],
                "decision": chance.choice(KINDS),
                "seen": seen,
            }
            answer = self._send(message)
            if answer is None:
                unanswered += 1
            else:
                self._acknowledged.add(str(message["request"]))
                seen = answer["revision"]
        return unanswered

    def _send(self, message: dict[str, Any], patience: float = 120.0) -> Any:
        """Send until it is answered as saved."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                status, answer = self._ask(message)
            except (OSError, http.client.HTTPException):
                time.sleep(RETRY)
                continue
            if status == 200:
                return answer
            assert status >= 500, answer
            time.sleep(RETRY)
        return None

    def _ask(self, message: dict[str, Any]) -> tuple[int, Any]:
        headers = decision_server.HEADERS | {
            "Content-Type": "application/json",
            "Origin": f"http://127.0.0.1:{self._port}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with closing(connection):
            body = json.dumps(message)
            connection.request("POST", "/api/review/decisions", body, headers)
            with connection.getresponse() as response:
                return response.status, json.loads(response.read() or b"null")
