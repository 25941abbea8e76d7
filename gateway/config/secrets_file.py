"""Passwords and keys in files: the file of the systemd unit, and a folder with one file for each of them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from gateway.config.environment import SECRETS_VARIABLE, VARIABLE_PREFIX
from gateway.errors import ConfigError
from gateway.files.small_file import read_text

SECRETS_FILE = "secrets"
"""The name of the file beside the configuration of the unit, which names it as its EnvironmentFile."""

MAX_BYTES = 100_000


def read_secrets(path: Path) -> None:
    """Set the variables of the file that the environment does not set. Raise ConfigError for a line that is refused.

    Only root can read the file. For other users nothing is set, as if the file was missing.
    """
    try:
        text = read_text(path, MAX_BYTES)
    # systemd has set the variables of a gateway that it started as another user.
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}: it needs lines such as FACEGATE_PEOPLE__KEY=…") from None
    for name, value in _variables(path, text):
        os.environ.setdefault(name, value)


def read_secrets_folder(folder: Path) -> None:
    """Set a variable from each file that has its name, if the environment does not set it. Raise ConfigError.

    Docker, Kubernetes and systemd (LoadCredential=) give secrets to a program in this form. One line break at the end
    of a file is not a part of the secret.
    """
    try:
        # Kubernetes adds links of its own, such as ..data.
        files = sorted(path for path in folder.iterdir() if path.name.upper().startswith(VARIABLE_PREFIX))
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} ({SECRETS_VARIABLE}) cannot be read: {error.strerror}: name a folder with files such"
            f" as {VARIABLE_PREFIX}PEOPLE__KEY, or unset the variable."
        ) from None
    for path in files:
        try:
            os.environ.setdefault(path.name.upper(), read_text(path, MAX_BYTES).removesuffix("\n"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}: let this user read it.") from None
        except ValueError as error:
            # The message must not contain the value.
            reason = "it has a null byte" if "null byte" in str(error) else error
            raise ConfigError(f"{path} cannot be read: {reason}: it needs a secret as text.") from None


def _variables(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of Facegate, as systemd reads them (systemd.exec(5), EnvironmentFile)."""
    for number, line in enumerate(text.splitlines(), 1):
        name, _, value = line.partition("=")
        if not name.strip().upper().startswith(VARIABLE_PREFIX):
            continue
        try:
            yield name.strip(), _read_value(value.strip())
        except ValueError as error:
            # The message must not contain the value.
            raise ConfigError(f"{path}, line {number}: {error}") from None


def _read_value(text: str) -> str:
    if text.endswith("\\"):
        raise ValueError("a value must end on its line")
    if text[:1] not in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text)
    words = shlex.split(text)
    if len(words) != 1:
        raise ValueError("a value needs one pair of quotes")
    return words[0]
