"""Damaged uploads that were set aside: there may be pictures of anybody in them, and nobody can tell of whom."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from gateway.errors import GatewayError

log = logging.getLogger(__name__)

DAMAGED_UPLOADS = "uploads.damaged-*"
"""As mqtt.spoolfiles names them, in the data folder."""


def delete_damaged_uploads(data: Path) -> None:
    """Delete them because somebody is erased. Raise GatewayError if that is not possible."""
    for path in sorted(data.glob(DAMAGED_UPLOADS)):
        log.warning("%s is deleted: somebody was to be erased, and there may be pictures in it", path)
        try:
            # never what a link leads to
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise GatewayError(f"not everything was erased: {path} cannot be deleted ({error}); erase again") from None
