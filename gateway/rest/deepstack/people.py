"""The registered people of DeepStack: enrolled people, whose names are the ``userid``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.contract.base import Document
from gateway.contract.deepstack import DeletedDocument, RegisteredDocument, RegisteredPeopleDocument
from gateway.contract.field_types import MAX_ENTRIES
from gateway.model.names import checked_name, name_key
from gateway.rest.calls import Calls


class RegisteredPeople:
    """The enrolled people by their names. All methods raise GatewayError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def register(self, userid: str, pictures: Sequence[bytes], file_names: tuple[str, ...]) -> RegisteredDocument:
        """Enrol pictures of a person. An enrolled person keeps the earlier pictures."""
        done = self._calls.administer("people/add", {"name": userid, "images": list(pictures)}, file_names)
        # Clients register picture by picture.
        return RegisteredDocument(message="face updated" if done["pictures"] > len(pictures) else "face added")

    def list_names(self) -> RegisteredPeopleDocument:
        return RegisteredPeopleDocument(faces=[person["name"] for person in self._people()])

    def delete(self, userid: str) -> DeletedDocument:
        """Remove the person with this name. Without such a person, nothing is left to do."""
        key = name_key(checked_name(userid))
        for person in list(self._people()):
            if name_key(person["name"]) == key:
                self._calls.administer("people/remove", {"person": person["person"]})
        return DeletedDocument()

    def _people(self) -> Iterator[Document]:
        after: str | None = ""
        while after is not None:
            page = self._calls.administer("people/list", {"after": after, "limit": MAX_ENTRIES})
            yield from page["people"]
            after = page["next"]
