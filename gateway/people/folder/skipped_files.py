"""Files that an import skipped, and their report. Names of people who were removed are not shown."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import PurePath

from gateway.errors import BadRequest
from gateway.logs import escape
from gateway.people.folder.pictures import name_of_folder
from gateway.people.folder.report import Hides, hidden_sentence, skipped_sentences
from gateway.store.protocols import RemovalMarks
from gateway.store.records import FOLDER_PREFIX

log = logging.getLogger(__name__)


class SkippedFiles:
    """Sentences about the files that the last import skipped."""

    def __init__(self, marks: RemovalMarks) -> None:
        self._marks = marks
        self._hides: Hides = self.is_of_removed
        # By reason, the number of files of people who were removed.
        self._hidden: Counter[str] = Counter()
        self._logged: frozenset[str] = frozenset()
        self.sentences: list[str] = []

    def begin(self, unused: Mapping[str, Sequence[str]]) -> None:
        """Begin an import. ``unused``: by reason, the paths of files that the scan does not use."""
        # The names of removed people do not change much during one import: each path is looked up once.
        self._hides = cache(self.is_of_removed)
        self._hidden.clear()
        self.sentences = skipped_sentences(unused, self._hides)

    def add(self, source: str, reason: str) -> None:
        """Add a picture that was not imported."""
        if self._hides(source.removeprefix(FOLDER_PREFIX)):
            self._hidden[reason] += 1
        else:
            self.sentences.append(escape(f"{source}: {reason}"))

    def finish(self) -> None:
        """Add the sentences about hidden files."""
        self.sentences += [hidden_sentence(count, reason) for reason, count in self._hidden.items()]

    def log_new(self) -> None:
        """Log the sentences that are new since the last import."""
        for each in self.sentences:
            if each not in self._logged:
                log.warning("skipped in the known faces: %s", each)
        self._logged = frozenset(self.sentences)

    def is_of_removed(self, path: str) -> bool:
        """Return whether a path in the folder is named after a person who was removed."""
        first, *deeper = path.split("/")
        for name in {first, first if deeper else PurePath(first).stem}:
            with suppress(BadRequest):
                if self._marks.is_name_removed(name_of_folder(name)):
                    return True
        return False
