"""Deletion of damaged uploads, which may contain pictures of any person, also of a person who is erased."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from gateway.errors import GatewayError

log = logging.getLogger(__name__)

DAMAGED_UPLOADS = "uploads.damaged-*"
"""Pattern of the names of files and folders that ``mqtt.delivery.upload_files`` sets aside in the data folder."""


def delete_damaged_uploads(data: Path) -> None:
    """Delete the damaged uploads in a data folder, for an erasure. Raise GatewayError if an upload is left."""
    for path in sorted(data.glob(DAMAGED_UPLOADS)):
        log.warning("%s is deleted: a person is erased, and it may hold pictures of that person", path)
        try:
            # A link is deleted itself, never the folder that it leads to.
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise GatewayError(
                f"not everything was erased: {path} cannot be deleted ({error}); delete it, then erase again"
            ) from None
