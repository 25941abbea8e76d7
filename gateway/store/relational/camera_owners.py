"""The owners of cameras in a cluster, as the writes about a camera check them."""

from __future__ import annotations

from gateway.store.relational.database import Connection


def find_owned_cameras(db: Connection, owner: str) -> set[str]:
    """Return the cameras that a replica owns, within a write transaction.

    Such transactions come one after the other, over all replicas. So what the next owner of a camera writes comes
    after all that the former one may write.
    """
    return {name for (name,) in db.execute("SELECT name FROM cluster_cameras WHERE owner = ?", (owner,)).fetchall()}
