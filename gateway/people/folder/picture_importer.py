"""Import of one picture of the folder known_faces/."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from gateway.errors import BadRequest, GatewayError, MultipleFaces, NoFace
from gateway.model import Box, FoundFace
from gateway.people.enrolment import Enroller, EnrolmentSample
from gateway.people.enrolment_advice import EnrolmentAdvisor
from gateway.people.folder.files import PictureFile, PictureReader
from gateway.people.folder.import_run import ImportRun
from gateway.people.folder.pictures import name_of_folder
from gateway.people.folder.scan import FolderScan
from gateway.store.protocols import Store
from gateway.store.records import FOLDER_PREFIX

UNUSABLE_PICTURE_ERRORS = (BadRequest, NoFace, MultipleFaces)
"""Errors for a picture that cannot be used, also not tomorrow, unless the error is temporary."""

OTHER_CONTENT_ERRORS = (NoFace, MultipleFaces)
"""Errors for a picture that was decoded, and does not show one person. A damaged picture may be a copy in progress."""


class PictureImporter:
    """Import of single pictures. It remembers pictures that cannot be used, so that no worker gets them twice."""

    def __init__(
        self,
        store: Store,
        enroller: Enroller,
        advisor: EnrolmentAdvisor,
        reader: PictureReader,
        run: ImportRun,
        describe: Callable[[bytes], FoundFace],
        *,
        recipe: str,
    ) -> None:
        """``describe`` returns the one face of a picture, or raises GatewayError; ``recipe``: of its descriptors."""
        self._store = store
        self._enroller = enroller
        self._advisor = advisor
        self._reader = reader
        self._run = run
        self._describe = describe
        self._recipe = recipe
        # By digest, the error of each picture that cannot be used.
        self._unusable: dict[str, GatewayError] = {}
        # The person's folder and the digest of each enrolled picture. A copy of it is not enrolled again.
        self._enrolled: set[tuple[str | None, str]] = set()

    def begin(self, enrolled: Mapping[str, str], scan: FolderScan) -> None:
        """Begin the import of a scan. ``enrolled``: source and digest of the enrolled pictures of this recipe."""
        self._enrolled = set()
        for source, digest in enrolled.items():
            file = scan.pictures.get(source.removeprefix(FOLDER_PREFIX))
            # The file may be another picture by now.
            if file is not None and self.readable_digests([file]) == {digest}:
                self._enrolled.add((file.person, digest))

    def finish(self) -> None:
        """Forget unusable pictures that are not in the folder any more."""
        self._unusable = {digest: self._unusable[digest] for digest in self._unusable.keys() & self._reader.digests}

    def import_picture(self, source: str, file: PictureFile, before: str | None, enrolled: str | None) -> None:
        """Enrol the picture of a file, unless it is enrolled.

        ``before``: the digest of the enrolled picture of the same source; ``enrolled``: this digest if the descriptor
        is of the present recipe, else None. Raises OSError, and GatewayError for a picture that is not enrolled.
        """
        if file.person is None:
            raise BadRequest("put it into a folder named after the person")
        digest = self._reader.digest(file)
        if digest == enrolled or (before is None and (file.person, digest) in self._enrolled):
            return
        if digest in self._unusable:
            raise self._unusable[digest].with_traceback(None)
        name = name_of_folder(file.person)
        self._store.removal_marks.check_not_removed(name, digest)
        replaces = before if before != digest else None
        if replaces is None:
            # Describing a picture costs much more than this check.
            self._store.folder_index.check_folder_limits(name, digest)
        self._enroller.enrol_from_folder(name, self._make_sample(file, digest), source, replaces=replaces)
        self._enrolled.add((file.person, digest))

    def readable_digests(self, files: Iterable[PictureFile]) -> set[str]:
        """Return the digests of all files that can be read."""
        found = set()
        for file in files:
            with suppress(OSError, BadRequest):
                found.add(self._reader.digest(file))
        return found

    def _make_sample(self, file: PictureFile, digest: str) -> EnrolmentSample:
        stored = self._store.faces.find_face(digest, self._recipe)
        data = self._reader.read(file)
        if stored is not None:
            return EnrolmentSample(data, FoundFace(Box(0, 0, 1, 1), stored.descriptor, chips=stored.chips))
        try:
            face = self._run.describe(self._describe, data)
            self._advisor.check_face(face, "it")
        except GatewayError as error:
            if is_final(error):
                self._unusable[digest] = error
            raise
        return EnrolmentSample(data, face)


def is_final(error: GatewayError) -> bool:
    """Return whether the same picture will fail in the same way tomorrow."""
    return isinstance(error, UNUSABLE_PICTURE_ERRORS) and not error.temporary


def shows_no_person(error: GatewayError) -> bool:
    """Return whether a picture was decoded, and does not show one person."""
    return is_final(error) and isinstance(error, OTHER_CONTENT_ERRORS)
