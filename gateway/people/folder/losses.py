"""Pictures that were imported from a folder and are no longer in it, and the people whom they show."""

from __future__ import annotations

from pathlib import Path

from gateway.people.folder.removal_guard import held_removal
from gateway.people.folder.scan import FolderScan
from gateway.people.folder.scanner import FolderScanner
from gateway.store.protocols import FolderIndex, Notes
from gateway.store.records import FOLDER_PREFIX


def lost_pictures(index: FolderIndex, scan: FolderScan) -> dict[str, str]:
    """Return source and digest of pictures that are not at their path any more.

    A picture that cannot be read is not lost.
    """
    known = index.read_folder_digests()
    return {source: digest for source, digest in known.items() if not scan.may_hold(source.removeprefix(FOLDER_PREFIX))}


def moved_pictures(index: FolderIndex, scan: FolderScan) -> set[str]:
    """Return the sources of lost pictures that were imported from another path in the folder too."""
    known = index.read_folder_digests()
    here = {digest for source, digest in known.items() if source.removeprefix(FOLDER_PREFIX) in scan.pictures}
    return {source for source, digest in lost_pictures(index, scan).items() if digest in here}


def waiting_removals(index: FolderIndex, notes: Notes, folder: Path) -> frozenset[int]:
    """Return people by their keys in the store: their removal waits for a confirmation, or would after a scan."""
    held = held_removal(notes)
    scan = FolderScanner(folder).scan()
    if held and scan.condition in {"missing", "unreadable"}:
        # Perhaps only this command cannot see the folder: it may run in another container than the gateway.
        return held
    # This scan may find more than the gateway's last one, if files were still being deleted then.
    return held | index.find_loss(lost_pictures(index, scan)).affected
