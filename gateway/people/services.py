"""All objects of people/, and the function that builds them in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gateway.people.audit_keeper import AuditKeeper
from gateway.people.backup_keeper import BackupKeeper, BackupRules
from gateway.people.damaged_uploads import delete_damaged_uploads
from gateway.people.decision import Decision
from gateway.people.enrolment import Enroller, PictureRules
from gateway.people.enrolment_advice import EnrolmentAdvisor
from gateway.people.folder.descriptor_renewal import DescriptorRenewal
from gateway.people.folder.files import PictureReader
from gateway.people.folder.import_run import ImportRun
from gateway.people.folder.importer import FolderImporter
from gateway.people.folder.picture_importer import PictureImporter
from gateway.people.folder.pictures import find_folder_pictures
from gateway.people.folder.recent_removals import RecentRemovals
from gateway.people.folder.skipped_files import SkippedFiles
from gateway.people.folder.watcher import FolderWatcher
from gateway.people.followed_changes import Confirm, FollowedChanges, confirm_nothing
from gateway.people.gallery import Gallery
from gateway.people.gallery_review import GalleryReview
from gateway.people.gallery_updater import GalleryUpdater
from gateway.people.group_rules import UnknownRules
from gateway.people.large_gallery import LargeGallery
from gateway.people.registry import Registry
from gateway.people.removal import PersonRemover
from gateway.people.retention import Retention
from gateway.people.similarity import Similarity, Vectors
from gateway.people.store_watcher import StoreWatcher
from gateway.people.unknown_faces import UnknownFaces
from gateway.people.unknown_groups import UnknownGroups
from gateway.people.vision import EnrolmentVision
from gateway.store.limits import AuditLimits, HourlyLimit, PeopleLimits, SightingLimits
from gateway.store.protocols import Sightings, Store


@dataclass(frozen=True, slots=True)
class FolderRules:
    """Rules for the folder known_faces/.

    ``rescan_s``: the pause between two scans; ``max_bytes``: the size of the largest picture that is read.
    """

    path: Path
    rescan_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """Rules for enrolled people.

    ``pictures``: the stored parts of a picture; ``keep_days``: the time after which a person without a new picture is
    erased, or None; ``limits``: numbers of people, pictures and enrolments.
    """

    pictures: PictureRules
    folder: FolderRules
    unknowns: UnknownRules
    keep_days: float | None = None
    limits: PeopleLimits = field(default_factory=PeopleLimits)
    sightings: SightingLimits = field(default_factory=SightingLimits)
    audit: AuditLimits = field(default_factory=AuditLimits)
    backups: BackupRules = field(default_factory=BackupRules)


@dataclass(frozen=True, slots=True)
class PeopleServices:
    """Objects of people/ that other packages use."""

    store: Store
    gallery: Gallery
    decision: Decision
    updater: GalleryUpdater
    groups: UnknownGroups
    registry: Registry
    audit: AuditKeeper
    backups: BackupKeeper
    watcher: StoreWatcher
    retention: Retention
    unknown_faces: UnknownFaces
    sightings: Sightings
    folder: FolderWatcher
    rules: PeopleRules
    enrolment_limit: HourlyLimit

    @property
    def keepers(self) -> tuple[StoreWatcher, AuditKeeper, BackupKeeper]:
        """The threads that take care of the store."""
        return self.watcher, self.audit, self.backups


def build_people(
    *,
    store: Store,
    similarity: Similarity,
    decision: Decision,
    vision: EnrolmentVision,
    rules: PeopleRules,
    data: Path,
    for_command: bool = False,
    confirm: Confirm = confirm_nothing,
    large: LargeGallery | None = None,
) -> PeopleServices:
    """Build all objects on an open store. ``data``: the data folder; ``large``: None to search in memory always.

    ``confirm``: waits until all replicas of the gateway follow a change (people/followed_changes.py).

    A command leaves to the gateway what only one process should do: deleting unused groups, and logging warnings.
    """
    recipe = rules.pictures.recipe
    gallery = Gallery(similarity)
    review = GalleryReview(gallery, decision, partial(_read_descriptors, store, recipe), logs=not for_command)
    updater = GalleryUpdater(store, gallery, decision, review, recipe=recipe, large=large)
    groups = UnknownGroups(
        store.unknown_groups(recipe),
        gallery,
        decision,
        rules=rules.unknowns,
        deletes_unused=not for_command,
    )
    sightings = store.sightings(recipe, rules.sightings)
    advisor = EnrolmentAdvisor(gallery, decision)
    limit = HourlyLimit(rules.limits.enrolments_per_hour, "enrolments", "people.enrolments_per_hour")
    enroller = Enroller(store, advisor, rules.pictures, limit)
    remover = PersonRemover(
        store,
        gallery,
        decision,
        groups,
        sightings,
        recipe=recipe,
        find_folder_pictures=partial(find_folder_pictures, rules.folder.path, rules.folder.max_bytes),
        delete_damaged_uploads=partial(delete_damaged_uploads, data),
    )
    registry = Registry(store, FollowedChanges(updater, confirm), enroller, remover, groups, sightings)
    audit = AuditKeeper(store.audit, rules.audit)
    retention = Retention(store, registry, sightings, keep_days=rules.keep_days)
    unknown_faces = UnknownFaces(groups, advisor, vision.describe_part)

    skipped = SkippedFiles(store.removal_marks)
    run = ImportRun(updater, gallery, skipped)
    reader = PictureReader(rules.folder.max_bytes)
    pictures = PictureImporter(store, enroller, advisor, reader, run, vision.describe_picture, recipe=recipe)
    removals = RecentRemovals(gallery.__contains__)
    importer = FolderImporter(rules.folder.path, store, pictures, reader, run, skipped, removals, recipe=recipe)
    renewal = DescriptorRenewal(store.faces, run, vision.describe_chips, recipe=recipe)
    folder = FolderWatcher(rules.folder.path, importer, renewal, run, updater, rescan_s=rules.folder.rescan_s)

    return PeopleServices(
        store=store,
        gallery=gallery,
        decision=decision,
        updater=updater,
        groups=groups,
        registry=registry,
        audit=audit,
        backups=BackupKeeper(store, rules.backups),
        watcher=StoreWatcher(store, updater),
        retention=retention,
        unknown_faces=unknown_faces,
        sightings=sightings,
        folder=folder,
        rules=rules,
        enrolment_limit=limit,
    )


def _read_descriptors(store: Store, recipe: str, slug: str) -> Vectors:
    return store.faces.read_faces(recipe, slug)[1]
