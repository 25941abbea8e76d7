"""The certificate of REST: its renewal while the server runs, and the warning before its end."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest
import trustme

from gateway.rest.self_signed import make_certificate
from gateway.rest.transport.certificate import SECONDS_PER_DAY, WARN_DAYS, Certificate
from tests.support import WAIT_S


def issue(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key, with a later time than the files before them."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    before = max((path.stat().st_mtime for path in (cert, key) if path.exists()), default=time.time())
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(key)
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    for path in (cert, key):
        os.utime(path, (before + 1, before + 1))
    return cert, key


def fingerprint(context: ssl.SSLContext, authority: trustme.CA) -> bytes:
    """Return the certificate that a client gets from a server."""
    ours, theirs = socket.socketpair()
    client = ssl.create_default_context()
    authority.configure_trust(client)

    def serve() -> None:
        # The client may close its end before it has read all that TLS 1.3 sends after the handshake.
        with suppress(ConnectionError), context.wrap_socket(ours, server_side=True) as secured:
            secured.recv(1)

    server = threading.Thread(target=serve)
    server.start()
    with client.wrap_socket(theirs, server_hostname="localhost") as secured:
        cert = secured.getpeercert(binary_form=True)
    server.join(WAIT_S)
    assert cert
    return cert


def test_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = Certificate(*issue(authority, tmp_path))
    first = fingerprint(certificate.context, authority)
    certificate.reload_if_renewed()
    assert fingerprint(certificate.context, authority) == first
    issue(authority, tmp_path)
    certificate.reload_if_renewed()
    assert fingerprint(certificate.context, authority) != first


def test_old_certificate_is_used_while_the_new_one_is_incomplete(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = trustme.CA()
    cert, key = issue(authority, tmp_path)
    certificate = Certificate(cert, key)
    first, old_key = fingerprint(certificate.context, authority), key.read_bytes()
    issue(authority, tmp_path)
    new_key = key.read_bytes()
    key.write_bytes(old_key)
    certificate.reload_if_renewed()
    assert fingerprint(certificate.context, authority) == first
    assert "the old one is" in caplog.text
    key.write_bytes(new_key)
    os.utime(key, (time.time() + 10, time.time() + 10))
    certificate.reload_if_renewed()
    assert fingerprint(certificate.context, authority) != first


def test_missing_files_leave_the_certificate_in_use(tmp_path: Path) -> None:
    authority = trustme.CA()
    cert, key = issue(authority, tmp_path)
    certificate = Certificate(cert, key)
    key.unlink()
    certificate.reload_if_renewed()
    assert fingerprint(certificate.context, authority)


@pytest.mark.parametrize(("days", "warning"), [(WARN_DAYS + 2, None), (WARN_DAYS, "expires on"), (0, "has expired on")])
def test_end_of_the_certificate_is_a_warning(tmp_path: Path, days: int, warning: str | None) -> None:
    made = make_certificate(tmp_path, ["localhost"])
    end = datetime.timestamp(made.expires.astimezone(timezone.utc))
    certificate = Certificate(made.cert, made.key, lambda: end - days * SECONDS_PER_DAY)
    if warning is None:
        assert certificate.warnings == ()
        return
    (sentence,) = certificate.warnings
    assert f"{warning} {made.expires.date()}" in sentence
    assert "facegate tls make --replace" in sentence
