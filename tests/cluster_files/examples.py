"""The files in config/cluster, and the settings that a replica gets from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from gateway.config import VARIABLE_PREFIX, Settings
from gateway.config.find import find_and_load
from tests.support import ROOT

FOLDER = ROOT / "config" / "cluster"


@contextmanager
def environment_of(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process the variables of a replica, and no other ones of Facegate."""
    others = {name: value for name, value in os.environ.items() if not name.upper().startswith(VARIABLE_PREFIX)}
    with patch.dict(os.environ, {**others, **variables}, clear=True):
        yield


def load_settings(variables: Mapping[str, str], config: Path | None = None) -> Settings:
    """Return the settings of a replica with these variables, as each command of Facegate reads them."""
    with environment_of(variables):
        return find_and_load(config).settings


def secret_text(value: object) -> str:
    """Return the text of a secret, which must be given."""
    assert hasattr(value, "get_secret_value"), value
    return str(value.get_secret_value())
