"""Opens what is known as the settings say: for the gateway, and for the commands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.config import Settings
from gateway.errors import StartError
from gateway.files.ownership import permission_hint
from gateway.model import FoundFace, Polygon, QualityLimits
from gateway.people.curves import measured_curves
from gateway.people.damaged_uploads import delete_damaged_uploads
from gateway.people.decision import Decision
from gateway.people.folder.pictures import find_folder_pictures
from gateway.people.gallery import Gallery
from gateway.people.registry import Registry
from gateway.people.similarity import Similarity, typical_faces
from gateway.people.unknown_faces import UnknownFaces
from gateway.store.cipher import Cipher, read_key
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.sqlite import open_store, path_of_store, restore_backup, store_exists


@dataclass(frozen=True, slots=True)
class PeopleServices:
    """The store, who is in it, and how they are told apart."""

    store: Store
    gallery: Gallery
    decision: Decision
    registry: Registry


def open_people(settings: Settings, recipe: str, *, for_command: bool = False) -> PeopleServices:
    """``recipe``: of the engine's descriptors. A command leaves to the gateway what only one should do: it neither
    seals the store with a key that is given for the first time, nor logs doubts about people.

    Raises StartError.
    """
    ours = settings.engine == "facegate"
    people = settings.people
    limits = PeopleLimits(people.most, people.pictures_per_person, people.enrolments_per_hour)
    store = open_store(settings.data, cipher(settings), limits, may_encrypt=not for_command)
    gallery = Gallery(Similarity(typical_faces() if ours else None))
    decision = Decision(
        settings.decision.max_false_identification,
        settings.decision.max_false_match,
        measured_curves("facegate" if ours else "stock"),
        QualityLimits(**settings.quality.model_dump()),
        QualityLimits(**settings.enrolment.model_dump()),
        fixed_identification=settings.decision.fixed_identification,
        fixed_verification=settings.decision.fixed_verification,
    )
    registry = Registry(
        store,
        gallery,
        decision,
        recipe=recipe,
        keep=people.keep,
        keep_days=people.keep_days,
        limits=limits,
        logs_findings=not for_command,
    )
    registry.delete_other_files = partial(delete_damaged_uploads, settings.data)
    return PeopleServices(store, gallery, decision, registry)


def open_unknown_faces(
    settings: Settings,
    known: PeopleServices,
    describe: Callable[[bytes, Polygon, str], FoundFace],
    *,
    tidies: bool = True,
) -> UnknownFaces:
    return UnknownFaces(
        known.store.unknown_groups(known.registry.recipe),
        known.gallery,
        known.decision,
        known.registry,
        describe,
        most=settings.unknowns.most,
        keep_days=settings.unknowns.keep_days,
        tidies=tidies,
    )


@contextmanager
def open_for_command(settings: Settings, recipe: str) -> Iterator[PeopleServices]:
    """For a command, beside which a gateway may run."""
    opened = open_people(settings, recipe, for_command=True)
    opened.registry.in_folders = partial(find_folder_pictures, settings.people.folder, settings.limits.bytes)
    with closing(opened.store):
        yield opened


def store_path(settings: Settings) -> Path:
    """Return the path of the store."""
    return path_of_store(settings.data)


def has_store(settings: Settings) -> bool:
    """Return whether there is a store. An empty file is none. Raise StartError."""
    return store_exists(settings.data)


def restore_store(settings: Settings, backup: Path, user: str) -> Path | None:
    """Replace the store by a backup, for a user. Return the copy of the store before it. Raise StartError."""
    return restore_backup(backup, settings.data, cipher(settings), user)


def cipher(settings: Settings) -> Cipher:
    """By the key in the settings, or in the file that they name. Raises StartError."""
    people = settings.people
    if people.key_file is not None:
        try:
            text = people.key_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(
                f"The key file {people.key_file} cannot be read: {error}{permission_hint(error)}."
            ) from None
        return Cipher(read_key(text, f"people.key_file: {people.key_file} cannot be used: it"))
    return Cipher(read_key(people.key.get_secret_value() if people.key else None))
