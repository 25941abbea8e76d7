"""Certificates that the gateway makes for itself, for a home network in which no authority gives any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.rest.cross_site import host_name

MAX_DAYS = 825
"""The longest life of a certificate that Apple's systems accept (https://support.apple.com/en-us/103769)."""

CLOCK_SKEW = timedelta(days=1)
"""The age with which a certificate begins, for clients whose clock is late."""

COMMON_NAME_LENGTH = 64
"""The most characters of a common name (RFC 5280)."""

CERT_FILE = "rest.pem"
KEY_FILE = "rest-key.pem"


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """A certificate that was made. ``fingerprint``: SHA-256 as browsers show it, such as ``AB:CD:…``."""

    cert: Path
    key: Path
    hosts: tuple[str, ...]
    expires: datetime
    fingerprint: str


def make_certificate(folder: Path, hosts: Sequence[str], days: int = MAX_DAYS) -> MadeCertificate:
    """Make a key and a certificate for the host names and addresses, and write both. Raise OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    unique = tuple(dict.fromkeys(map(host_name, hosts)))
    cert = _sign(key, unique, days)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The key comes first: a gateway that runs looks at both files, and refuses a certificate without its key.
    _write(folder / KEY_FILE, encoded, 0o600)
    _write(folder / CERT_FILE, cert.public_bytes(serialization.Encoding.PEM), 0o644)
    fingerprint = cert.fingerprint(hashes.SHA256()).hex(":").upper()
    return MadeCertificate(folder / CERT_FILE, folder / KEY_FILE, unique, cert.not_valid_after_utc, fingerprint)


def _sign(key: ec.EllipticCurvePrivateKey, hosts: Sequence[str], days: int) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:COMMON_NAME_LENGTH])])
    public_key = key.public_key()
    builder = (
        x509.CertificateBuilder(name, name, public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_alternative_name(host) for host in hosts]), critical=False)
        # No authority: a key that is stolen can pass for this gateway only.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, so that no other user can read the key at any time."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
