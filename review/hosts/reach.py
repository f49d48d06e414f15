"""How the person's browser reaches a page that was bound to a port: the address that is printed,
whom the review trusts for it, and what has to be said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from review_embeddings.review.hosts.surroundings import BrowserAddress, browser_address
from review_embeddings.review.hosts.trusted import Trust
from review_embeddings.review.hosts.tunnel import tunnel_command


@dataclass(frozen=True)
class Reach:
    """The way of a browser to a page."""

    url: str
    """What is printed: absolute, or a path of a host whose name is not known."""
    trust: Trust
    sentences: tuple[str, ...]
    """For people, a line each."""


def reach_of(
    own_url: str,
    port: int,
    given: Trust,
    *,
    is_local: bool,
    environment: Mapping[str, str] | None = None,
) -> Reach:
    """The way to the page at ``own_url``; ``given`` is whom the person trusts, ``is_local`` says
    that only this machine reaches the port."""
    variables = os.environ if environment is None else environment
    seen = browser_address(port, variables)
    url = _url(own_url, given, seen)
    trust = given | (replace(seen.trust, learns=False) if given.hosts else seen.trust)
    found = _about(seen, is_named=bool(given.hosts)) if seen.found else ""
    command = tunnel_command(port, variables) if is_local and url == own_url else None
    tunnel = f"You are logged in by ssh. On your own machine: {command}" if command else ""
    return Reach(url, trust, tuple(filter(None, (found, tunnel))))


def _url(own_url: str, given: Trust, seen: BrowserAddress) -> str:
    """The address to print: what the person gave, where that is more than names, else what the
    environment says."""
    whole = [host.url for host in given.hosts if host.is_whole]
    if whole or seen.is_local:
        return whole[0] if whole else own_url
    if seen.url.startswith("/") and given.hosts:
        return replace(given.hosts[0], path=seen.url).url
    return seen.url


def _about(seen: BrowserAddress, *, is_named: bool) -> str:
    """What was found, and whom the review trusts for it; ``is_named`` says that the person named
    hosts."""
    if seen.trust.hosts:
        names = " and ".join(host.authority for host in seen.trust.hosts)
        return f"{seen.found} found: the page answers as {names} too."
    if seen.is_local:
        return (
            f"{seen.found} found: it names the address of a port to a notebook alone. Open the "
            f"review in a cell, with show(RUN)."
        )
    named = "" if is_named else " The host at which it is opened first is trusted."
    return (
        f"{seen.found} found: jupyter-server-proxy has the page at {seen.url} of your hub.{named}"
    )
