"""Owns where the page is served: host, port, TLS files, and whether these can and may be used.
Checks all of it before anything is loaded."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.hosts.trusted import LOOPBACK, Trust, TrustedHost

ANY_PORT = 0
"""Lets the system choose a free one."""

NAMES = {
    "certificate": ("--tls-cert", b"-----BEGIN CERTIFICATE-----", "PEM certificate"),
    "key": ("--tls-key", b"PRIVATE KEY-----", "private key in PEM"),
}
"""The option of each TLS file, what it holds, and how that is called."""


@dataclass(frozen=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None for that of the run."""
    certificate: str | None = None
    """TLS certificate and key, needed for any address but this machine's own."""
    key: str | None = None
    insecure: bool = False
    """Serve other machines without TLS."""
    proxies: tuple[str, ...] = ()
    """Hosts that proxies serve the page at, as `TrustedHost.parse` reads them."""

    @property
    def trust(self) -> Trust:
        """Whom the review trusts beside this machine. Raises SettingsError."""
        return Trust(tuple(map(TrustedHost.parse, self.proxies)))

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def is_secure(self) -> bool:
        return self.certificate is not None

    @property
    def hosts(self) -> list[str] | None:
        """The names under which the page may be asked for; None for any."""
        names = (host.name for host in self.trust.hosts)
        return [*LOOPBACK, *names] if self.is_loopback else None

    @property
    def warning(self) -> str:
        """What it means that other machines are served without TLS; empty where they are not."""
        if self.is_loopback or self.is_secure:
            return ""
        return (
            f"--host {self.host} without TLS: whoever can listen to the network between here and "
            "the browser sees the images and decisions, and can take over the review: read all "
            "that it shows, and decide. Use --tls-cert and --tls-key, or a tunnel."
        )

    def url(self, port: int) -> str:
        """The page's address, without a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_secure else 'http'}://{host}:{port}/"

    def check(self) -> None:
        """Raise SettingsError for an address that cannot or must not be served."""
        if not (self.is_loopback or self.insecure or (self.certificate and self.key)):
            raise SettingsError(
                f"--host {self.host} can be reached from other machines, and without TLS whoever "
                "listens to the network can take over the review. Add --tls-cert and --tls-key, "
                "or --insecure if the network is yours; or leave --host out and tunnel: "
                "ssh -L 8000:127.0.0.1:PORT THIS_MACHINE"
            )
        check_tls(self.certificate, self.key)
        _ = self.trust
        if self.port is not None and not 0 < self.port < 65536:
            raise SettingsError(
                f"--port {self.port} is out of range. Use 1 to 65535, or leave it out for a free "
                f"one."
            )
        self.listen(self.port or ANY_PORT).close()

    def listen(self, port: int) -> socket.socket:
        """A socket bound to a port of the host. Raises SettingsError."""
        try:
            return self._bound(port)
        except (OSError, UnicodeError, OverflowError) as error:
            raise SettingsError(self._why_not(error)) from error

    def listen_to_one(self, ports: Sequence[int]) -> socket.socket:
        """A socket bound to the first of these ports that is free, or to any."""
        for port in ports:
            try:
                return self._bound(port)
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES, errno.EPERM}:
                    break
        return self.listen(ANY_PORT)

    def _bound(self, port: int) -> socket.socket:
        found = socket.getaddrinfo(self.host, port, type=socket.SOCK_STREAM)
        family, _, _, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(where)
            bound.listen(1)
        except BaseException:
            bound.close()
            raise
        return bound

    def _why_not(self, error: Exception) -> str:
        """Why it cannot be listened at, and what to do."""
        if isinstance(error, PermissionError):
            return (
                f"Port {self.port} needs rights that you do not have. Use --port 8000 or leave "
                f"it out."
            )
        if isinstance(error, (socket.gaierror, UnicodeError)):
            return (
                f"--host {self.host} is not an address of this machine. Leave it out for 127.0.0.1."
            )
        why = getattr(error, "strerror", None) or str(error)
        if self.port is None or getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
            return f"--host {self.host} cannot be used ({why}). Leave it out for 127.0.0.1."
        return (
            f"Port {self.port} on {self.host} is in use or cannot be used ({why}). "
            "Use another --port, or leave it out for that of the run."
        )


def check_tls(certificate: str | None, key: str | None) -> None:
    """Raise SettingsError for TLS files that no server can use."""
    if bool(certificate) != bool(key):
        raise SettingsError("--tls-cert and --tls-key go together. Give both or none.")
    if certificate is None or key is None:
        return
    for what, path in (("certificate", certificate), ("key", key)):
        _check_pem(what, Path(path))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_passphrase)
    except _PassphraseError as error:
        raise SettingsError(
            f"--tls-key {key} has a passphrase, which the server cannot ask for. Write one "
            f"without: openssl pkey -in {key} -out NEW"
        ) from error
    except ssl.SSLError as error:
        raise SettingsError(_why_no_pair(certificate, key, error)) from error


def _check_pem(what: str, path: Path) -> None:
    option, begin, name = NAMES[what]
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(
            f"{option} {path} is not there. Give the path of a PEM file."
        ) from error
    except OSError as error:
        raise SettingsError(f"{option} {path} cannot be read ({error.strerror}).") from error
    if begin not in content:
        raise SettingsError(f"{option} {path} is no {name}. Give the path of a PEM file.")


def _why_no_pair(certificate: str, key: str, error: ssl.SSLError) -> str:
    if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}:
        return (
            f"The key of --tls-key {key} does not belong to the certificate of --tls-cert "
            f"{certificate}. Give the two that were made together."
        )
    why = (error.reason or str(error)).replace("_", " ").lower()
    return (
        f"--tls-cert {certificate} and --tls-key {key} cannot be used ({why}): one of them is "
        f"damaged. Make them again."
    )


class _PassphraseError(Exception):
    """A key asks for its passphrase."""


def _no_passphrase() -> str:
    raise _PassphraseError
