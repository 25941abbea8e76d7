"""The certificate with which REST is served over HTTPS. A renewed certificate is used without a restart."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509

log = logging.getLogger(__name__)

WARN_DAYS = 14
"""Days before the end of a certificate from which the gateway warns. Let's Encrypt renews 30 days before it."""

SECONDS_PER_DAY = 86_400

PLAIN_HTTP = "HTTP_REQUEST"
"""OpenSSL's name of the error that a client sent plain HTTP (SSL_R_HTTP_REQUEST)."""


class LoggedTls(ssl.SSLObject):
    """The TLS of one connection. It logs a client that sends plain HTTP, since that client gets no answer."""

    def do_handshake(self) -> None:
        """Continue the handshake. Raise SSLError."""
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if error.reason == PLAIN_HTTP:
                log.warning("a client sent plain HTTP to the HTTPS port of REST: its URL must begin with https://")
            raise


class Certificate:
    """A certificate with its key, both files in PEM.

    ``context``: makes the connections. It takes over a renewed certificate. The constructor raises OSError.
    """

    def __init__(self, cert: Path, key: Path, clock: Callable[[], float] = time.time) -> None:
        self._cert = cert
        self._key = key
        self._clock = clock
        self._seen = self._versions()
        self.context = make_context(cert, key)
        self._ends_at = _end_of(cert)

    def reload_if_renewed(self) -> None:
        """Use the files again if they have changed. If they cannot be used, log that, and use the old certificate."""
        versions = self._versions()
        if versions == self._seen:
            return
        self._seen = versions
        try:
            # A failure in the middle would leave the new certificate with the old key.
            make_context(self._cert, self._key)
            self.context.load_cert_chain(self._cert, self._key)
            self._ends_at = _end_of(self._cert)
        except (OSError, ValueError) as error:
            log.warning("rest.tls: the renewed certificate %s cannot be used (%s): the old one is", self._cert, error)
        else:
            log.info("rest.tls: the renewed certificate %s is used", self._cert)

    @property
    def ends_at(self) -> float:
        """The end of the certificate, in seconds since 1970."""
        return self._ends_at

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if the certificate ends soon."""
        days = (self._ends_at - self._clock()) / SECONDS_PER_DAY
        if days > WARN_DAYS:
            return ()
        end = datetime.fromtimestamp(self._ends_at, timezone.utc).date()
        verb = "expires" if days > 0 else "has expired"
        advice = "renew it, or make another one (`facegate tls make --replace`)"
        return (f"the certificate of REST {verb} on {end}: {advice}",)

    def _versions(self) -> tuple[int, int] | None:
        """Return the times of the last change of both files, or None while one of them is missing."""
        try:
            return self._cert.stat().st_mtime_ns, self._key.stat().st_mtime_ns
        except OSError:
            return None


def make_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Return the settings of TLS for a server: version 1.2 or later. Raise OSError, or its kind SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = LoggedTls
    # OpenSSL would ask for the key's password at the terminal if none was given.
    context.load_cert_chain(cert, key, password=lambda: b"")
    return context


def _end_of(cert: Path) -> float:
    """Return the end of a certificate as seconds since 1970. Raise ValueError."""
    return x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc.timestamp()
