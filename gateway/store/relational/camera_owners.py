"""The owners of cameras in a cluster, as the writes about a camera check them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.store.relational.database import Connection


def find_owned_cameras(db: Connection, epochs: Mapping[str, int]) -> set[str]:
    """Return those of the cameras that nobody has claimed since these epochs, within a write transaction.

    Such transactions come one after the other, over all replicas. So what the next owner of a camera writes comes
    after all that the former one may write. The replica is not enough: it may have lost a camera and claimed it again
    while a write waited, and another owner may have written newer things meanwhile.
    """
    rows = db.execute("SELECT name, epoch FROM cluster_cameras").fetchall()
    return {name for name, epoch in rows if epochs.get(name) == epoch}
