"""What can be done about people, the same for every interface: read from fields, answered by a document."""

from __future__ import annotations

import base64
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass
from functools import partial
from threading import BoundedSemaphore
from typing import Any, Protocol

from gateway.contract.base import Document
from gateway.contract.health import write_health
from gateway.contract.people import EnrolledDocument
from gateway.contract.reading import read_flag
from gateway.errors import BadRequest, Busy, Conflict, Expired, Unsupported, shutting_down_error
from gateway.formats.text_encodings import decode_base64
from gateway.model import MAX_PICTURES_AT_ONCE, PERSON_ID, Effect
from gateway.model.caller import Caller
from gateway.model.health import Health
from gateway.model.names import checked_name
from gateway.people.archive import read_archive, write_archive
from gateway.people.calibration import calibrate
from gateway.people.enrolment import EnrolmentSample
from gateway.people.services import PeopleServices
from gateway.people.vision import EnrolmentVision
from gateway.store.records import PICTURE_ID_DIGITS, ExportedPerson, PersonEntry, UnknownGroup

Fields = Mapping[str, Any]

MOST_LISTED = 1000

WAITING = 16
"""Operations at most, each with up to ten pictures, and over REST each with a thread (rest.threads)."""

RETRY_S = 5
_IMAGE = re.compile(r"image\d{0,2}")
_PICTURE = re.compile(rf"[0-9a-f]{{{PICTURE_ID_DIGITS}}}")


@dataclass(frozen=True, slots=True)
class Action:
    """``needs``, ``takes``: names of fields, each read as READERS says; ``changes``: whether it changes something."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    changes: bool = True


ACTIONS: Mapping[str, Action] = {
    "people/list": Action(takes=("after", "search", "limit"), changes=False),
    "people/show": Action(("person",), changes=False),
    "people/add": Action(("images",), ("person", "name")),
    "people/not_them": Action(("person", "images")),
    "people/rename": Action(("person", "name")),
    "people/merge": Action(("person", "into")),
    "people/remove": Action(("person",)),
    "people/remove_picture": Action(("person", "picture")),
    "people/erase": Action(("person",)),
    "people/export": Action(takes=("person",), changes=False),
    "people/import": Action(("archive",), ("merge",)),
    "people/audit": Action(takes=("limit",), changes=False),
    "unknowns/list": Action(takes=("limit",), changes=False),
    "unknowns/show": Action(("unknown",), changes=False),
    "unknowns/name": Action(("unknown",), ("person", "name")),
    "unknowns/forget": Action(("unknown",)),
    "calibrate": Action(takes=("plot",), changes=False),
    "health": Action(changes=False),
}
"""By the words of both wires."""


class Administer(Protocol):
    """Administration.submit, as the interfaces know it."""

    def __call__(
        self, operation: str, fields: Fields, caller: Caller, valid_for_s: float = ..., effect: Effect | None = ...
    ) -> Future[Document]: ...


@dataclass(frozen=True, slots=True)
class Command:
    """An operation that a caller asks for. ``once`` makes a change, unless it was made before.

    ``deadline``: on the clock of ``time.monotonic``. No picture is analysed after it.
    """

    caller: Caller
    deadline: float
    once: Callable[[Callable[[], Document]], Document | None]

    def change(self, change: Callable[[], Document], gone: Document | None = None) -> Document:
        """``gone``: what is answered again about somebody who went. Raises Conflict if there is no such thing."""
        document = self.once(change) or gone
        if document is None:
            raise Conflict("that was done, and whom it was about is not known any more")
        return document


class Administration:
    """``changes``: one thread, in which whatever changes something is done in turn; what only reads has its own."""

    def __init__(
        self,
        people: PeopleServices,
        vision: EnrolmentVision,
        changes: Executor,
        reads: Executor,
        health: Callable[[], Health],
    ) -> None:
        self._people = people
        self._registry = people.registry
        self._vision = vision
        self._changes = changes
        self._reads = reads
        self._waiting = BoundedSemaphore(WAITING)
        self._health_now = health

    def submit(
        self,
        operation: str,
        fields: Fields,
        caller: Caller,
        valid_for_s: float = math.inf,
        effect: Effect | None = None,
    ) -> Future[Document]:
        """Never raises: what goes wrong is the future's exception. After ``good_for`` seconds it is not begun.

        ``effect``: by what it is known again, if it changes something and may be asked for again.
        """
        try:
            read = read_fields(operation, fields)
            do: Callable[..., Document] = getattr(self, "_" + operation.replace("/", "_"))
            if not self._waiting.acquire(blocking=False):
                raise Busy(f"{WAITING} operations are waiting", RETRY_S)
        except Exception as error:
            failed: Future[Document] = Future()
            failed.set_exception(error)
            return failed
        executor = self._changes if ACTIONS[operation].changes else self._reads
        deadline = time.monotonic() + valid_for_s
        command = Command(caller, deadline, partial(self._registry.apply_once, effect))
        try:
            done = executor.submit(_in_time, deadline, partial(do, command, **read))
        except RuntimeError:  # it was shut down
            done = Future()
            done.set_exception(shutting_down_error())
        done.add_done_callback(lambda _: self._waiting.release())
        return done

    def _people_list(self, _command: Command, after: str = "", search: str = "", limit: int = 100) -> Document:
        entries = self._people.store.people.list_entries(after=after, containing=search, limit=limit + 1)
        following = entries[limit - 1].person.slug if len(entries) > limit else None
        people = [write_entry(entry) for entry in entries[:limit]]
        return {"people": people, "known": len(self._people.gallery), "next": following}

    def _people_show(self, _command: Command, person: str) -> Document:
        return write_entry(self._people.store.people.read_entry(person))

    def _people_add(
        self, command: Command, images: tuple[bytes, ...], person: str | None = None, name: str | None = None
    ) -> Document:
        _either(person, name)
        samples = self._samples(command, images)
        return command.change(lambda: _enrolled(self._registry.enrol(name, samples, command.caller, person=person)))

    def _people_not_them(self, command: Command, person: str, images: tuple[bytes, ...]) -> Document:
        samples = self._samples(command, images)
        return command.change(lambda: write_entry(self._registry.add_counter_examples(person, samples, command.caller)))

    def _people_rename(self, command: Command, person: str, name: str) -> Document:
        document = command.change(lambda: write_entry(self._registry.rename(person, name, command.caller)))
        return {**document, "warnings": self._people.updater.warnings_about(person)}

    def _people_merge(self, command: Command, person: str, into: str) -> Document:
        document = command.change(lambda: write_entry(self._registry.merge(person, into, command.caller)))
        return {**document, "warnings": self._people.updater.warnings_about(into)}

    def _people_remove(self, command: Command, person: str) -> Document:
        return command.change(
            lambda: {"person": self._registry.remove(person, command.caller).slug}, {"person": person}
        )

    def _people_remove_picture(self, command: Command, person: str, picture: str) -> Document:
        without_pictures: Document = {"person": person, "pictures": []}

        def remove() -> Document:
            entry = self._registry.remove_picture(person, picture, command.caller)
            return write_entry(entry) if entry else without_pictures

        return command.change(remove, without_pictures)

    def _people_erase(self, command: Command, person: str) -> Document:
        with self._registry.erasing():
            erased = command.change(
                lambda: {"person": self._registry.erase(person, command.caller).slug}, {"person": person}
            )
            left_alone = self._people.store.backups.skipped_warnings()
        return {**erased, **({"warnings": list(left_alone)} if left_alone else {})}

    def _people_export(self, command: Command, person: str | None = None) -> Document:
        archive = write_archive(self._registry.export(person, command.caller))
        return {"archive": base64.b64encode(archive).decode()}

    def _people_import(self, command: Command, archive: bytes, merge: bool = False) -> Document:
        people = read_archive(archive, self._people.rules.limits)
        lost = sum(
            p.recipe != self._people.rules.pictures.recipe and not p.face.chips
            for each in people
            for p in each.pictures
        )
        warnings = [f"{lost} pictures were described by another engine and have no chips: they are of no use"]

        def adopt() -> Document:
            added = self._registry.import_people(people, command.caller, merge=merge)
            return {"people": len(people), "pictures": added, "warnings": warnings if lost else []}

        document = command.change(adopt)
        return {**document, "warnings": [*document["warnings"], *self._doubts_about(people)]}

    def _doubts_about(self, people: Sequence[ExportedPerson]) -> list[str]:
        """Of so many as a message is likely to name; the log and /readyz have the others."""
        found = [self._people.store.people.find_person(each.person.name) for each in people[:MOST_LISTED]]
        return self._people.updater.warnings_about(*(person.slug for person in found if person))

    def _people_audit(self, _command: Command, limit: int = 100) -> Document:
        return {"audit": [asdict(line) for line in self._people.store.audit.read_lines(limit)]}

    def _unknowns_list(self, _command: Command, limit: int = 100) -> Document:
        return {"unknowns": [write_group(group) for group in self._people.groups.list_groups()[:limit]]}

    def _unknowns_show(self, _command: Command, unknown: int) -> Document:
        group = self._people.groups.group(unknown)
        crops = [base64.b64encode(face.crop).decode() for _, face in group.faces if face.crop]
        return {**write_group(group), "crops": crops}

    def _unknowns_name(
        self, command: Command, unknown: int, person: str | None = None, name: str | None = None
    ) -> Document:
        _either(person, name)
        return command.change(
            lambda: _enrolled(self._registry.enrol_unknown(unknown, name, command.caller, person=person))
        )

    def _unknowns_forget(self, command: Command, unknown: int) -> Document:
        def forget() -> Document:
            self._people.groups.forget(unknown)
            return {"unknown": unknown}

        return command.change(forget)

    def _calibrate(self, _command: Command, plot: bool = False) -> Document:
        people = self._people
        recipe = people.rules.pictures.recipe
        return calibrate(people.store, people.gallery, people.decision, recipe=recipe, plot=plot)

    def _health(self, _command: Command) -> Document:
        return write_health(self._health_now()).document()

    def _samples(self, command: Command, images: tuple[bytes, ...]) -> list[EnrolmentSample]:
        """One after the other, so that a slow machine may not be done in time. Raises Expired then."""
        samples: list[EnrolmentSample] = []
        for image in images:
            if time.monotonic() > command.deadline:
                raise Expired(
                    f"only {len(samples)} of {len(images)} pictures were analysed in time: send fewer at once"
                )
            samples.append(EnrolmentSample(image, self._vision.picture(image)))
        return samples


def read_fields(operation: str, fields: Fields) -> dict[str, Any]:
    """As the operation wants them. Raises Unsupported, or BadRequest."""
    if (action := ACTIONS.get(operation)) is None:
        raise Unsupported(f"there is no operation {operation[:64]}; there are {', '.join(ACTIONS)}")
    known = {*action.needs, *action.takes}
    given = _gathered({name: value for name, value in fields.items() if value is not None})
    if unknown := sorted(ascii(name)[:64] for name in given.keys() - known):
        raise BadRequest(f"there is no field {', '.join(unknown[:3])} for {operation}")
    if missing := [name for name in action.needs if name not in given]:
        raise BadRequest(f"{operation} needs {' and '.join(missing)}")
    return {name: READERS[name](name, value) for name, value in given.items()}


def _gathered(fields: Fields) -> dict[str, Any]:
    """With ``image``, ``image1`` and so on (CBOR is flat, a single picture needs no list) among the ``images``."""
    single = [value for name, value in fields.items() if _IMAGE.fullmatch(name)]
    gathered = {name: value for name, value in fields.items() if not _IMAGE.fullmatch(name)}
    if single:
        lists = [value if isinstance(value, list) else [value] for value in (*single, gathered.get("images", []))]
        gathered["images"] = [each for several in lists for each in several]
    return gathered


def _in_time(deadline: float, do: Callable[[], Document]) -> Document:
    if time.monotonic() > deadline:
        raise Expired("it waited longer than it was good for")
    return do()


def changes(operation: str) -> bool:
    return operation in ACTIONS and ACTIONS[operation].changes


def write_entry(entry: PersonEntry) -> Document:
    person = entry.person
    pictures = [asdict(picture) for picture in entry.pictures]
    return {"person": person.slug, "name": person.name, "added": entry.added, "pictures": pictures}


def _enrolled(enrolled: tuple[PersonEntry, tuple[str, ...]]) -> Document:
    entry, warnings = enrolled
    person = entry.person
    return EnrolledDocument(
        person=person.slug, name=person.name, pictures=entry.picture_count, warnings=list(warnings)
    ).document()


def write_group(group: UnknownGroup) -> Document:
    return {
        "unknown": group.id,
        "first": group.first,
        "last": group.last,
        "seen": group.seen,
        "cameras": group.cameras,
        "pictures": len(group.faces),
    }


def _either(person: str | None, name: str | None) -> None:
    if (person is None) == (name is None):
        raise BadRequest("give a name, or the id of a person who is known")


def _slug(name: str, value: object) -> str:
    if not isinstance(value, str) or not PERSON_ID.fullmatch(value):
        raise BadRequest(f"{name} is a person's id: 1 to 53 of a-z, 0-9 and _")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise BadRequest(f"{name} is a text of up to 200 printable characters")
    return value


def _picture_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not _PICTURE.fullmatch(value):
        raise BadRequest(f"{name} is a picture's id: {PICTURE_ID_DIGITS} of 0-9 and a-f")
    return value


def _number(name: str, value: object) -> int:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise BadRequest(f"{name} is a whole number, 1 or more")
    return int(text)


def _limit(name: str, value: object) -> int:
    return min(_number(name, value), MOST_LISTED)


def _bytes(name: str, value: object) -> bytes:
    """As they are (CBOR, forms), or in base64 (JSON)."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return decode_base64(value)
    raise BadRequest(f"{name} is given in base64")


def _images(name: str, value: object) -> tuple[bytes, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(several) <= MAX_PICTURES_AT_ONCE:
        raise BadRequest(f"{name} is a list of 1 to {MAX_PICTURES_AT_ONCE} pictures")
    return tuple(_bytes(name, each) for each in several)


READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "person": _slug,
    "into": _slug,
    "after": _text,
    "search": _text,
    "name": lambda _, value: checked_name(value),
    "picture": _picture_id,
    "unknown": _number,
    "limit": _limit,
    "plot": read_flag,
    "merge": read_flag,
    "images": _images,
    "archive": _bytes,
}
"""How each field is read."""
