"""The people of a gateway or a command, opened by the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.config import Settings
from gateway.errors import StartError
from gateway.files.ownership import permission_hint
from gateway.model import QualityLimits
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.enrolment import PictureRules
from gateway.people.services import FolderRules, PeopleRules, PeopleServices, UnknownRules, build_people
from gateway.people.similarity import Similarity, typical_faces
from gateway.people.vision import EnrolmentVision, NoVision
from gateway.store.cipher import Cipher, read_key
from gateway.store.limits import PeopleLimits
from gateway.store.sqlite import open_store, path_of_store, restore_backup, store_exists


def open_people(
    settings: Settings, recipe: str, vision: EnrolmentVision, *, for_command: bool = False
) -> PeopleServices:
    """Open the store, and build all objects of people/. Raises StartError.

    ``recipe``: the recipe of the engine's descriptors. A command does not encrypt the store with a new key, and does
    not log warnings about people: the gateway does.
    """
    rules = people_rules(settings, recipe)
    own_engine = settings.engine == "facegate"
    return build_people(
        store=open_store(settings.data, cipher(settings), rules.limits, may_encrypt=not for_command),
        similarity=Similarity(typical_faces() if own_engine else None),
        decision=make_decision(settings),
        vision=vision,
        rules=rules,
        data=settings.data,
        for_command=for_command,
    )


@contextmanager
def open_for_command(
    settings: Settings, recipe: str, vision: EnrolmentVision | None = None
) -> Iterator[PeopleServices]:
    """Give the people for a command. A gateway may run on the same store. Raises StartError.

    ``vision``: needed for commands with pictures.
    """
    people = open_people(settings, recipe, vision or NoVision(), for_command=True)
    with closing(people.store):
        yield people


def people_rules(settings: Settings, recipe: str) -> PeopleRules:
    """Return the rules for enrolled people by the settings."""
    people = settings.people
    return PeopleRules(
        pictures=PictureRules(recipe, people.keep),
        folder=FolderRules(people.folder, people.rescan_s, settings.limits.file.bytes),
        unknowns=UnknownRules(settings.unknowns.most, settings.unknowns.keep_days),
        keep_days=people.keep_days,
        limits=PeopleLimits(people.most, people.pictures_per_person, people.enrolments_per_hour),
    )


def make_decision(settings: Settings) -> Decision:
    """Return the decision by the settings, and by the measured curves of their engine."""
    decision = settings.decision
    return Decision(
        decision.max_false_identification,
        decision.max_false_match,
        measured_curves("facegate" if settings.engine == "facegate" else "stock"),
        QualityLimits(**settings.quality.model_dump()),
        QualityLimits(**settings.enrolment.model_dump()),
        fixed_identification=decision.fixed_identification,
        fixed_verification=decision.fixed_verification,
    )


def store_path(settings: Settings) -> Path:
    """Return the path of the store."""
    return path_of_store(settings.data)


def has_store(settings: Settings) -> bool:
    """Return whether there is a store. An empty file does not count. Raise StartError."""
    return store_exists(settings.data)


def restore_store(settings: Settings, backup: Path, user: str) -> Path | None:
    """Replace the store by a backup, for a user. Return the copy of the replaced store. Raise StartError."""
    return restore_backup(backup, settings.data, cipher(settings), user)


def cipher(settings: Settings) -> Cipher:
    """Return the cipher with the key in the settings, or in the file that they name. Raises StartError."""
    people = settings.people
    if people.key_file is not None:
        try:
            text = people.key_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
            advice = permission_hint(error) or ": check the path in people.key_file"
            raise StartError(f"The key file {people.key_file} cannot be read: {reason}{advice}.") from None
        return Cipher(read_key(text, f"people.key_file: {people.key_file} cannot be used: it"))
    return Cipher(read_key(people.key.get_secret_value() if people.key else None))
