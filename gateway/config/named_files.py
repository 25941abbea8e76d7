"""A check of the files that the settings name, so that a missing file is reported at the start."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.config.settings import Settings
from gateway.errors import ConfigError
from gateway.files.ownership import reading_hint


def check_files(settings: Settings) -> None:
    """Raise ConfigError, which names the setting and the file, for a missing, unreadable or invalid file."""
    tls = settings.mqtt.tls
    files = {"mqtt.tls.ca": tls.ca, "mqtt.tls.cert": tls.cert, "mqtt.tls.key": tls.key}
    rest = settings.rest.tls
    files |= {"rest.tls.cert": rest.cert, "rest.tls.key": rest.key}
    files["people.key_file"] = settings.people.key_file
    for name, instance in settings.frigate.items():
        files |= {f"frigate.{name}.ca": instance.ca, f"frigate.{name}.password_file": instance.password_file}
    for name, pulled in settings.inputs.pull.items():
        files[f"inputs.pull.{name}.secret_file"] = pulled.secret_file
        files[f"inputs.pull.{name}.ca"] = pulled.ca
    for setting, path in files.items():
        if path is not None:
            _check_readable(setting, path)
    _check_certificate("mqtt.tls.cert", tls.cert, tls.key)
    _check_certificate("rest.tls.cert", rest.cert, rest.key)
    for setting, path in files.items():
        if path is not None and setting.endswith(".ca"):
            _check_authority(setting, path)


def _check_readable(setting: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        advice = reading_hint(error) or ": check the path"
        raise ConfigError(f"{setting}: {path} cannot be read: {error.strerror}{advice}.") from None
    if empty:
        raise ConfigError(f"{setting}: {path} is empty: name a file with content.")


def _check_authority(setting: str, path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigError(f"{setting}: {path} cannot be used ({error.reason or error}): expected PEM.") from None


def _check_certificate(setting: str, cert: Path | None, key: Path | None) -> None:
    try:
        if cert is not None:
            # OpenSSL would ask for the key's password at the terminal if none was given.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigError(
            f"{setting}: {cert} cannot be used ({reason}):"
            " expected PEM; the key must be unencrypted and belong to the certificate."
        ) from None
