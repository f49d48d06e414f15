"""What the guard has to know of a request: where it comes from, and what it brings. Decides
nothing."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from review_embeddings.review.hosts.trusted import LOOPBACK, Trust, TrustedHost

Scope = MutableMapping[str, Any]

READING = ("GET", "HEAD")
"""Methods that change nothing."""

FRAMES = ("iframe", "frame")
"""What a page is opened in where another page shows it."""


@dataclass(frozen=True)
class Asked:
    """A request, from its method, path and headers."""

    is_websocket: bool
    method: str
    path: str
    query: str
    headers: dict[str, str]
    trust: Trust
    """Whom the review trusts beside this machine."""
    origins: tuple[TrustedHost, ...]
    """Hosts of proxies whose origin is that of our own page."""
    port: int | None
    """Of the server."""

    @classmethod
    def of(cls, scope: Scope, trust: Trust, origins: tuple[TrustedHost, ...]) -> Asked:
        """The request of an ASGI scope. A header that comes twice counts as both, which fits no
        rule. Headers in which proxies say what they changed are not read: anybody can send them."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            joiner = "; " if name == "cookie" else ", "
            headers[name] = joiner.join(filter(None, [headers.get(name), value]))
        query = scope.get("query_string", b"").decode("latin-1")
        is_websocket = scope["type"] == "websocket"
        method, port = scope.get("method", "GET"), (scope.get("server") or (None, None))[1]
        return cls(is_websocket, method, scope["path"], query, headers, trust, origins, port)

    def has_host(self, names: Collection[str]) -> bool:
        """Whether it was sent to one of these names, at whatever port: others are names that a
        stranger's DNS points at this machine."""
        return self.host in names or any(self.host == host.name for host in self.trust.hosts)

    @property
    def host(self) -> str | None:
        """The name that it was sent to, in lower case."""
        try:
            return urlsplit(f"//{self.headers.get('host', '').lower()}").hostname
        except ValueError:
            return None

    @property
    def site(self) -> str:
        """Where it comes from, as browsers say it: ``none`` is a person; empty where they do not
        say."""
        return self.headers.get("sec-fetch-site", "")

    @property
    def is_own(self) -> bool:
        """Whether it comes from our own page or from no page at all, as far as it says."""
        if self.site not in {"", "none", "same-origin"}:
            return False
        return "origin" not in self.headers or self.is_surely_own

    @property
    def is_surely_own(self) -> bool:
        """Whether a browser says that it comes from our own page. With the policy
        ``no-referrer`` some write ``null`` as the origin even then."""
        origin = self.headers.get("origin", "").lower()
        if origin in {"", "null"}:
            return self.site == "same-origin"
        try:
            if urlsplit(origin).netloc == self.headers.get("host", "").lower():
                return True
        except ValueError:
            return False
        return self._is_trusted(origin)

    def _is_trusted(self, origin: str) -> bool:
        """Whether an origin that is not the host is that of a proxy: proxies change the host, or
        the origin to the server's own, as Codespaces do."""
        if any(host.has_origin(origin) for host in self.origins):
            return True
        if self.trust.learns:
            return self.site == "same-origin"
        is_proxied = any(self.host == host.name for host in self.trust.hosts)
        return is_proxied and self._is_server(origin)

    def _is_server(self, origin: str) -> bool:
        try:
            split = urlsplit(origin)
            return split.hostname in LOOPBACK and split.port == self.port
        except ValueError:
            return False

    @property
    def is_opened(self) -> bool:
        """Whether a person may have opened it as a page, from wherever: typed, or a link."""
        if "origin" in self.headers and not self.is_surely_own:  # asked by the script of a page
            return False
        if self.site in {"", "none", "same-origin"}:
            return True
        mode, where = self.headers.get("sec-fetch-mode"), self.headers.get("sec-fetch-dest")
        frames = FRAMES if self.trust else ()
        return mode == "navigate" and where in ("document", *frames)

    def cookies(self, name: str) -> list[str]:
        """The values of the cookies of this name."""
        parts = (part.strip() for part in self.headers.get("cookie", "").split(";"))
        pairs = (part.partition("=") for part in parts)
        return [value for key, _, value in pairs if key == name]

    def has_parameter(self, name: str) -> bool:
        """Whether the address has a parameter."""
        return name in parse_qs(self.query, keep_blank_values=True)


def without_base(scope: Scope, trust: Trust) -> Scope:
    """The same request without the base path of a proxy that passes it on, and with one slash in
    front where the proxy leaves two. The base path alone is the page."""
    if not trust:
        return scope
    path = scope["path"]
    for base in map(unquote, trust.base_paths):
        if f"{path}/".startswith(base):
            path = path[len(base) :]
            break
    return {**scope, "path": f"/{path.lstrip('/')}"}
