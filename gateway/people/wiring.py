"""The people of a gateway or a command, opened by the settings."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.config import Settings
from gateway.errors import StartError
from gateway.files.ownership import reading_hint
from gateway.model import QualityLimits
from gateway.model.caller import CLI_CALLER
from gateway.people.backup_keeper import BackupRules
from gateway.people.curves import Curves
from gateway.people.decision import Decision
from gateway.people.enrolment import PictureRules
from gateway.people.followed_changes import Confirm, confirm_nothing
from gateway.people.group_rules import IgnoredRules, UnknownRules
from gateway.people.large_gallery import open_large_gallery
from gateway.people.measurement import Measurement, engine_measurement, read_measurement
from gateway.people.postgres_extra import extra_postgres
from gateway.people.services import FolderRules, PeopleRules, PeopleServices, build_people
from gateway.people.vision import EnrolmentVision, NoVision
from gateway.store import sqlite
from gateway.store.cipher import Cipher, read_key
from gateway.store.limits import AuditLimits, PeopleLimits, SightingLimits
from gateway.store.protocols import Store
from gateway.vision.engines.recogniser import recogniser_of
from gateway.vision.engines.registry import ENGINES

log = logging.getLogger(__name__)


def open_people(
    settings: Settings,
    vision: EnrolmentVision,
    *,
    for_command: bool = False,
    confirm: Confirm | None = None,
) -> PeopleServices:
    """Open the store, and build all objects of people/. Raises StartError.

    ``confirm``: None for a gateway without replicas. A command does not encrypt the store with a new key, and does not
    log warnings about people: the gateway does.
    """
    measurement = find_measurement(settings)
    rules = people_rules(settings, measurement.recipe)
    similarity = measurement.similarity()
    store = open_store(settings, rules.limits, may_encrypt=not for_command)
    # After the store, since a gateway tries again every second while the database is away.
    if not for_command and (exposure := find_exposure(settings)) and not exposure[1]:
        log.warning("%s", exposure[0])
    try:
        return build_people(
            store=store,
            large=open_large_gallery(settings, store, similarity, measurement.recipe, for_command=for_command),
            similarity=similarity,
            decision=make_decision(settings, measurement.curves),
            vision=vision,
            rules=rules,
            data=settings.data,
            for_command=for_command,
            confirm=confirm or confirm_nothing,
        )
    except BaseException:
        store.close()
        raise


@contextmanager
def open_for_command(
    settings: Settings, vision: EnrolmentVision | None = None, confirm: Confirm | None = None
) -> Iterator[PeopleServices]:
    """Give the people for a command. A gateway may run on the same store. Raises StartError.

    ``vision``: needed for commands with pictures. ``confirm``: as for ``open_people``.
    """
    people = open_people(settings, vision or NoVision(), for_command=True, confirm=confirm)
    with closing(people.store):
        yield people


@contextmanager
def open_store_for_command(settings: Settings) -> Iterator[Store]:
    """Give the store alone for a command that needs no faces. A gateway may run on it. Raise StartError."""
    with closing(open_store(settings, PeopleLimits(), may_encrypt=False)) as store:
        yield store


def find_measurement(settings: Settings) -> Measurement:
    """Return the curves and typical faces for the descriptors with these settings. Raise StartError or ConfigError."""
    recogniser = recogniser_of(settings)
    if recogniser is not None:
        return read_measurement(settings.data, recogniser.recipe, recogniser.path)
    return engine_measurement(ENGINES[settings.engine])


def count_enrolled(settings: Settings) -> int:
    """Return the number of enrolled people; 0 if there is no store. Raise StartError."""
    if not has_store(settings):
        return 0
    with open_store_for_command(settings) as store:
        return len(store.people.list_unchanged_since(math.inf))


def people_rules(settings: Settings, recipe: str) -> PeopleRules:
    """Return the rules for enrolled people by the settings."""
    people = settings.people
    return PeopleRules(
        pictures=PictureRules(recipe, people.keep),
        folder=FolderRules(people.folder, people.rescan_s, settings.limits.file.bytes),
        unknowns=UnknownRules(
            settings.unknowns.most,
            settings.unknowns.keep_days,
            IgnoredRules(settings.ignored.most, settings.ignored.keep_days),
        ),
        keep_days=people.keep_days,
        limits=PeopleLimits(people.most, people.pictures_per_person, people.enrolments_per_hour),
        sightings=SightingLimits(settings.sightings.keep_days, settings.sightings.most),
        audit=AuditLimits(settings.audit.most, settings.audit.keep_days),
        backups=BackupRules(settings.backups.every_h, settings.backups.keep),
    )


def make_decision(settings: Settings, curves: Curves) -> Decision:
    """Return the decision by the settings and the measured curves."""
    decision = settings.decision
    return Decision(
        decision.max_false_identification,
        decision.max_false_match,
        curves,
        QualityLimits(**settings.quality.model_dump()),
        QualityLimits(**settings.enrolment.model_dump()),
        fixed_identification=decision.fixed_identification,
        fixed_verification=decision.fixed_verification,
    )


def describe_store(settings: Settings) -> str:
    """Return the place of the store for messages: a path, or the address of a database without its password.

    Raise StartError.
    """
    if (url := settings.people.postgres_url) is None:
        return str(sqlite.path_of_store(settings.data).absolute())
    with extra_postgres():
        from gateway.store.postgres.opening import describe_place
    return describe_place(url)


def find_exposure(settings: Settings) -> tuple[str, bool] | None:
    """Return a sentence if others in the network may read or get the password of the database. Raise StartError.

    The second value is True if the address says that it shall be so.
    """
    if (url := settings.people.postgres_url) is None:
        return None
    with extra_postgres():
        from gateway.store.postgres import address
    return address.find_exposure(url)


def has_store(settings: Settings) -> bool:
    """Return whether there is a store. An empty file or database does not count. Raise StartError."""
    if (url := settings.people.postgres_url) is None:
        return sqlite.store_exists(settings.data)
    with extra_postgres():
        from gateway.store.postgres.opening import store_exists
    return store_exists(url)


def restore_store(settings: Settings, backup: Path) -> Path | None:
    """Replace the store by a backup. Return the copy of the replaced store. Raise StartError."""
    check_files_of_store(settings)
    return sqlite.restore_backup(backup, settings.data, cipher(settings))


def check_restore(settings: Settings, backup: Path) -> tuple[int, int]:
    """Check that a backup can be restored. Return the number of its people and pictures. Raise StartError."""
    check_files_of_store(settings)
    return sqlite.check_backup(backup, settings.data, cipher(settings))


def check_files_of_store(settings: Settings) -> None:
    """Raise StartError if the people are in a database, which no file can replace."""
    if settings.people.postgres_url is not None:
        raise StartError(
            f"The people are in {describe_store(settings)}, and the backup is a file of SQLite: restore a dump of the"
            " database with pg_restore (docs/how-to/run-several-gateways.md)."
        )


def open_store(settings: Settings, limits: PeopleLimits, *, may_encrypt: bool) -> Store:
    """Open the store that the settings choose. Raise StartError."""
    if (url := settings.people.postgres_url) is None:
        return sqlite.open_store(settings.data, cipher(settings), limits, may_encrypt=may_encrypt)
    with extra_postgres():
        from gateway.store.postgres import opening
    older = (sqlite.path_of_store(settings.data), settings.data / "backups")
    return opening.open_store(url, cipher(settings), limits, may_encrypt=may_encrypt, older_files=older)


def cipher(settings: Settings) -> Cipher:
    """Return the cipher with the key in the settings, or in the file that they name. Raises StartError."""
    people = settings.people
    key = read_key(people.key.get_secret_value() if people.key else None)
    if people.key_file is None:
        return Cipher(key)
    in_file = read_key_file(people.key_file, "people.key_file")
    # After a rotation one of the two is often forgotten.
    if key is not None and key != in_file:
        raise StartError("people.key and people.key_file are two different keys: remove the one that is not used.")
    return Cipher(in_file)


def read_key_file(path: Path, setting: str) -> bytes | None:
    """Return the key in a file, which a setting names. Raises StartError."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        advice = reading_hint(error) or f": check the path in {setting}"
        raise StartError(f"The key file {path} cannot be read: {reason}{advice}.") from None
    return read_key(text, f"{setting}: {path} cannot be used: it")


def is_encrypted_with(settings: Settings, master: Cipher) -> bool:
    """Return whether the store is encrypted, with this key. Raise GatewayError for another key."""
    if (url := settings.people.postgres_url) is None:
        return sqlite.check_master_key(settings.data, master)
    with extra_postgres():
        from gateway.store.postgres.opening import check_master_key
    return check_master_key(url, master)


def rotate_master_key(settings: Settings, master: Cipher) -> None:
    """Encrypt all data keys with another master key. Raise GatewayError, also if a gateway uses the database."""
    if (url := settings.people.postgres_url) is not None:
        with extra_postgres():
            from gateway.store.postgres.other_users import check_unused
        # Gateways on other machines would encrypt new data keys with the old key.
        check_unused(url)
    with closing(open_store(settings, PeopleLimits(), may_encrypt=False)) as store:
        # The audit comes first: it must not miss a rotation.
        store.audit.record(CLI_CALLER, "rotate_key")
        store.audit.flush()
        store.keys.rotate(master)
