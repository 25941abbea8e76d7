"""The data folders of released versions: one for each version and kind in the folder beside this file."""

from __future__ import annotations

import base64
import json
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.releases.make_data_folder import FOLDER, KEY, copy_known_faces


@dataclass(frozen=True)
class Released:
    """A data folder that a released version left when it was killed."""

    archive: Path

    @property
    def name(self) -> str:
        return f"{self.archive.parent.name}-{self.archive.name.removesuffix('.tar.xz')}"

    @property
    def key(self) -> str | None:
        """The key that encrypts the people, if they are encrypted."""
        return KEY if self.archive.name.startswith("sealed") else None

    @cached_property
    def _recorded(self) -> dict[str, Any]:
        recorded: dict[str, Any] = json.loads((self.archive.parent / self._json_name).read_text())
        return recorded

    @property
    def _json_name(self) -> str:
        return self.archive.name.replace(".tar.xz", ".json")

    @property
    def answers(self) -> dict[str, Any]:
        """The answers of the gateway before it was killed, by the path of REST."""
        answers: dict[str, Any] = self._recorded["answers"]
        return answers

    @property
    def retained(self) -> dict[str, bytes]:
        """The retained messages that it left, by their topics."""
        return {topic: base64.b64decode(payload) for topic, payload in self._recorded["retained"].items()}

    @property
    def tokens(self) -> dict[str, str]:
        """The secrets of its tokens, by their names."""
        tokens: dict[str, str] = self._recorded["tokens"]
        return tokens

    def unpack(self, folder: Path) -> Path:
        """Unpack everything into a folder, beside the known faces, and return the data folder."""
        with tarfile.open(self.archive) as archive:
            archive.extractall(folder)  # noqa: S202
        copy_known_faces(folder)
        data = folder / "data"
        data.chmod(0o700)
        return data


RELEASED = [Released(path) for path in sorted(FOLDER.glob("*/*.tar.xz"))]
"""All of them. The next release adds a folder, and no line here."""
