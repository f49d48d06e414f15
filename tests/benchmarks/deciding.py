"""How long it takes until a decision is saved: one image, and all images of a run at once, over
HTTP and on disk.

python -m tests.benchmarks.deciding --run RUN [--repeat 20]
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELPERS = Path(__file__).parents[1] / "helpers"
sys.path.insert(0, str(HELPERS))


def main() -> None:
    from decision_server import HEADERS

    from review_embeddings.pipeline.images.runimages import read_images
    from review_embeddings.pipeline.run.folder import RunFolder

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        run = Path(folder) / "run"
        run.mkdir()
        shutil.copy(options.run / "images.parquet", run)  # decisions are made in a copy
        images = read_images(RunFolder(run))
        assert images is not None
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        server = subprocess.Popen(
            [sys.executable, str(HELPERS / "decision_server.py"), str(port), str(run)]
        )
        try:
            wait_for(port)
            headers = {
                **HEADERS,
                "Content-Type": "application/json",
                "Origin": f"http://127.0.0.1:{port}",
            }
            for count in (1, len(images)):
                seconds = []
                for number in range(options.repeat):
                    decision = {
                        "request": f"{count}-{number}",
                        "rows": list(range(count)),
                        "decision": ("remove", "keep")[number % 2],
                    }
                    body = json.dumps(decision)
                    started = time.perf_counter()
                    connection = http.client.HTTPConnection("127.0.0.1", port)
                    connection.request("POST", "/api/review/decisions", body, headers)
                    assert connection.getresponse().status == 200
                    seconds.append(time.perf_counter() - started)
                    connection.close()
                print(
                    f"{count:>7,} images: median {1000 * statistics.median(seconds):8.1f} ms, "
                    f"slowest {1000 * max(seconds):8.1f} ms"
                )
        finally:
            server.kill()


def wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
