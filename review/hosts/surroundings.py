"""Where the browser of the person finds a port of this machine, as the environment says it:
Codespaces, Colab, VS Code in a browser and JupyterHub each serve it under an address of their
own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.hosts.trusted import LOOPBACK, Trust, TrustedHost, base_path

Environment = Mapping[str, str]

LOCAL = "http://localhost"

COLAB_MODULE = "google.colab"


@dataclass(frozen=True)
class BrowserAddress:
    """Where the browser finds a port, and whom the review there has to trust."""

    url: str
    """Absolute, or a path that begins with ``/`` where the environment does not say its name: a
    link of a notebook leads there. Ends in ``/``."""
    trust: Trust = field(default_factory=Trust)
    found: str = ""
    """The environment, for people; empty for this machine itself."""

    @property
    def is_local(self) -> bool:
        """Whether only a browser on this machine, or a tunnel, gets there."""
        return self.url.startswith(LOCAL)


def browser_address(port: int, environment: Environment | None = None) -> BrowserAddress:
    """Where the browser finds ``port`` of this machine; ``environment`` are its variables.

    ``http://localhost:PORT/`` where no environment is recognised. To be asked in the main thread
    of a notebook: Colab answers only there.
    """
    given = os.environ if environment is None else environment
    for look in (_codespaces, _colab, _code_in_browser, _jupyterhub):
        found = look(port, given)
        if found is not None:
            return found
    return BrowserAddress(local_url(port))


def local_url(port: int) -> str:
    """The address of a port for a browser on this machine, or at the other end of a tunnel."""
    return f"{LOCAL}:{port}/"


def _codespaces(port: int, given: Environment) -> BrowserAddress | None:
    name, domain = (
        given.get("CODESPACE_NAME"),
        given.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"),
    )
    if given.get("CODESPACES") != "true" or not name or not domain:
        return None
    return _at(f"https://{name}-{port}.{domain}/", "GitHub Codespaces")


def _colab(port: int, given: Environment) -> BrowserAddress | None:
    if "COLAB_RELEASE_TAG" not in given:
        return None
    url = _url_of_colab(port) if COLAB_MODULE in sys.modules else None
    if url is not None:
        return _at(url, "Google Colab")
    return BrowserAddress(local_url(port), Trust(learns=True), "Google Colab")


def _url_of_colab(port: int) -> str | None:
    """What the notebook's page calls a port; None where it does not say."""
    ask: Callable[[str], object] = importlib.import_module(f"{COLAB_MODULE}.output").eval_js
    url = ask(f"google.colab.kernel.proxyPort({port})")
    return url if isinstance(url, str) and url else None


def _code_in_browser(port: int, given: Environment) -> BrowserAddress | None:
    """What code-server, Coder and others give their terminals."""
    template = given.get("VSCODE_PROXY_URI", "")
    if "{{port}}" not in template:
        return None
    found = _at(template.replace("{{port}}", str(port)), "VS Code in a browser")
    if found is None or found.trust.hosts[0].name in LOOPBACK:
        return None
    return found


def _jupyterhub(port: int, given: Environment) -> BrowserAddress | None:
    """Behind jupyter-server-proxy, which has the page at one path without, at another with that
    path passed on. Only a hub of version 5 may say its public name."""
    prefix = given.get("JUPYTERHUB_SERVICE_PREFIX")
    if not prefix:
        return None
    try:
        base = base_path(prefix)
    except SettingsError:
        return None
    paths = (f"{base}proxy/{port}/", f"{base}proxy/absolute/{port}/")
    public = urlsplit(given.get("JUPYTERHUB_PUBLIC_URL", ""))
    named = _at(f"{public.scheme}://{public.netloc}{paths[0]}", "JupyterHub")
    if named is None:
        return BrowserAddress(paths[0], Trust(paths=paths, learns=True), "JupyterHub")
    return BrowserAddress(named.url, named.trust | Trust(paths=paths), named.found)


def _at(url: str, found: str) -> BrowserAddress | None:
    """An absolute address; None where it is none."""
    try:
        host = TrustedHost.parse(url)
    except SettingsError:
        return None
    return BrowserAddress(host.url, Trust((host,)), found) if host.scheme else None
