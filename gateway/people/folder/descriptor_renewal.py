"""Renewal of descriptors after a change of the engine, from the chips that are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.model import FoundFace
from gateway.people.folder.import_run import ImportRun
from gateway.people.folder.picture_importer import is_final
from gateway.store.protocols import Faces

log = logging.getLogger(__name__)


class DescriptorRenewal:
    """Renewal of the descriptors of another recipe. Until then their people are not in the gallery."""

    def __init__(
        self, faces: Faces, run: ImportRun, describe_chips: Callable[[bytes], FoundFace], *, recipe: str
    ) -> None:
        """``describe_chips`` returns the face of chips, or raises GatewayError; ``recipe``: of its descriptors."""
        self._faces = faces
        self._run = run
        self._describe_chips = describe_chips
        self._recipe = recipe
        # The revision of the store after the last renewal without temporary errors.
        self._revision = -1

    def renew(self) -> None:
        """Renew all descriptors of other recipes, if the store changed. Raise CancelledError at a stop.

        There are such descriptors after a change of the engine, and after an import of an archive.
        """
        if self._faces.revision() == self._revision:
            return
        outdated = self._faces.list_outdated_pictures(self._recipe)
        if outdated:
            log.info("%d descriptors were made by another engine: they are computed again", len(outdated))
        complete = True
        for digest in outdated:
            complete = self._renew_picture(digest) and complete
            self._run.publish_sometimes()
        self._run.publish()
        if complete:
            self._revision = self._faces.revision()

    def _renew_picture(self, digest: str) -> bool:
        """Return whether the descriptor was renewed, or can never be renewed."""
        try:
            chips = self._faces.read_chips(digest)
            # The person may have been removed meanwhile.
            if chips is not None:
                face = self._run.describe(self._describe_chips, chips)
                assert face.descriptor is not None
                self._faces.replace_descriptor(digest, self._recipe, face.descriptor)
        except GatewayError as error:
            log.warning("the descriptor of picture %.16s cannot be computed again: %s", digest, error)
            return is_final(error)
        return True
