"""A real nginx in front of a review: a process of the test, at a free port, with a configuration of
its own that serves the page below base paths, and pages of other hosts that frame it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROXY, PORTAL, STRANGER = "proxy.example", "portal.example", "stranger.example"
"""Names of one server: the review is at the first, the others show it in a frame."""

STRIPPED = "/reviews/"
"""Base path that nginx takes away; it keeps the host."""

HUB_PREFIX = "/user/ada@x/"
"""What the variable of a JupyterHub says, as a stand-in."""

NGINX = ("nginx", "/usr/sbin/nginx")

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    proxy_http_version 1.1;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/proxy.pem;
        ssl_certificate_key {folder}/proxy.key;
        location {stripped} {{
            proxy_pass http://127.0.0.1:{behind}/;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
        location {passed_on} {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
        location /frame {{
            default_type text/html;
            return 200 '<!doctype html><title>frame</title><body></body>';
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and what it serves."""

    port: int
    behind: int
    """The port of the review."""

    @property
    def passed_on(self) -> str:
        """Base path that nginx passes on, as a hub has one; it says that the host is the server's,
        as it does where nothing is configured."""
        return f"{HUB_PREFIX}proxy/absolute/{self.behind}/"

    def at(self, host: str, path: str) -> str:
        """An address of one of its hosts."""
        return f"https://{host}:{self.port}{path}"


def nginx_program() -> str | None:
    """Where nginx is; Debian puts it where only root looks."""
    return next(filter(None, map(shutil.which, NGINX)), None)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def nginx(folder: Path, port: int, behind: int) -> Iterator[Proxy]:
    """Serve at ``port`` what is at the port ``behind``, by TLS with a certificate of nobody."""
    program = nginx_program()
    assert program is not None
    certificate = "req -x509 -newkey rsa:2048 -nodes -keyout proxy.key -out proxy.pem -days 2"
    command = ["openssl", *certificate.split(), "-subj", f"/CN={PROXY}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    proxy = Proxy(port, behind)
    values = {"stripped": STRIPPED, "passed_on": proxy.passed_on, "port": port, "behind": behind}
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, **values))
    options = ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen([program, *options], stderr=subprocess.PIPE) as process:
        try:
            _wait(process, port)
            yield proxy
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
            return
        time.sleep(0.02)
    assert process.stderr is not None
    raise AssertionError(process.stderr.read().decode())
