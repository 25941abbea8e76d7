"""Certificates that the gateway makes for itself."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from gateway.rest.self_signed import make_certificate


def test_certificate_names_every_host_and_address_once(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, ["Pi.local", "pi.local", "192.168.1.5", "::1", "bücher.example"])
    cert = x509.load_pem_x509_certificate(made.cert.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pi.local", "xn--bcher-kva.example"]
    addresses = [ipaddress.ip_address("192.168.1.5"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses


def test_certificate_can_sign_no_other(tmp_path: Path) -> None:
    cert = x509.load_pem_x509_certificate(make_certificate(tmp_path, ["pi"]).cert.read_bytes())
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_long_host_name_is_only_an_alternative_name(tmp_path: Path) -> None:
    host = ".".join(["x" * 60, "y" * 60, "example"])
    cert = x509.load_pem_x509_certificate(make_certificate(tmp_path, [host]).cert.read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    made = make_certificate(tmp_path / "tls", ["pi"])
    made = make_certificate(tmp_path / "tls", ["pi"])
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == ["rest-key.pem", "rest.pem"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_certificate_in_its_strictest_mode(tmp_path: Path) -> None:
    made = make_certificate(tmp_path, ["pi.local"])
    words = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "pi.local", "-partial_chain"]
    done = subprocess.run(["openssl", *words, "-CAfile", made.cert, made.cert], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
